"""What is fit to be read, what is doubtful and what is refused, each with its reason."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from spinedet.core.anatomy import Plane, Region
from spinedet.core.geometry import Grid
from spinedet.imaging.dicom import Block
from spinedet.imaging.dicom.records import Acquisition, Sheet, Slice
from spinedet.imaging.input_checks import (
    EligibilityLimits,
    Judgement,
    Said,
    Standing,
    judge,
    largest_void_ml,
    said_by_dicom,
    said_by_name,
    worst,
)
from spinedet.imaging.planes import plane_of
from spinedet.imaging.volume import Volume, read_volume

REAL = os.environ.get("SPINEDET_REAL_DATA")
needs_real_data = pytest.mark.skipif(REAL is None, reason="SPINEDET_REAL_DATA does not say where real scans are")
T2 = Said("T2", None, "tags")


def body(shape: tuple[int, int, int] = (12, 150, 120), spacing: tuple[float, ...] = (4.0, 1.5, 1.5)) -> Volume:
    """A sagittal slab (R, S, A) of noisy tissue with air around it."""
    array = np.random.default_rng(0).uniform(400, 600, shape).astype(np.float32)
    array[:, :, :5] = array[:, :, -5:] = 0
    affine = np.array([[spacing[0], 0, 0, 0], [0, 0, spacing[2], 0], [0, spacing[1], 0, 0], [0, 0, 0, 1.0]])
    return Volume(array, Grid(shape, affine))


def answers(volume: Volume, said: Said = T2, region: Region = Region.LUMBAR) -> dict[str, Judgement]:
    judged = judge(volume, Plane.SAGITTAL, said, region, EligibilityLimits())
    return {one.question: one for one in judged}


def test_a_usual_t2_series_is_ok() -> None:
    judged = answers(body())
    assert {one.standing for one in judged.values()} == {Standing.OK}
    assert judged["coverage"].reason == "225 mm from head to foot, 12 slices"
    assert judged["spacing"].reason == "pixels of 1.50 mm, slices 4.0 mm apart"


@pytest.mark.parametrize(
    ("said", "standing", "reason"),
    [
        (Said("T1", None, "tags"), Standing.DOUBTFUL, "T1 by its tags"),
        (Said(), Standing.DOUBTFUL, "nothing says"),
        (said_by_name("case_t2star_axial"), Standing.DOUBTFUL, r"T2\* by its file name"),
        (said_by_name("C002_T2TSE"), Standing.OK, "T2 by its file name"),
        (said_by_name("pat10-b"), Standing.DOUBTFUL, "nothing says"),
    ],
)
def test_weighting_is_what_is_said_of_it(said: Said, standing: Standing, reason: str) -> None:
    judged = answers(body(), said)["weighting"]
    assert judged.standing is standing
    assert reason.replace("\\", "") in judged.reason


def test_values_below_zero_are_refused() -> None:
    volume = body()
    shifted = Volume(np.where(volume.array == 0, np.float32(-1000), volume.array), volume.grid)
    assert answers(shifted)["weighting"].standing is Standing.REFUSED


def test_another_region_is_doubtful() -> None:
    said = said_by_name("T2_cervical")
    assert answers(body(), said)["region"].standing is Standing.DOUBTFUL
    assert answers(body(), said, Region.CERVICAL)["region"].standing is Standing.OK


@pytest.mark.parametrize(
    ("shape", "spacing", "question", "standing"),
    [
        ((12, 60, 120), (4.0, 1.5, 1.5), "coverage", Standing.DOUBTFUL),
        ((12, 30, 120), (4.0, 1.5, 1.5), "coverage", Standing.REFUSED),
        ((2, 150, 120), (4.0, 1.5, 1.5), "coverage", Standing.DOUBTFUL),
        ((12, 150, 120), (7.0, 1.5, 1.5), "spacing", Standing.DOUBTFUL),
        ((12, 150, 120), (13.0, 1.5, 1.5), "spacing", Standing.REFUSED),
        ((12, 100, 80), (4.0, 2.0, 2.0), "spacing", Standing.DOUBTFUL),
    ],
)
def test_geometry_beyond_the_limits(
    shape: tuple[int, int, int], spacing: tuple[float, ...], question: str, standing: Standing
) -> None:
    judged = judge(body(shape, spacing), Plane.SAGITTAL, T2, Region.LUMBAR, EligibilityLimits())
    assert {one.question: one.standing for one in judged if one.standing is not Standing.OK} == {question: standing}
    assert worst(judged) is standing


def test_a_void_in_the_back_is_doubtful_and_air_around_the_patient_is_none() -> None:
    volume = body()
    assert largest_void_ml(volume, Plane.SAGITTAL) == 0
    array = volume.array.copy()
    array[2:10, 55:95, 15:45] = 0  # 32 x 60 x 45 mm: 86 ml, in the back, as the array runs from back to front
    operated = Volume(array, volume.grid)
    assert 60 < largest_void_ml(operated, Plane.SAGITTAL) < 90
    assert answers(operated)["signal void"].standing is Standing.DOUBTFUL


def test_tags_speak_for_a_dicom_stack() -> None:
    sheet = Sheet((4, 4), (1.0, 1.0), (1.0, 0, 0, 0, 1.0, 0), 1, "MONOCHROME2")
    made = Acquisition(echo_time=100.0, repetition_time=3000.0, words=frozenset({"cervical", "T1"}))
    block = Block("series-1", (Slice("a", 0, 0, sheet, made, (0.0, 0.0, 0.0)),))
    assert said_by_dicom(block) == Said("T2", Region.CERVICAL, "tags")


@needs_real_data
def test_real_scans_come_out_sensibly() -> None:
    standings = {}
    for file in sorted((Path(str(REAL)) / "scans").rglob("*.nii.gz")):
        if "labels" not in file.name:
            volume, name = read_volume(file), file.name.removesuffix(".nii.gz")
            region = Region.CERVICAL if "cervic" in name else Region.LUMBAR
            judged = judge(volume, plane_of(volume.grid), said_by_name(name), region, EligibilityLimits())
            standings[file.parent.name, name] = worst(judged)
    assert all(standing is Standing.OK for (part, _), standing in standings.items() if part == "lumbar")
    assert standings["cervical", "t2_sagittal_cervicothoracic"] is Standing.OK
    assert standings["cervical", "t2_axial_cervical"] is Standing.DOUBTFUL, "slices 7.5 mm apart"
    assert standings["other", "ct_lumbar_crop"] is Standing.REFUSED
    assert all(standing is not Standing.OK for (part, _), standing in standings.items() if part == "other")
