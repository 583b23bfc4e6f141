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
