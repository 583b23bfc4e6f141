"""The operating point: chosen by a stated rule, written, and never chosen again."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from spinedet.core.errors import InputError
from spinedet.scoring import IouCriterion, choose_operating_point, max_f1, read_operating_point, write_operating_point
from spinedet.scoring.operating_point import Rule, study_hash

Draw = Callable[..., Any]


@pytest.fixture
def tuned(draw: Draw) -> Any:
    """Two scans, three lesions: hit .9, false .8, hit .7, false .6, false .5, hit .4."""
    drawn = draw().study([0.0, 100.0], [(0.0, 0.9), (50.0, 0.8), (100.0, 0.7)])
    return drawn.study([0.0], [(50.0, 0.6), (60.0, 0.5), (0.0, 0.4)])


@pytest.mark.parametrize(
    ("rule", "value"),
    [
        ("max_f1", 0.7),  # F1 is 4/6 at .7 and 6/9 at .4: of the equal two the higher threshold
        ("plateau_f1", 0.65),  # from .7 down to .6, where it falls to 4/7
        ("fp_per_scan<=0.5", 0.7),
        ("fp_per_scan<=0", 0.9),
        ("fp_per_scan <= 8", 0.4),
        ("sensitivity>=0.3", 0.9),
        ("sensitivity>=0.6667", 0.4),
        ("sensitivity>=1", 0.4),
    ],
)
def test_rules(tuned: Any, rule: str, value: float) -> None:
    point = choose_operating_point(tuned.manifest, tuned.found, IouCriterion(), rule)
    (threshold,) = point.thresholds
    assert (threshold.plane, threshold.category) == ("sagittal", "lesion")
    assert (threshold.value, threshold.reason) == (pytest.approx(value), None)


def test_the_middle_of_a_plateau_is_taken(draw: Draw) -> None:
    # F1: ..., 98/99 at .52, 100/100 at .51, 100/101 at .4, 100/102 at .3, 100/103 at .2, 100/104 at .1.
    hits = [(100.0 * place, 1 - place / 100) for place in range(50)]
    false = [(100.0 * place + 50, 0.4 - place / 10) for place in range(4)]
    drawn = draw().study([place for place, _ in hits], hits + false)
    (middle,) = choose_operating_point(drawn.manifest, drawn.found, IouCriterion()).thresholds
    # Within .02 are .52 (98/99) to .3 (100/102), which holds down to the next score, .2.
    assert middle.value == pytest.approx((0.52 + 0.2) / 2)
    assert middle.f1 == pytest.approx(100 / 101)


def test_what_the_threshold_gave_stands_beside_it(tuned: Any) -> None:
    (threshold,) = choose_operating_point(tuned.manifest, tuned.found, IouCriterion()).thresholds
    assert threshold.f1 == pytest.approx(4 / 6)
    assert threshold.sensitivity == pytest.approx(2 / 3)
    assert threshold.fp_per_scan == 0.5
    assert (threshold.lesions, threshold.scans) == (3, 2)


def test_a_rate_that_no_threshold_keeps_lets_nothing_through(draw: Draw) -> None:
    drawn = draw().study([0.0], [(50.0, 0.9), (0.0, 0.8)])
    (threshold,) = choose_operating_point(drawn.manifest, drawn.found, IouCriterion(), "fp_per_scan<=0.5").thresholds
    assert threshold.value > 0.9
    assert threshold.reason == "even the highest score gives more false positives"


def test_a_sensitivity_out_of_reach_takes_all_findings(draw: Draw) -> None:
    drawn = draw().study([0.0, 100.0], [(0.0, 0.9), (50.0, 0.2)])
    (threshold,) = choose_operating_point(drawn.manifest, drawn.found, IouCriterion(), "sensitivity>=0.9").thresholds
    assert (threshold.value, threshold.reason) == (0.2, "all findings together reach a sensitivity of 0.500")


@pytest.mark.parametrize(
    ("lesions", "findings", "reason"),
    [
        ([0.0], [], "the tuning data hold no finding here"),
        ([], [(0.0, 0.9)], "the tuning data hold no lesion here"),
        ([0.0], [(50.0, 0.9)], "no finding hits a lesion of the tuning data here"),
    ],
)
def test_data_that_cannot_say_fall_back_with_a_reason(
    draw: Draw, lesions: list[float], findings: list[tuple[float, float]], reason: str
) -> None:
    drawn = draw().study(lesions, findings)
    (threshold,) = choose_operating_point(drawn.manifest, drawn.found, IouCriterion()).thresholds
    assert (threshold.value, threshold.reason) == (0.5, reason)


@pytest.mark.parametrize(
    "rule",
    [
        "f1",
        "max_f1<=2",
        "plateau_f1<=2",
        "fp_per_scan<=",
        "fp_per_scan>=1",
        "sensitivity>=1.5",
        "fp_per_scan<=-1",
        "sensitivity>=.e",
    ],
)
def test_refused_rules(rule: str) -> None:
    with pytest.raises(InputError, match="use max_f1"):
        Rule.parse(rule)


def test_a_rule_survives_writing() -> None:
    for text in ("max_f1", "plateau_f1", "fp_per_scan<=0.5", "sensitivity>=0.9"):
        assert str(Rule.parse(text)) == text


def test_the_file_and_its_hash(tuned: Any, tmp_path: Path) -> None:
    point = choose_operating_point(tuned.manifest, tuned.found, IouCriterion())
    write_operating_point(tmp_path / "operating_point.json", point)
    assert read_operating_point(tmp_path / "operating_point.json") == point
    assert point.sha256 == hashlib.sha256((tmp_path / "operating_point.json").read_bytes()).hexdigest()


def test_two_thresholds_for_one_place_are_refused(tuned: Any, tmp_path: Path) -> None:
    point = choose_operating_point(tuned.manifest, tuned.found, IouCriterion())
    path = tmp_path / "operating_point.json"
    write_operating_point(path, point)
    content = json.loads(path.read_text())
    content["thresholds"].append({**content["thresholds"][0], "value": 0.9})
    path.write_text(json.dumps(content))
    with pytest.raises(InputError, match=r"2 thresholds for .* in the .* plane; keep one"):
        read_operating_point(path)


def test_it_tells_whether_a_study_was_used_without_naming_any(tuned: Any, tmp_path: Path) -> None:
    point = choose_operating_point(tuned.manifest, tuned.found, IouCriterion())
    assert point.chosen_on.holds("s0")
    assert not point.chosen_on.holds("s2")
    assert study_hash("s0") in point.chosen_on.study_hashes
    write_operating_point(tmp_path / "point.json", point)
    assert '"s0"' not in (tmp_path / "point.json").read_text()


def test_other_data_have_another_hash(draw: Draw) -> None:
    first = draw().study([0.0], [(0.0, 0.9)])
    second = draw().study([0.0], [(0.0, 0.8)])
    hashes = {
        choose_operating_point(d.manifest, d.found, IouCriterion()).chosen_on.data_sha256 for d in (first, second)
    }
    assert len(hashes) == 2


def test_each_plane_and_category_has_its_own(draw: Draw) -> None:
    series = [
        {"id": "sag", "plane": "sagittal", "path": "/a"},
        {"id": "ax", "plane": "axial", "path": "/b"},
    ]
    box = {"center": [0, 0, 0], "size": [10, 10, 10]}
    drawn = draw(categories=("a", "b")).study(
        [{"box": box}, {"box": box, "series": "ax", "category": "b"}],
        [{"box": box, "score": 0.7}, {"box": box, "series": "ax", "category": "b", "score": 0.3}],
        series=series,
    )
    point = choose_operating_point(drawn.manifest, drawn.found, IouCriterion())
    assert dict(point.values) == {
        ("sagittal", "a"): 0.7,
        ("sagittal", "b"): 0.5,
        ("axial", "a"): 0.5,
        ("axial", "b"): 0.3,
    }


def test_the_watched_number_pools_categories(tuned: Any) -> None:
    best = max_f1(tuned.manifest, tuned.found, IouCriterion())
    assert list(best) == ["sagittal"]
    assert best["sagittal"].f1 == pytest.approx(4 / 6)
    assert best["sagittal"].value == 0.7
