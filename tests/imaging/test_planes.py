"""Planes are determined by geometry, and arrays come out the same however they were stored."""

import json
import os
from pathlib import Path

import numpy as np
import pytest

from spinedet.core.anatomy import Plane
from spinedet.core.errors import InputError
from spinedet.core.geometry import Grid
from spinedet.imaging.planes import AXIAL, SAGITTAL, SPECS, PlaneSpec, orient, plane_of, slice_axis
from spinedet.imaging.volume import Volume, read_volume

from ..conftest import stored_orders
from .conftest import tilted


def grid_of(axes: np.ndarray, spacing: tuple[float, ...], shape: tuple[int, int, int] = (20, 20, 20)) -> Grid:
    """Axes are unit columns."""
    affine = np.eye(4)
    affine[:3, :3] = axes * spacing
    return Grid(shape, affine)


@pytest.mark.parametrize("spec", SPECS.values(), ids=lambda spec: spec.plane.value)
def test_all_48_stored_orders_give_one_array(lumbar: Volume, spec: PlaneSpec) -> None:
    reference = orient(lumbar, spec)
    stored = list(stored_orders(lumbar))
    assert len({volume.array.tobytes() + volume.array.strides.__repr__().encode() for volume in stored}) > 1
    assert len(stored) == 48
    for volume in stored:
        oriented = orient(volume, spec)
        assert oriented.array.tobytes() == reference.array.tobytes()
        assert np.abs(oriented.grid.affine - reference.grid.affine).max() < 1e-9
        assert plane_of(volume.grid) is Plane.SAGITTAL


def test_sagittal_rows_go_down_and_columns_back(lumbar: Volume) -> None:
    oriented = orient(lumbar, SAGITTAL)
    # Stored R, A, S: slices stay, rows are the third axis reversed, columns the second reversed.
    assert np.array_equal(oriented.array, lumbar.array.transpose(0, 2, 1)[:, ::-1, ::-1])
    assert (oriented.grid.axes * SAGITTAL.directions).sum(axis=1) == pytest.approx([1, 1, 1], abs=0.02)
    first = lumbar.grid.affine @ [0, 23, 29, 1]
    assert oriented.grid.affine[:, 3] == pytest.approx(first)


def test_axial_is_looked_at_from_the_feet(lumbar: Volume) -> None:
    oriented = orient(lumbar, AXIAL)
    # Stored R, A, S: from feet to head, down to the back, and the patient's right at the left.
    assert np.array_equal(oriented.array, lumbar.array.transpose(2, 1, 0)[:, ::-1, ::-1])


def test_every_voxel_stays_where_it_was(lumbar: Volume) -> None:
    oriented = orient(lumbar, AXIAL)
    index = np.array([3, 5, 1])
    world = oriented.grid.affine @ [*index, 1]
    stored = np.linalg.solve(lumbar.grid.affine, world)[:3]
    assert stored == pytest.approx(np.round(stored), abs=1e-6)
    assert oriented.array[tuple(index)] == lumbar.array[tuple(np.round(stored).astype(int))]


@pytest.mark.parametrize(
    ("axes", "spacing", "shape", "plane"),
    [
        (np.eye(3), (4.0, 0.5, 0.5), (15, 512, 512), Plane.SAGITTAL),
        (np.eye(3), (0.5, 0.5, 4.0), (320, 320, 40), Plane.AXIAL),
        (np.eye(3), (0.9, 0.5, 0.45), (14, 512, 640), Plane.SAGITTAL),
        # A short stack of many thin axial slices: spacing decides, not extent.
        (np.eye(3), (0.5, 0.5, 4.0), (100, 100, 200), Plane.AXIAL),
        # Isotropic: the thinnest direction is that of the slices.
        (np.eye(3), (1.0, 1.0, 1.0), (40, 200, 250), Plane.SAGITTAL),
        (np.eye(3), (1.0, 1.0, 1.2), (200, 200, 60), Plane.AXIAL),
        (np.eye(3), (1.0, 1.0, 1.0), (64, 64, 64), Plane.SAGITTAL),
        (tilted(44), (0.5, 0.5, 4.0), (320, 320, 5), Plane.AXIAL),
        (tilted(-44), (0.5, 0.5, 4.0), (320, 320, 5), Plane.AXIAL),
    ],
)
def test_the_plane_is_told_from_geometry(
    axes: np.ndarray, spacing: tuple[float, ...], shape: tuple[int, int, int], plane: Plane
) -> None:
    assert plane_of(grid_of(axes, spacing, shape)) is plane


def test_coronal_slices_are_refused() -> None:
    with pytest.raises(InputError, match=r"coronal.*plane="):
        plane_of(grid_of(np.eye(3), (0.5, 4.0, 0.5)))
    with pytest.raises(InputError, match="coronal"):
        plane_of(grid_of(tilted(46), (0.5, 0.5, 4.0)))


def test_an_axial_block_angled_beyond_45_degrees_keeps_its_slices() -> None:
    grid = grid_of(tilted(50), (0.5, 0.5, 4.0), (6, 7, 3))
    volume = Volume(np.random.default_rng(1).random(grid.shape, dtype=np.float32), grid)
    assert orient(volume, AXIAL).array.shape == (3, 7, 6)


def test_equally_thin_axes_are_told_apart_whatever_the_order() -> None:
    grid = grid_of(np.eye(3), (1.0, 1.0, 1.0), (30, 90, 30))
    volume = Volume(np.zeros(grid.shape, np.float32), grid)
    for stored in stored_orders(volume):
        assert abs(stored.grid.axes[slice_axis(stored.grid), 0]) == 1


def test_specs_name_their_left_right_axis_and_crop() -> None:
    assert (SAGITTAL.left_right_axis, AXIAL.left_right_axis) == (0, 2)
    assert SAGITTAL.crop_shape == (16, 160, 128)
    assert AXIAL.crop_shape == (40, 96, 96)


REAL = os.environ.get("SPINEDET_REAL_DATA")
needs_real_scans = pytest.mark.skipif(REAL is None, reason="set SPINEDET_REAL_DATA to the folder of real scans")


@needs_real_scans
@pytest.mark.parametrize(
    ("pattern", "plane"),
    [
        ("scans/lumbar/*.nii.gz", Plane.SAGITTAL),
        ("scans/cervical/t2_sagittal_cervicothoracic.nii.gz", Plane.SAGITTAL),
        ("scans/cervical/t2_axial_cervical.nii.gz", Plane.AXIAL),
        ("spider/images/1*_t2_SPACE.mha", Plane.SAGITTAL),
    ],
)
def test_planes_of_real_scans(pattern: str, plane: Plane) -> None:
    paths = sorted(Path(str(REAL)).glob(pattern))
    assert paths
    for path in paths:
        assert plane_of(read_volume(path).grid) is plane


def mean_place(labels: Volume, label: float) -> np.ndarray:
    """Mean (slice, row, column) of a label."""
    return np.argwhere(labels.array == label).mean(axis=0)


@needs_real_scans
def test_real_discs_run_down_and_the_canal_lies_behind_them() -> None:
    masks = sorted(Path(str(REAL)).glob("spider/masks/*.mha"))[:3]
    assert masks
    for path in masks:
        labels = orient(read_volume(path), SAGITTAL)
        lowest, higher, canal = (mean_place(labels, label) for label in (201, 204, 100))  # L5/S1, L2/L3, canal
        assert lowest[1] > higher[1] + 50
        assert canal[2] > higher[2] + 10


@needs_real_scans
def test_real_cervical_levels_run_down() -> None:
    labels = orient(read_volume(Path(str(REAL)) / "scans/cervical/t2_sagittal_cervicothoracic_labels.nii.gz"), SAGITTAL)
    levels = np.unique(labels.array)[1:]  # 3 is C3, 11 is T4
    rows = [mean_place(labels, level)[1] for level in levels]
    assert levels.tolist() == [3, 11]
    assert rows == sorted(rows)


@needs_real_scans
def test_real_vertebrae_lie_where_their_readers_saw_them() -> None:
    folder = Path(str(REAL)) / "scans/lumbar"
    published = json.loads((folder / "vertebra_centres.json").read_text())
    cases = [case for case in published.values() if (folder / case["file"]).exists()]
    assert len(cases) == 3
    for case in cases:
        shape = orient(read_volume(folder / case["file"]), SAGITTAL).array.shape
        for place in case["vertebra_centres"].values():
            i, j, k = place["nifti_ijk"]  # stored R, A, S
            assert (i, shape[1] - 1 - k, shape[2] - 1 - j) == (place["slice"], place["row"], place["col"])
        assert case["vertebra_centres"]["L4"]["row"] > case["vertebra_centres"]["L1"]["row"]
