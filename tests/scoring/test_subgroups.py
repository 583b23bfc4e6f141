"""Groups by attribute, and kinds of lesions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from spinedet.core.errors import InputError
from spinedet.scoring import BootstrapSettings, Scores, ScoreSettings, score
from spinedet.scoring.metrics.strata import UNKNOWN, binned, label

Draw = Callable[..., Any]


def scored(drawn: Any, **settings: Any) -> Scores:
    return score(drawn.manifest, drawn.found, ScoreSettings(bootstrap=BootstrapSettings(samples=0), **settings))


def test_groups_by_an_attribute_and_crossed(draw: Draw) -> None:
    drawn = draw().study([0.0], [(0.0, 0.9)], attributes={"vendor": "X"})
    drawn.study([0.0], [(50.0, 0.9)], attributes={"vendor": "Y"}, center="B").study([0.0], center="B")
    scores = scored(drawn, by=("vendor", "center*vendor"))
    recall = {str(group.by.get("vendor")): group.recall.value for group in scores.groups if set(group.by) == {"vendor"}}
    assert recall == {"X": 1.0, "Y": 0.0, UNKNOWN: 0.0}
    crossed = [group.by for group in scores.groups if set(group.by) == {"center", "vendor"}]
    assert crossed == [
        {"center": "A", "vendor": "X"},
        {"center": "B", "vendor": "Y"},
        {"center": "B", "vendor": UNKNOWN},
    ]


def test_an_unknown_attribute_is_refused(draw: Draw) -> None:
    with pytest.raises(InputError, match=r"by=site: no study has the attribute 'site'.*\['age'\]"):
        scored(draw().study([0.0], attributes={"age": 3}), by=("site",))
    with pytest.raises(InputError, match="strata=grade: no lesion has the attribute 'grade'"):
        scored(draw().study([0.0]), strata=("grade",))


def test_values_become_names() -> None:
    assert label(["b", None, "a", "b"]).names == ("a", "b", UNKNOWN)
    assert label([3, 1.5, 3]).names == ("1.5", "3")
    assert label([True, False]).names == ("False", "True")
    terciles = label([*range(9)])
    assert terciles.names == ("≤ 2.67", "2.67–5.33", "> 5.33")
    assert terciles.code.tolist() == [0, 0, 0, 1, 1, 1, 2, 2, 2]


def test_bins_are_closed_above() -> None:
    labels = binned(np.array([1.0, 2.0, 2.1, np.nan]), (2.0,), " mm")
    assert labels.names == ("≤ 2 mm", "> 2 mm", UNKNOWN)
    assert labels.code.tolist() == [0, 0, 1, 2]
    assert binned(np.array([1.0, 5.0]), ()).names == ("all",)


def test_kinds_of_lesions_share_thresholds_and_false_positives(draw: Draw) -> None:
    small, large = {"center": [0, 0, 0], "size": [5, 5, 5]}, {"center": [40, 0, 0], "size": [20, 20, 20]}
    drawn = draw().study(
        [{"box": small, "level": "L4/L5"}, {"box": large, "level": "L1/L2"}],
        [{"box": large, "score": 0.9}, (80.0, 0.8), {"box": small, "score": 0.7}],
    )
    group = scored(drawn, threshold=0.75, size_edges=(10.0,)).group()
    by = {next(iter(one.by.items())): one for one in group.strata}
    assert list(by) == [("size", "≤ 10 mm"), ("size", "> 10 mm"), ("level", "L1/L2"), ("level", "L4/L5")]
    assert (by["size", "≤ 10 mm"].tp, by["size", "≤ 10 mm"].recall.value) == (0, 0.0)
    assert (by["size", "> 10 mm"].tp, by["size", "> 10 mm"].recall.value) == (1, 1.0)
    # the small lesion is found only behind the one false positive: at 1 per scan, not at 1/2
    assert [point.sensitivity.value for point in by["level", "L4/L5"].froc] == [0, 0, 0, 1, 1, 1, 1]
    assert [point.sensitivity.value for point in by["level", "L1/L2"].froc] == [1] * 7


def test_levels_of_one_height_are_in_the_order_of_their_names(draw: Draw) -> None:
    levels = ["L5/S1", "L5/L6", "T12/L1"]
    lesions = [
        {"box": {"center": [50.0 * row, 0, 0], "size": [9, 9, 9]}, "level": level} for row, level in enumerate(levels)
    ]
    group = scored(draw().study(lesions, []), strata=("level",), threshold=0.5).group()
    assert [one.by["level"] for one in group.strata] == ["T12/L1", "L5/L6", "L5/S1"]


def test_sides_and_attributes_of_lesions(draw: Draw) -> None:
    sides = [
        {"box": {"center": [x, 0, 0], "size": [9, 9, 9]}, "attributes": {"side": s}}
        for x, s in ((0, "left"), (50, "right"))
    ]
    group = scored(draw().study(sides, [(0.0, 0.9)]), strata=("side",)).group()
    assert [(one.by, one.recall.value) for one in group.strata] == [({"side": "left"}, 1.0), ({"side": "right"}, 0.0)]


def test_strata_add_up_and_ignored_lesions_are_in_none(draw: Draw) -> None:
    rng = np.random.default_rng(5)
    drawn = draw()
    for _ in range(6):
        places = rng.uniform(0, 300, 5)
        lesions = [
            {"box": {"center": [p, 0, 0], "size": [s, 9, 9]}, "ignore": bool(s > 18)}
            for p, s in zip(places, rng.uniform(5, 20, 5), strict=True)
        ]
        drawn.study(lesions, [(p, s) for p, s in zip(places + rng.normal(0, 3, 5), rng.uniform(size=5), strict=True)])
    group = scored(drawn, threshold=0.4).group()
    assert sum(one.lesions for one in group.strata) == group.n.lesions
    assert sum(one.tp for one in group.strata) == group.tp
    assert group.n.ignored_lesions > 0
