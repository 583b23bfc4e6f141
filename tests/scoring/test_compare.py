"""Two detectors on common resamples; one detector in several places."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from spinedet.core.errors import InputError
from spinedet.core.findings import tabulate
from spinedet.core.types import Findings
from spinedet.scoring import (
    BootstrapSettings,
    Contender,
    ScoreSettings,
    compare,
    read_comparison,
    score,
    write_comparison,
)
from spinedet.scoring.records import Estimate
from spinedet.scoring.statistics.estimates import rising
from spinedet.scoring.statistics.hypothesis_tests import holm, p_value
from spinedet.scoring.statistics.multicenter import _on_logit_scale, random_effects

Draw = Callable[..., Any]
SETTINGS = ScoreSettings(bootstrap=BootstrapSettings(samples=400, method="percentile"))


def test_holm_by_hand() -> None:
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([0.6, 0.9]) == [1.0, 1.0]
    assert holm([]) == []


def test_p_counts_replicates_as_far_from_the_difference_as_zero() -> None:
    assert p_value(2.0, np.array([2.0, 3.9, 4.0, 0.0, -1.0])) == pytest.approx((1 + 3) / 6)
    assert p_value(0.0, np.zeros(9)) == 1.0


def cohort(draw: Draw, miss: float) -> Any:
    """40 patients in two centres; the detector misses lesions with this chance."""
    rng = np.random.default_rng(4)
    drawn = draw()
    for row in range(40):
        found = [(0.0, 0.9)] if rng.uniform() > miss else []
        drawn.study([0.0], [*found, (60.0, round(rng.uniform(0, 0.6), 3))], center="AB"[row % 2])
    return drawn


def test_a_detector_does_not_differ_from_itself(draw: Draw) -> None:
    drawn = cohort(draw, 0.3)
    first, second = (Contender(name, drawn.table, threshold=0.5) for name in "ab")
    for one in compare(drawn.manifest, first, second, SETTINGS).differences:
        if one.difference.value is not None:
            assert (one.difference.value, one.difference.low, one.difference.high, one.p) == (0, 0, 0, 1)


def test_a_better_detector_is_told_apart(draw: Draw, tmp_path: Path) -> None:
    good, poor = cohort(draw, 0.1), cohort(draw, 0.6)
    first, second = Contender("poor", poor.table, threshold=0.5), Contender("good", good.table, threshold=0.5)
    comparison = compare(good.manifest, first, second, SETTINGS)
    recall = {tuple(one.by.values()): one for one in comparison.differences if one.metric == "recall"}
    everything = recall[()]
    assert everything.difference.value == pytest.approx(everything.second - everything.first)
    assert everything.difference.low > 0
    assert (everything.p, everything.p_holm) == (pytest.approx(1 / 401), None)
    cells = [recall["sagittal", "A"], recall["sagittal", "B"]]
    assert [one.p_holm for one in cells] == pytest.approx(holm([one.p for one in cells]))
    write_comparison(tmp_path / "comparison.json", comparison)
    assert read_comparison(tmp_path / "comparison.json") == comparison


def test_the_difference_is_paired(draw: Draw) -> None:
    """The interval of a small difference is much narrower than that of either detector."""
    drawn = cohort(draw, 0.4)
    worse = drawn.found.model_dump(mode="json")
    worse["studies"][0]["findings"] = []
    other = tabulate(Findings.model_validate(worse, strict=False))
    result = compare(drawn.manifest, Contender("a", drawn.table), Contender("b", other), SETTINGS)
    (recall,) = [one for one in result.differences if one.metric == "recall" and not one.by]
    alone = score(drawn.manifest, drawn.found, SETTINGS).group().recall
    assert recall.difference.high - recall.difference.low < (alone.high - alone.low) / 2


def test_other_scans_are_refused(draw: Draw) -> None:
    drawn = cohort(draw, 0.3)
    short = Findings(model={"name": "b"}, studies=drawn.found.studies[:-1])
    settings = ScoreSettings(selection=SETTINGS.selection.__class__(allow_missing=True), bootstrap=SETTINGS.bootstrap)
    with pytest.raises(InputError, match="a and b were not scored on the same scans"):
        compare(drawn.manifest, Contender("a", drawn.table), Contender("b", tabulate(short)), settings)


def test_centres_against_the_internal_one(draw: Draw) -> None:
    rng = np.random.default_rng(2)
    drawn = draw()
    for center, chance in (("home", 0.9), ("far", 0.3), ("near", 0.85)):
        for row in range(30):
            found = [(0.0, 0.9)] if rng.uniform() < chance else []
            drawn.study([0.0], [*found, (60.0, 0.1)], center=center, patient=f"{center}{row}")
    settings = ScoreSettings(threshold=0.5, bootstrap=SETTINGS.bootstrap, internal="home")
    scores = score(drawn.manifest, drawn.found, settings)
    recall = {one.external: one for one in scores.contrasts if one.metric == "recall"}
    assert list(recall) == ["far", "near", "all others"]
    assert recall["far"].difference.high < 0
    assert recall["far"].p_holm < 0.01
    assert recall["near"].p > 0.05
    assert recall["all others"].p_holm is None
    value = {group.by.get("center"): group.recall.value for group in scores.groups}
    assert recall["far"].difference.value == pytest.approx(value["far"] - value["home"])
    (forest,) = [one for one in scores.forests if one.metric == "recall"]
    assert [one.center for one in forest.centers] == ["far", "home", "near"]
    assert forest.i2 > 0.8
    assert forest.p < 0.01
    with pytest.raises(InputError, match="internal=elsewhere: the studies scored come from far, home, near"):
        score(drawn.manifest, drawn.found, ScoreSettings(internal="elsewhere"))


def test_random_effects_by_hand() -> None:
    # equal weights 1/0.01: mean .5, Q = (.1^2 + .1^2) / .01 = 2 on 1 degree, scale 200 - 100 = 100, tau2 = .01
    found = random_effects(np.array([0.4, 0.6]), np.array([0.1, 0.1]), 0.95)
    assert found["pooled"] == pytest.approx(0.5)
    assert (found["q"], found["i2"]) == (pytest.approx(2.0), pytest.approx(0.5))
    assert found["tau"] == pytest.approx(0.1)
    assert found["p"] == pytest.approx(0.1572992, abs=1e-6)
    assert found["high"] - found["pooled"] == pytest.approx(1.959964 * 0.1, abs=1e-6)


def test_centres_that_agree_have_no_heterogeneity() -> None:
    found = random_effects(np.array([0.5, 0.5, 0.5]), np.array([0.1, 0.2, 0.3]), 0.95)
    assert (found["q"], found["i2"], found["tau"], found["p"]) == (0.0, 0.0, 0.0, 1.0)


def test_a_centre_without_variation_stays_in_the_pool(draw: Draw) -> None:
    rng = np.random.default_rng(3)
    drawn = draw()
    for center, chance in (("perfect", 1.0), ("good", 0.9), ("nearly", 0.97)):
        for row in range(20):
            found = [(0.0, 0.9)] if rng.uniform() < chance else []
            drawn.study([0.0], [*found, (60.0, 0.1)], center=center, patient=f"{center}{row}")
    scores = score(drawn.manifest, drawn.found, ScoreSettings(threshold=0.5, bootstrap=SETTINGS.bootstrap))
    (forest,) = [one for one in scores.forests if one.metric == "recall"]
    assert "perfect" in forest.corrected
    assert forest.left_out == ()
    assert 0 < forest.low < forest.pooled < forest.high < 1
    others = [one.estimate.value for one in forest.centers if one.center != "perfect"]
    assert forest.pooled > min(others)


def test_a_perfect_centre_by_hand() -> None:
    numbers = SimpleNamespace(values={"recall": 1.0}, replicates={"recall": np.ones(50)})
    place = _on_logit_scale(numbers, "recall", patients=9)
    # 9.5 of 10: logit ln 19, error of a binomial share 1 / sqrt(10 * .95 * .05)
    assert place.value == pytest.approx(math.log(19))
    assert place.error == pytest.approx((10 * 0.95 * 0.05) ** -0.5)
    assert place.corrected


def test_rounding_is_no_variation() -> None:
    third = np.array([1 / 3, np.nextafter(1 / 3, 1)] * 25)
    numbers = SimpleNamespace(values={"recall": 1 / 3}, replicates={"recall": third})
    place = _on_logit_scale(numbers, "recall", patients=9)
    assert place.corrected
    assert place.error > 0.5


def test_the_limits_of_a_rising_curve_rise() -> None:
    points = [Estimate(value=v, low=a, high=b) for v, a, b in ((0.2, 0.1, 0.5), (0.4, 0.3, 0.45), (0.5, 0.25, 0.7))]
    band = rising(points)
    assert [one.low for one in band] == [0.1, 0.25, 0.25]
    assert [one.high for one in band] == [0.5, 0.5, 0.7]
    assert [one.value for one in band] == [0.2, 0.4, 0.5]
