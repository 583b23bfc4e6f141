"""Names of levels on hits: counted beside the matching, never in it."""

from __future__ import annotations

from pathlib import Path

import pytest

from spinedet.core.anatomy import Plane, Region
from spinedet.core.types import Box, Finding, Findings, Lesion, Manifest, Series, Study, StudyFindings
from spinedet.scoring import ScoreSettings, score
from spinedet.scoring.statistics.bootstrap import BootstrapSettings
from spinedet.scoring.statistics.exact import exact_interval

SETTINGS = ScoreSettings(threshold=0.5, bootstrap=BootstrapSettings(samples=0))


def box(height: float) -> Box:
    return Box(center=(0.0, 0.0, height), size=(10.0, 10.0, 10.0))


def reference(patients: int, levels: tuple[str | None, ...]) -> Manifest:
    studies = []
    for number in range(patients):
        lesions = tuple(
            Lesion(id=str(row), series="sag", category="disc", level=level, box=box(30.0 * row))
            for row, level in enumerate(levels)
        )
        series = Series(id="sag", plane=Plane.SAGITTAL, path=Path("x.nii.gz"))
        studies.append(Study(id=f"s{number}", patient=f"p{number}", center="A", series=(series,), lesions=lesions))
    return Manifest(name="toy", region=Region.LUMBAR, categories=("disc",), studies=tuple(studies))


def findings(*named: tuple[str | None, ...], score: float = 0.9) -> Findings:
    """The levels that each study's findings name, from below."""
    studies = []
    for number, levels in enumerate(named):
        found = tuple(
            Finding(series="sag", category="disc", score=score, level=level, box=box(30.0 * row))
            for row, level in enumerate(levels)
        )
        studies.append(StudyFindings(id=f"s{number}", findings=found))
    return Findings(model={"name": "toy"}, studies=tuple(studies))


def test_hits_are_right_wrong_or_unresolved_and_patients_wrong_with_one_wrong_name() -> None:
    truth = ("L5/S1", "L4/L5", None)
    found = findings(("L5/S1", "L4/L5", "L3/L4"), ("L4/L5", "L3/L4", None), (None, None, None), ("L5/S1", None, None))
    levels = score(reference(4, truth), found, SETTINGS).group().levels
    assert levels is not None
    assert (levels.right, levels.wrong, levels.unresolved) == (3, 2, 3)
    assert (levels.patients, levels.named, levels.wrong_patients) == (4, 3, 1)
    assert levels.error.value == pytest.approx(1 / 3)
    assert levels.coverage.value == pytest.approx(3 / 4)


def test_names_change_no_match() -> None:
    truth = reference(2, ("L5/S1", "L4/L5"))
    wrong, none = findings(("L1/L2", "T12/L1"), ("L1/L2", None)), findings((None, None), (None, None))
    first, second = score(truth, wrong, SETTINGS).group(), score(truth, none, SETTINGS).group()
    assert (first.tp, first.fp, first.fn) == (second.tp, second.fp, second.fn) == (4, 0, 0)
    assert second.levels is None


def test_below_the_threshold_there_is_no_hit_to_name() -> None:
    levels = score(reference(1, ("L5/S1",)), findings(("L5/S1",), score=0.2), SETTINGS).group().levels
    assert levels is not None
    assert (levels.right, levels.named) == (0, 0)
    assert levels.error.value is None
    assert levels.error.reason == "no named hit"


@pytest.mark.parametrize(
    ("hits", "count", "low", "high"),
    [
        (0, 60, 0.0, 0.0596),
        (0, 12, 0.0, 0.2646),
        (1, 60, 0.0004, 0.0894),
        (17, 18, 0.7271, 0.9986),
        (5, 5, 0.4782, 1.0),
    ],
)
def test_exact_intervals(hits: int, count: int, low: float, high: float) -> None:
    """Against published tables of Clopper and Pearson."""
    assert exact_interval(hits, count) == pytest.approx((low, high), abs=1e-4)


def test_nothing_counted_says_nothing() -> None:
    assert exact_interval(0, 0) == (0.0, 1.0)


# --- risk against coverage ---


def guesses(*rows: tuple[str | None, float | None]) -> Findings:
    """A finding for each study: unresolved, with the level by the likeliest outcome and its posterior."""
    studies = []
    for number, (likeliest, probability) in enumerate(rows):
        naming = {"state": "unresolved", "likeliest": likeliest, "probability": probability}
        one = Finding(series="sag", category="disc", score=0.9, box=box(0.0), naming=naming)
        studies.append(StudyFindings(id=f"s{number}", findings=(one,)))
    return Findings(model={"name": "toy"}, studies=tuple(studies))


def test_risk_over_coverage_by_hand() -> None:
    found = guesses(("L5/S1", 0.6), ("L4/L5", 0.9), ("L5/S1", 0.99), ("L5/S1", 0.8), (None, 0.7))
    levels = score(reference(5, ("L5/S1",)), found, SETTINGS).group().levels
    assert levels is not None
    assert (levels.named, levels.unresolved, levels.patients) == (0, 5, 5)
    assert [(p.threshold, p.named, p.wrong) for p in levels.curve] == [
        (0.99, 1, 0),
        (0.9, 2, 1),
        (0.8, 3, 1),
        (0.6, 4, 1),
    ]
    assert [p.coverage for p in levels.curve] == pytest.approx([0.2, 0.4, 0.6, 0.8])
    assert levels.area.value == pytest.approx((0 + 1 / 2 + 1 / 3 + 1 / 4) / 4)
    assert levels.forced.value == pytest.approx(3 / 5)
    assert (levels.curve[1].error.low, levels.curve[1].error.high) == pytest.approx(exact_interval(1, 2))


def test_equal_posteriors_count_in_random_order() -> None:
    found = guesses(("L5/S1", 0.9), ("L4/L5", 0.9))
    levels = score(reference(2, ("L5/S1",)), found, SETTINGS).group().levels
    assert levels is not None
    assert [(p.named, p.wrong) for p in levels.curve] == [(2, 1)]
    assert levels.area.value == pytest.approx(1 / 2)


def test_without_posteriors_there_is_no_curve_and_it_says_why() -> None:
    levels = score(reference(2, ("L5/S1",)), findings(("L5/S1",), ("L4/L5",)), SETTINGS).group().levels
    assert levels is not None
    assert levels.curve == ()
    assert "no posterior" in str(levels.forced.reason)


def test_a_naming_of_another_detector_is_read_as_absent() -> None:
    naming: dict[str, object] = {"likeliest": "the lowest", "probability": 7}
    one = Finding(series="sag", category="disc", score=0.9, level="L5/S1", box=box(0.0), naming=naming)
    found = Findings(model={"name": "toy"}, studies=(StudyFindings(id="s0", findings=(one,)),))
    levels = score(reference(1, ("L5/S1",)), found, SETTINGS).group().levels
    assert levels is not None
    assert (levels.right, levels.curve) == (1, ())
