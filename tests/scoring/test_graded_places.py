"""Places with their best finding, and how well scores and grades agree with the reference, counted by hand."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from spinedet.core.anatomy import Plane, Region
from spinedet.core.types import Box, Finding, Findings, FiniteJson, Lesion, Manifest, Negative, Series, Study
from spinedet.core.types import StudyFindings as Told
from spinedet.scoring.metrics.graded_places import area, graded_places

ONCE = np.ones((1, 1))


def box(height: float) -> Box:
    return Box(center=(0.0, 0.0, height), size=(10.0, 10.0, 10.0))


def lesion(height: float, ignore: bool = False, **attributes: FiniteJson) -> Lesion:
    return Lesion(
        id=str(height), series="sag", category="d", box=box(height), ignore=ignore, attributes=dict(attributes)
    )


def negative(height: float, **attributes: FiniteJson) -> Negative:
    return Negative(series="sag", box=box(height), attributes=dict(attributes))


def cohort(lesions: list[Lesion], negatives: list[Negative]) -> Manifest:
    series = (Series(id="sag", plane=Plane.SAGITTAL, path=Path("none.nii.gz")),)
    study = Study(id="s", patient="p", center="A", series=series, lesions=tuple(lesions), negatives=tuple(negatives))
    return Manifest(name="m", region=Region.LUMBAR, categories=("d",), studies=(study,))


def found(*findings: tuple[float, float, dict[str, float] | None]) -> Findings:
    said = tuple(
        Finding(series="sag", category="d", score=score, box=box(height), grades=grades)
        for height, score, grades in findings
    )
    return Findings(model={"planes": ["sagittal"]}, studies=(Told(id="s", findings=said),))


def test_each_place_has_the_best_of_the_findings_that_fit_it_best() -> None:
    manifest = cohort([lesion(0, pfirrmann=4), lesion(60, ignore=True)], [negative(20, pfirrmann=2)])
    places = graded_places(manifest, found((1, 0.4, {"pfirrmann": 3.0}), (0, 0.7, {"pfirrmann": 4.4}), (21, 0.2, None)))
    assert places.lesion.tolist()[:1] == [1.0]
    assert math.isnan(places.lesion[1])
    assert places.score.tolist() == [0.7, 0.0, 0.2]
    assert places.predicted["pfirrmann"][0] == 4.4
    assert np.isnan(places.predicted["pfirrmann"][1:]).all()
    numbers = {name: float(value[0]) for name, value in places.measure(ONCE).items()}
    assert numbers["places found"] == pytest.approx(2 / 3)
    assert numbers["grading auc"] == 1.0
    assert numbers["pfirrmann within one"] == 1.0


def test_lesions_of_one_box_are_one_place() -> None:
    manifest = cohort([lesion(0, ignore=True), lesion(0).model_copy(update={"id": "again"})], [])
    assert graded_places(manifest, found((0, 0.5, None))).lesion.tolist() == [1.0]


def test_area_by_hand() -> None:
    # Positives .9 and .5 against negatives .5 and .1: 1, 1, 1/2, 1 of four pairs; the last weighs twice.
    score, positive = np.array([0.9, 0.5, 0.5, 0.1]), np.array([True, True, False, False])
    assert area(score, positive, np.ones((4, 1)))[0] == pytest.approx(3.5 / 4)
    assert area(score, positive, np.array([[1.0], [1], [1], [2]]))[0] == pytest.approx((1 + 2 + 0.5 + 2) / 6)
    assert math.isnan(area(score[:2], positive[:2], np.ones((2, 1)))[0])
    assert math.isnan(area(np.empty(0), np.empty(0, bool), np.empty((0, 1)))[0])


def test_what_is_present_or_not_is_ranked() -> None:
    manifest = cohort([lesion(0, bulging=1)], [negative(20, bulging=0), negative(40)])
    told = found((0, 0.9, {"bulging": 0.3}), (20, 0.2, {"bulging": 0.6}), (40, 0.2, {"bulging": 0.9}))
    assert graded_places(manifest, told).measure(ONCE)["bulging auc"][0] == 0.0
