"""Noise, blur, motion, gamma and shading that a detector cannot work with are found doubtful; usual scans are not."""

from __future__ import annotations

import os
import zlib
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from spinedet.core.anatomy import Plane, Region
from spinedet.core.geometry import Grid
from spinedet.datasets.midslices import MidslicesConfig, open_midslices
from spinedet.imaging.degradations import degrade
from spinedet.imaging.input_checks import DeclaredMetadata, check_input
from spinedet.imaging.planes import SPECS, orient
from spinedet.imaging.quality import measure_quality
from spinedet.imaging.quality_checks import QUESTIONS, check_quality
from spinedet.imaging.settings import EligibilityLimits
from spinedet.imaging.suitability import InputCheck, Suitability
from spinedet.imaging.volume import Volume, read_volume
from spinedet.simulation.anatomy.lumbar_patient import draw_lumbar
from spinedet.simulation.centers import CENTERS
from spinedet.simulation.scanner.acquisition import acquire
from spinedet.simulation.scanner.protocol import Sampling, draw_stacks
from spinedet.simulation.study import random_stream

REAL = os.environ.get("SPINEDET_REAL_DATA")
needs_real_data = pytest.mark.skipif(REAL is None, reason="SPINEDET_REAL_DATA does not say where real scans are")
SAGITTAL = SPECS[Plane.SAGITTAL]
# Strengths at which detectors of real patients fell below a rule that sees no image, and who has to notice.
BROKEN = {
    ("noise", 0.8): "noise",
    ("blur", 6.0): "sharpness",
    ("spacing", 18.0): "sharpness",
    ("motion", 8.0): "motion",
    ("contrast", 5.0): "grey values",
}
SHADED = ("bias_field", 2.0)


def degraded(volume: Volume, step: tuple[str, float], seed: str = "") -> Volume:
    return degrade(volume, SAGITTAL, *step, np.random.default_rng(zlib.crc32(f"{seed} {step}".encode())))


def doubts(volume: Volume) -> dict[str, str]:
    """The reasons of what is doubtful."""
    found = check_quality(volume, SAGITTAL, EligibilityLimits())
    return {one.question: one.reason for one in found if one.suitability is not Suitability.OK}


@cache
def phantoms() -> tuple[Volume, ...]:
    """The stacks of a lumbar phantom, sagittal and axial, fine enough to blur."""
    center = CENTERS["A"]
    body, visit, noise, _ = random_stream(3, center.name, 0).spawn(4)
    scene = draw_lumbar(center.wear, body)
    stacks = draw_stacks(center, scene.spine, Sampling(coarseness=1, coarsest=1.0, positions=1), visit)
    return tuple(Volume(acquire(scene, one.grid, one.scan, noise).astype(np.float32), one.grid) for one in stacks[:2])


def test_a_phantom_is_ok_in_every_respect() -> None:
    for volume, plane in zip(phantoms(), (Plane.SAGITTAL, Plane.AXIAL), strict=True):
        found = list(check_quality(volume, SPECS[plane], EligibilityLimits()))
        assert tuple(one.question for one in found) == QUESTIONS
        assert [one for one in found if one.suitability is not Suitability.OK] == []


@pytest.mark.parametrize(("step", "question"), BROKEN.items())
def test_a_broken_phantom_is_doubtful_and_the_reason_names_a_remedy(step: tuple[str, float], question: str) -> None:
    reason = doubts(degraded(phantoms()[0], step))[question]
    assert any(remedy in reason for remedy in ("use ", "repeat ", "export "))


def test_brightness_that_changes_along_the_spine_is_doubtful_and_from_back_to_front_is_not() -> None:
    oriented = orient(phantoms()[0], SAGITTAL)
    for axis, questions in ((1, {"shading"}), (2, set())):
        waves = np.exp(1.5 * np.sin(np.linspace(0, 2 * np.pi, oriented.array.shape[axis])))
        gain = waves[:, None] if axis == 1 else np.linspace(1, 4, oriented.array.shape[2])
        found = doubts(replace(oriented, array=(oriented.array * gain).astype(np.float32)))
        assert set(found) == questions
        assert all("N4" in reason for reason in found.values())


def test_motion_from_front_to_back_is_doubtful_too() -> None:
    oriented = orient(phantoms()[0], SAGITTAL)
    turned = replace(oriented, array=np.ascontiguousarray(oriented.array.swapaxes(1, 2)))
    moved = degraded(replace(turned, grid=Grid(turned.array.shape, oriented.grid.affine)), ("motion", 8.0))
    back = replace(oriented, array=np.ascontiguousarray(moved.array.swapaxes(1, 2)))
    assert "motion" in doubts(back)


def test_noise_is_measured_as_it_is_whatever_the_pixels() -> None:
    rng = np.random.default_rng(0)
    for millimetres, averaged in ((1.0, 1), (0.5, 2)):
        shape = (3, int(200 / millimetres), int(160 / millimetres))
        tissue = np.kron(rng.uniform(0.5, 1.0, (3, 10, 8)), np.ones((1, shape[1] // 10, shape[2] // 8)))
        noisy = (tissue + rng.normal(0, 0.05 * averaged, tissue.shape)).astype(np.float32)
        affine = np.array([[4.0, 0, 0, 0], [0, 0, -millimetres, 0], [0, -millimetres, 0, 0], [0, 0, 0, 1.0]])
        measured = measure_quality(Volume(noisy, Grid(shape, affine)), SAGITTAL)
        assert measured is not None
        contrast = np.diff(np.percentile(tissue, (10, 90)))[0]
        assert measured.noise == pytest.approx(0.05 * 2 / 3 / 1.6 / contrast, rel=0.2)


def test_noise_and_blur_are_not_called_motion() -> None:
    assert set(doubts(degraded(phantoms()[0], ("noise", 0.8)))) == {"noise"}
    assert set(doubts(degraded(phantoms()[0], ("blur", 6.0)))) == {"sharpness"}


@pytest.mark.parametrize(
    "array", [np.zeros((3, 100, 80)), np.ones((3, 4, 4)), np.ones((3, 200, 3)), np.ones((1, 1, 1))]
)
def test_an_image_without_enough_tissue_is_not_measured(array: np.ndarray) -> None:
    affine = np.diag([4.0, 1.5, 1.5, 1.0])[[0, 2, 1, 3]]
    volume = Volume(array.astype(np.float32), Grid((array.shape[0], array.shape[1], array.shape[2]), affine))
    checks = check_quality(volume, SAGITTAL, EligibilityLimits())
    assert {(one.suitability, one.reason) for one in checks} == {(Suitability.OK, "not measured: too little tissue")}


def test_limits_are_settings_and_the_checks_are_among_those_of_the_input() -> None:
    limits = EligibilityLimits(noise=0.0)
    declared = DeclaredMetadata("T2", None, "tags")
    checks = check_input(phantoms()[0], Plane.SAGITTAL, declared, Region.LUMBAR, limits)
    found = {one.question: one for one in checks}
    assert set(QUESTIONS) < set(found)
    assert isinstance(found["noise"], InputCheck)
    assert found["noise"].suitability is Suitability.DOUBTFUL


@cache
def real_slices(folder: Path) -> tuple[Volume, ...]:
    dataset = open_midslices(Path(str(REAL)) / "midslices", folder, MidslicesConfig())
    return tuple(read_volume(case.read().study.series[0].path) for case in dataset.cases)


@needs_real_data
def test_real_scans_as_they_are_are_hardly_ever_doubtful(tmp_path_factory: pytest.TempPathFactory) -> None:
    slabs = [read_volume(file) for file in sorted((Path(str(REAL)) / "spider" / "images").glob("*.mha"))]
    scans = [*slabs, *real_slices(tmp_path_factory.getbasetemp() / "slices")]
    assert len(scans) == 160
    assert sum(bool(doubts(one)) for one in scans) <= 3


@needs_real_data
@pytest.mark.parametrize("step", [*BROKEN, SHADED])
def test_real_scans_that_are_broken_are_doubtful(
    step: tuple[str, float], tmp_path_factory: pytest.TempPathFactory
) -> None:
    scans = real_slices(tmp_path_factory.getbasetemp() / "slices")[::5]
    found = sum(bool(doubts(degraded(one, step, str(number)))) for number, one in enumerate(scans))
    assert found >= (0.65 if step == SHADED else 0.95) * len(scans)
