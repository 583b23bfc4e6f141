"""T2 is distinguished from T1, fat suppression and masks, and is not rejected."""

from __future__ import annotations

import csv
import os
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from spinedet.core.anatomy import Plane, Region
from spinedet.core.geometry import Grid
from spinedet.imaging.contrast import FEATURES, contrast_features, mask_labels, measure_contrast
from spinedet.imaging.input_checks import LOOKS_FAT_SUPPRESSED, LOOKS_T2, DeclaredMetadata, check_contrast
from spinedet.imaging.suitability import InputCheck, Suitability
from spinedet.imaging.volume import Volume, read_volume
from spinedet.simulation.anatomy.lumbar_patient import draw_lumbar
from spinedet.simulation.centers import CENTERS
from spinedet.simulation.scanner.acquisition import acquire
from spinedet.simulation.scanner.protocol import Sampling, draw_stacks
from spinedet.simulation.study import random_stream

REAL = os.environ.get("SPINEDET_REAL_DATA")
needs_real_data = pytest.mark.skipif(REAL is None, reason="SPINEDET_REAL_DATA does not say where real scans are")
UNDECLARED = DeclaredMetadata()
T2 = DeclaredMetadata("T2", None, "tags")


def check(volume: Volume, declared: DeclaredMetadata = UNDECLARED) -> InputCheck:
    return check_contrast(volume, Plane.SAGITTAL, declared, Region.LUMBAR)


@cache
def phantom(fat: float) -> Volume:
    """A sagittal lumbar phantom whose fat gives this share of its signal."""
    center = CENTERS["A"]
    body, visit, noise, _ = random_stream(3, center.name, 0).spawn(4)
    scene = draw_lumbar(center.wear, body)
    stack = draw_stacks(center, scene.spine, Sampling(coarseness=2, coarsest=1.2, positions=1), visit)[0]
    sequence = stack.scan.sequence
    if fat < 1:
        sequence = replace(sequence, fat_t2_ms=float(-sequence.te_ms / np.log(fat)))
    image = acquire(scene, stack.grid, replace(stack.scan, sequence=sequence), noise)
    return Volume(image.astype(np.float32), stack.grid)


def test_a_phantom_looks_like_t2_and_without_fat_like_fat_suppression() -> None:
    plain, suppressed = (measure_contrast(phantom(fat), Region.LUMBAR) for fat in (1.0, 0.05))
    assert plain is not None
    assert suppressed is not None
    assert plain.t2 > LOOKS_T2
    assert plain.fat_suppressed < LOOKS_FAT_SUPPRESSED < suppressed.fat_suppressed
    assert check(phantom(1.0)).suitability is Suitability.OK
    doubtful = check(phantom(0.05), T2)
    assert doubtful.suitability is Suitability.DOUBTFUL
    assert "fat looks suppressed" in doubtful.reason


@pytest.mark.parametrize("gain", [0.01, 7.0])
def test_scale_and_stored_order_change_nothing(gain: float) -> None:
    volume = phantom(1.0)
    turned = volume.array.transpose(2, 0, 1)[::-1] * np.float32(gain)
    affine = volume.grid.affine[:, [2, 0, 1, 3]].copy()
    affine[:3, 3] += affine[:3, 0] * (turned.shape[0] - 1)
    affine[:3, 0] *= -1
    other = Volume(np.ascontiguousarray(turned), Grid(turned.shape, affine))
    first, second = (contrast_features(one, Region.LUMBAR) for one in (volume, other))
    assert first is not None
    assert second is not None
    assert first.shape == (5, len(FEATURES))
    assert second == pytest.approx(first, abs=1e-4)


def test_an_image_that_shows_no_spine_is_not_assessed() -> None:
    noise = np.random.default_rng(0).uniform(400, 600, (12, 150, 120)).astype(np.float32)
    affine = np.array([[4.0, 0, 0, 0], [0, 0, 1.5, 0], [0, 1.5, 0, 0], [0, 0, 0, 1]])
    volume = Volume(noise, Grid(noise.shape, affine))
    assert measure_contrast(volume, Region.LUMBAR) is None
    assert check(volume).suitability is Suitability.DOUBTFUL
    small = phantom(1.0)
    part = Volume(small.array[:40], Grid((40, *small.array.shape[1:]), small.grid.affine))
    assert measure_contrast(part, Region.LUMBAR) is None


@pytest.mark.parametrize("factor", [1, 100, 255])
def test_a_mask_is_rejected_whatever_is_declared(factor: int) -> None:
    volume = phantom(1.0)
    labels = np.zeros(volume.array.shape, np.float32)
    for label in range(1, 6):
        labels[20 * label : 20 * label + 15, 30:90, 2:-2] = label * factor
    mask = Volume(labels, volume.grid)
    assert mask_labels(mask) == 5
    rejected = check(mask, T2)
    assert rejected.suitability is Suitability.REJECTED
    assert "5 labels in uniform patches: a segmentation mask" in rejected.reason
    binary = Volume((labels > 0).astype(np.float32), volume.grid)
    assert mask_labels(binary) == 1


def test_a_scan_of_few_grey_values_is_no_mask() -> None:
    volume = phantom(1.0)
    coarse = np.round(volume.array / volume.array.max() * 60).astype(np.float32)
    assert mask_labels(Volume(coarse, volume.grid)) is None


def test_whatever_voxels_are_seen_first_all_are_counted() -> None:
    """Few values on every eighth row and column, and a scan's noise or a mask between them."""
    volume = phantom(1.0)
    scan = volume.array.copy()
    noise = np.random.default_rng(0).normal(size=scan.shape).astype(np.float32)
    scan += 1e-3 * noise
    for axis in range(3):
        np.moveaxis(scan, axis, 0)[::8] = 0
    assert mask_labels(Volume(scan, volume.grid)) is None
    steps = np.arange(volume.array.size, dtype=np.float32).reshape(volume.array.shape)
    assert mask_labels(Volume(steps, volume.grid)) is None


@needs_real_data
def test_real_masks_are_rejected_and_real_scans_are_not() -> None:
    for kind in ("masks", "images"):
        for file in sorted((Path(str(REAL)) / "spider" / kind).glob("*.mha")):
            found = check(read_volume(file), T2).suitability
            assert found is (Suitability.REJECTED if kind == "masks" else Suitability.OK), file.name


def middle_slices(kind: str) -> list[Volume]:
    """SPIDER's middle slices, each three times as a volume of sagittal slices."""
    folder = Path(str(REAL)) / "midslices"
    with (folder / "discs.csv").open(encoding="utf-8") as stream_:
        rows = {row["patient"]: row for row in csv.DictReader(stream_)}
    volumes = []
    for file in sorted((folder / kind).glob("*.png")):
        picture, row = np.asarray(Image.open(file).convert("L"), dtype=np.float32), rows[file.stem]
        down = float(row["mm_per_px_y"]) * int(row["height_px"]) / picture.shape[0]
        along = float(row["mm_per_px_x"]) * int(row["width_px"]) / picture.shape[1]
        affine = np.array([[4.0, 0, 0, 0], [0, 0, -along, 0], [0, -down, 0, 0], [0, 0, 0, 1]])
        volumes.append(Volume(np.stack([picture] * 3), Grid((3, *picture.shape), affine)))
    return volumes


@needs_real_data
def test_real_t2_slices_are_never_rejected_and_t1_slices_never_ok() -> None:
    t2 = [check(volume).suitability for volume in middle_slices("t2")]
    t1 = [check(volume).suitability for volume in middle_slices("t1")]
    assert len(t2) == 142
    assert len(t1) == 54
    assert Suitability.REJECTED not in t2
    assert t2.count(Suitability.OK) >= 130
    assert Suitability.OK not in t1
    assert t1.count(Suitability.REJECTED) >= 46


@needs_real_data
def test_a_t1_that_claims_to_be_t2_is_doubtful() -> None:
    named = [check(volume, T2) for volume in middle_slices("t1")]
    assert sum(one.suitability is Suitability.DOUBTFUL for one in named) >= 52
    assert not any(one.suitability is Suitability.REJECTED for one in named)
    assert named[0].reason == "T2 by its tags; it looks like T1 by its pixels"
