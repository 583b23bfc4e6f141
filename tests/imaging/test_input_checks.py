"""What is fit to be read, what is doubtful and what is refused, each with its reason."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from spinedet.core.anatomy import Plane, Region
from spinedet.core.geometry import Grid
from spinedet.imaging.dicom import Block
from spinedet.imaging.dicom.records import Acquisition, PixelMatrix, Slice
from spinedet.imaging.input_checks import (
    DeclaredMetadata,
    check_input,
    declared_in_dicom,
    declared_in_name,
    largest_void_ml,
)
from spinedet.imaging.planes import plane_of
from spinedet.imaging.settings import EligibilityLimits
from spinedet.imaging.suitability import InputCheck, Suitability, overall_suitability
from spinedet.imaging.volume import Volume, read_volume

REAL = os.environ.get("SPINEDET_REAL_DATA")
needs_real_data = pytest.mark.skipif(REAL is None, reason="SPINEDET_REAL_DATA does not say where real scans are")
T2 = DeclaredMetadata("T2", None, "tags")


def body(shape: tuple[int, int, int] = (12, 150, 120), spacing: tuple[float, ...] = (4.0, 1.5, 1.5)) -> Volume:
    """A sagittal slab (R, S, A) of patches of tissue, about 15 mm large, with some noise and with air around it."""
    rng = np.random.default_rng(0)
    patches = rng.uniform(300, 600, [-(-length // 10) for length in shape[1:]])
    tissue = np.kron(patches, np.ones((10, 10)))[: shape[1], : shape[2]]
    array = (tissue + rng.uniform(-15, 15, shape)).astype(np.float32)
    array[:, :, :5] = array[:, :, -5:] = 0
    affine = np.array([[spacing[0], 0, 0, 0], [0, 0, spacing[2], 0], [0, spacing[1], 0, 0], [0, 0, 0, 1.0]])
    return Volume(array, Grid(shape, affine))


def answers(volume: Volume, declared: DeclaredMetadata = T2, region: Region = Region.LUMBAR) -> dict[str, InputCheck]:
    checks = check_input(volume, Plane.SAGITTAL, declared, region, EligibilityLimits())
    return {one.question: one for one in checks}


def test_a_usual_t2_series_is_ok() -> None:
    checks = answers(body())
    assert {one.suitability for one in checks.values()} == {Suitability.OK}
    assert checks["coverage"].reason == "225 mm from head to foot, 12 slices"
    assert checks["spacing"].reason == "pixels of 1.50 mm, slices 4.0 mm apart"


@pytest.mark.parametrize(
    ("declared", "suitability", "reason"),
    [
        (DeclaredMetadata("T1", None, "tags"), Suitability.DOUBTFUL, "T1 by its tags"),
        (DeclaredMetadata(), Suitability.DOUBTFUL, "not declared T2"),
        (declared_in_name("case_t2star_axial"), Suitability.DOUBTFUL, r"T2\* by its file name"),
        (declared_in_name("C002_T2TSE"), Suitability.OK, "T2 by its file name"),
        (declared_in_name("pat10-b"), Suitability.DOUBTFUL, "not declared T2"),
    ],
)
def test_weighting_is_what_is_said_of_it(declared: DeclaredMetadata, suitability: Suitability, reason: str) -> None:
    checks = answers(body(), declared)["weighting"]
    assert checks.suitability is suitability
    assert reason.replace("\\", "") in checks.reason


def test_values_below_zero_are_refused() -> None:
    volume = body()
    shifted = Volume(np.where(volume.array == 0, np.float32(-1000), volume.array), volume.grid)
    assert answers(shifted)["weighting"].suitability is Suitability.REJECTED


def test_another_region_is_doubtful() -> None:
    declared = declared_in_name("T2_cervical")
    assert answers(body(), declared)["region"].suitability is Suitability.DOUBTFUL
    assert answers(body(), declared, Region.CERVICAL)["region"].suitability is Suitability.OK


@pytest.mark.parametrize(
    ("shape", "spacing", "question", "suitability"),
    [
        ((12, 60, 120), (4.0, 1.5, 1.5), "coverage", Suitability.DOUBTFUL),
        ((12, 30, 120), (4.0, 1.5, 1.5), "coverage", Suitability.REJECTED),
        ((2, 150, 120), (4.0, 1.5, 1.5), "coverage", Suitability.DOUBTFUL),
        ((12, 150, 120), (7.0, 1.5, 1.5), "spacing", Suitability.DOUBTFUL),
        ((12, 150, 120), (13.0, 1.5, 1.5), "spacing", Suitability.REJECTED),
        ((12, 100, 80), (4.0, 2.0, 2.0), "spacing", Suitability.DOUBTFUL),
    ],
)
def test_geometry_beyond_the_limits(
    shape: tuple[int, int, int], spacing: tuple[float, ...], question: str, suitability: Suitability
) -> None:
    checks = check_input(body(shape, spacing), Plane.SAGITTAL, T2, Region.LUMBAR, EligibilityLimits())
    assert {one.question: one.suitability for one in checks if one.suitability is not Suitability.OK} == {
        question: suitability
    }
    assert overall_suitability(checks) is suitability


@pytest.mark.parametrize(
    ("empty", "suitability"), [(2, Suitability.OK), (4, Suitability.DOUBTFUL), (10, Suitability.REJECTED)]
)
def test_empty_slices_are_told(empty: int, suitability: Suitability) -> None:
    volume = body()
    volume.array[:empty] = 0
    coverage = answers(volume)["coverage"]
    assert coverage.suitability is suitability
    assert coverage.reason.endswith(f"12 slices, {empty} of them empty")


def test_a_void_in_the_back_is_doubtful_and_air_around_the_patient_is_none() -> None:
    volume = body()
    assert largest_void_ml(volume, Plane.SAGITTAL) == 0
    array = volume.array.copy()
    array[2:10, 55:95, 15:45] = 0  # 32 x 60 x 45 mm: 86 ml, in the back, as the array runs from back to front
    operated = Volume(array, volume.grid)
    assert 60 < largest_void_ml(operated, Plane.SAGITTAL) < 90
    assert answers(operated)["signal void"].suitability is Suitability.DOUBTFUL


def test_tags_speak_for_a_dicom_stack() -> None:
    matrix = PixelMatrix((4, 4), (1.0, 1.0), (1.0, 0, 0, 0, 1.0, 0), 1, "MONOCHROME2")
    made = Acquisition(echo_time=100.0, repetition_time=3000.0, words=frozenset({"cervical", "T1"}))
    block = Block("series-1", (Slice("a", 0, matrix, made, (0.0, 0.0, 0.0)),))
    assert declared_in_dicom(block) == DeclaredMetadata("T2", Region.CERVICAL, "tags")


@needs_real_data
def test_real_scans_come_out_sensibly() -> None:
    suitabilities = {}
    for file in sorted((Path(str(REAL)) / "scans").rglob("*.nii.gz")):
        if "labels" not in file.name:
            volume, name = read_volume(file), file.name.removesuffix(".nii.gz")
            region = Region.CERVICAL if "cervic" in name else Region.LUMBAR
            checks = check_input(volume, plane_of(volume.grid), declared_in_name(name), region, EligibilityLimits())
            suitabilities[file.parent.name, name] = overall_suitability(checks)
    assert all(suitability is Suitability.OK for (part, _), suitability in suitabilities.items() if part == "lumbar")
    assert suitabilities["cervical", "t2_sagittal_cervicothoracic"] is Suitability.OK
    assert suitabilities["cervical", "t2_axial_cervical"] is Suitability.DOUBTFUL, "slices 7.5 mm apart"
    assert suitabilities["other", "ct_lumbar_crop"] is Suitability.REJECTED
    assert all(suitability is not Suitability.OK for (part, _), suitability in suitabilities.items() if part == "other")
