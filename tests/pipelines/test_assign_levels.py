"""Levels of whole predictions: by the discs, by hand, across planes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from spinedet.core.anatomy import Plane, Region
from spinedet.core.errors import InputError
from spinedet.core.types import Finding
from spinedet.imaging.volume import Volume
from spinedet.levels.naming import ManualAnchor
from spinedet.pipelines.assign_levels import LevelAssigner, manual_of
from spinedet.pipelines.prediction import SeriesPrediction, StudyPrediction
from tests.levels.spines import image_around, spine_findings


def series(plane: Plane, candidates: list[Finding], min_score: float = 0.01) -> SeriesPrediction:
    image, grid = image_around(spine_findings())
    name = plane.value[:3]
    own = tuple(one.model_copy(update={"series": name, "above_operating_point": True}) for one in candidates)
    volume = Volume(image.astype(np.float32), grid)
    return SeriesPrediction("A-1", name, plane, (Path("x.nii.gz"),), "0", volume, (), own, min_score)


def study(*predictions: SeriesPrediction, **attributes: Any) -> StudyPrediction:
    identity: Any = None  # levels need nothing of the model
    return StudyPrediction("A-1", identity, predictions, {}, attributes)


def point_in_l5() -> tuple[float, float, float]:
    discs = spine_findings()
    r, a, s = np.mean([discs[-2].box.center, discs[-1].box.center], axis=0).tolist()
    return r, a, s


def test_a_point_names_both_planes_and_the_record_says_so() -> None:
    discs = spine_findings()
    assign = LevelAssigner(Region.LUMBAR, None, ManualAnchor("L5", point_in_l5()))
    found = assign(study(series(Plane.SAGITTAL, discs), series(Plane.AXIAL, discs[-2:]))).findings
    named = {(one.series, one.level) for one in found.findings}
    assert {("sag", "L5/S1"), ("sag", "T12/L1"), ("axi", "L4/L5"), ("axi", "L5/S1")} <= named
    assert found.naming is not None
    naming: Any = found.naming["sag"]
    assert naming["state"] == "manual"
    assert naming["assumes"] == "five lumbar vertebrae"
    assert {one.level for one in found.fused or ()} >= {"L5/S1"}


def test_the_studys_own_point_comes_first() -> None:
    r, a, s = point_in_l5()
    assign = LevelAssigner(Region.LUMBAR, None, ManualAnchor("L5", (r, a, s + 34)))
    discs = spine_findings()
    found = assign(study(series(Plane.SAGITTAL, discs), l5=[r, a, s])).findings.findings
    assert [one.level for one in found][-1] == "L5/S1"


def test_names_do_not_depend_on_the_least_score() -> None:
    discs = [one.model_copy(update={"score": 0.05 * (number + 1)}) for number, one in enumerate(spine_findings())]
    assign = LevelAssigner(Region.LUMBAR, None, ManualAnchor("L5", point_in_l5()))
    every = assign(study(series(Plane.SAGITTAL, discs))).findings.findings
    some = assign(study(series(Plane.SAGITTAL, discs, min_score=0.2))).findings.findings
    assert len(some) < len(every)
    assert {(f.box.center, f.level, f.ordinal) for f in some} < {(f.box.center, f.level, f.ordinal) for f in every}


def test_a_point_in_none_of_the_series_is_refused() -> None:
    assign = LevelAssigner(Region.LUMBAR, None, ManualAnchor("L5", (0.0, 0.0, 9000.0)))
    with pytest.raises(InputError, match="lies outside of sag"):
        assign(study(series(Plane.SAGITTAL, spine_findings())))


def test_an_axial_study_is_unresolved() -> None:
    found = LevelAssigner(Region.LUMBAR, None)(study(series(Plane.AXIAL, spine_findings()))).findings
    assert {one.level for one in found.findings} == {None}
    assert found.naming == {}


@pytest.mark.parametrize("told", ["1.5,-32,110", "[1.5, -32, 110]", [1.5, -32, 110]])
def test_a_point_is_text_or_a_list(told: Any) -> None:
    found = manual_of({"l5": told}, "x")
    assert found == ManualAnchor("L5", (1.5, -32.0, 110.0))
    assert manual_of({"l5": None, "other": 3}, "x") is None


@pytest.mark.parametrize("told", ["1,2", "a,b,c", [1, 2, 3, 4], [1, None, 3], "1,2,nan", 7, True])
def test_what_is_no_point_is_refused(told: Any) -> None:
    with pytest.raises(InputError, match=r"study 'A', attributes: c2=.*R, A and S in mm"):
        manual_of({"c2": told}, "study 'A', attributes")


def test_two_vertebrae_are_refused() -> None:
    with pytest.raises(InputError, match="l5 and c2 are both set"):
        manual_of({"l5": "1,2,3", "c2": "1,2,3"}, "x")


def test_findings_stay_where_they_are() -> None:
    discs = spine_findings()
    before = study(series(Plane.SAGITTAL, discs))
    after = LevelAssigner(Region.LUMBAR, None)(before)
    bare = [f.model_copy(update={"level": None, "ordinal": None, "naming": None}) for f in after.findings.findings]
    assert bare == list(before.findings.findings)
