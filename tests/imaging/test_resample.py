"""Resampling keeps things where they are in mm; intensities mean the same on every scanner."""

import numpy as np
import pytest

from spinedet.core.geometry import Grid
from spinedet.imaging.planes import SAGITTAL, orient
from spinedet.imaging.resample import normalise, prepare, resample
from spinedet.imaging.volume import Volume

from ..conftest import stored_orders
from .conftest import tilted


def column(values: list[float], spacing: float, axis: int = 2) -> Volume:
    """A volume that varies along one axis only, its outer corner at the origin."""
    shape = [2, 2, 2]
    shape[axis] = len(values)
    lengths = np.ones(3)
    lengths[axis] = spacing
    affine = np.diag([*lengths, 1.0])
    affine[:3, 3] = lengths / 2
    array = np.broadcast_to(np.moveaxis(np.array(values, np.float32)[:, None, None], 0, axis), shape)
    return Volume(array.copy(), Grid((shape[0], shape[1], shape[2]), affine))


def to_spacing(value: float, axis: int) -> tuple[float, float, float]:
    lengths = [1.0, 1.0, 1.0]
    lengths[axis] = value
    return lengths[0], lengths[1], lengths[2]


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_shrinking_by_two_weighs_a_triangle_on_edges(axis: int) -> None:
    result = resample(column([0, 1, 2, 3], 1.0, axis), to_spacing(2.0, axis))
    # New voxel 0 spans [0, 2], centre 1; the triangle of half width 2 weighs centres .5, 1.5, 2.5 by .75, .75, .25.
    first = (0.75 * 0 + 0.75 * 1 + 0.25 * 2) / 1.75
    assert np.take(result.array, [0, 1], axis).ravel()[[0, -1]].tolist() == pytest.approx([first, 3 - first])
    assert result.grid.corner == pytest.approx([0, 0, 0])
    assert result.grid.spacing[axis] == pytest.approx(2.0)


def test_enlarging_is_linear_between_centres_and_flat_beyond() -> None:
    result = resample(column([0, 4], 2.0), (1.0, 1.0, 1.0))
    assert result.array[0, 0].tolist() == pytest.approx([0, 1, 3, 4])
    assert result.grid.corner == pytest.approx([0, 0, 0])


def test_a_block_that_does_not_divide_keeps_its_centre() -> None:
    result = resample(column(list(range(16)), 3.8), (1.0, 1.0, 4.0))
    # 60.8 mm become 15 slices of 4 mm: 0.4 mm are lost at either end.
    assert result.array.shape == (2, 2, 15)
    assert result.grid.corner == pytest.approx([0, 0, 0.4])
    # A ramp stays the ramp it was, to a few hundredths of a voxel: voxel k has its centre at 2.4 + 4 k mm, where the
    # ramp is (2.4 + 4 k) / 3.8 - .5.
    inner = np.arange(2, 13)
    assert result.array[0, 0, inner] == pytest.approx((2.4 + 4 * inner) / 3.8 - 0.5, abs=0.04)


def test_the_same_spacing_changes_nothing() -> None:
    volume = column([3, 1, 4, 1, 5], 1.5)
    result = resample(volume, (1.0, 1.0, 1.5))
    assert np.array_equal(result.array, volume.array)
    assert result.grid.affine == pytest.approx(volume.grid.affine)


def test_a_tie_in_the_number_of_voxels_does_not_hang_on_rounding() -> None:
    counts = {resample(column([0.0, 1] * 5, 3.0 + noise), (1.0, 1.0, 4.0)).array.shape[2] for noise in (-1e-9, 0, 1e-9)}
    assert counts == {8}


def test_stripes_finer_than_the_new_voxels_vanish() -> None:
    stripes = np.tile([0.0, 1.0], 40).tolist()
    result = resample(column(stripes, 0.4), (1.0, 1.0, 1.6))
    assert result.array[0, 0, 1:-1] == pytest.approx(0.5, abs=0.02)


def test_an_oblique_lesion_stays_in_place() -> None:
    affine = np.eye(4)
    affine[:3, :3] = tilted(25) * [0.6, 0.5, 3.0]
    affine[:3, 3] = [-10.0, 4.0, -7.0]
    volume = Volume(np.zeros((40, 48, 12), np.float32), Grid((40, 48, 12), affine))
    volume.array[10:22, 20:30, 4:8] = 1
    result = resample(volume, (1.1, 1.3, 4.0))
    assert result.grid.axes == pytest.approx(volume.grid.axes)
    assert center_of_mass(result) == pytest.approx(center_of_mass(volume), abs=0.05)
    volumes = [v.array.sum() * np.prod(v.grid.spacing) for v in (volume, result)]
    assert volumes[1] == pytest.approx(volumes[0], rel=0.03)


def center_of_mass(volume: Volume) -> np.ndarray:
    index = np.argwhere(volume.array > 0)
    weights = volume.array[tuple(index.T)]
    return volume.grid.affine[:3, :3] @ np.average(index, axis=0, weights=weights) + volume.grid.affine[:3, 3]


def test_an_axis_thinner_than_one_new_voxel_still_gives_one() -> None:
    assert resample(column([1.0, 3.0], 0.5), (1.0, 1.0, 4.0)).array[0, 0].tolist() == pytest.approx([2.0])


@pytest.fixture
def body() -> np.ndarray:
    """Air, then dark, grey and bright tissue with noise, in units of some scanner."""
    rng = np.random.default_rng(3)
    array = np.abs(rng.normal(0, 4, (12, 60, 60)))
    array[:, 10:, :] = rng.normal(100, 10, (12, 50, 60))
    array[:, 30:40, :] = rng.normal(40, 5, (12, 10, 60))
    array[:, 50:, :] = rng.normal(220, 20, (12, 10, 60))
    return array.astype(np.float32)


def test_body_is_centred_and_scaled(body: np.ndarray) -> None:
    values = normalise(body)
    assert values.dtype == np.float32
    assert abs(values[:, 10:].mean()) < 0.15
    assert values[:, 10:].std() == pytest.approx(1, abs=0.15)
    assert np.abs(values).max() < 6


@pytest.mark.parametrize(("scale", "offset"), [(1000, 0), (1e-3, 0), (1, -1000), (7, 300)])
def test_units_do_not_matter(body: np.ndarray, scale: float, offset: float) -> None:
    assert np.abs(normalise(body * np.float32(scale) + np.float32(offset)) - normalise(body)).max() < 0.01


@pytest.mark.parametrize("padding", [0.0, -50.0])
def test_the_amount_of_background_does_not_matter(body: np.ndarray, padding: float) -> None:
    padded = np.pad(body, ((0, 0), (0, 180), (0, 120)), constant_values=padding)
    inside = normalise(padded)[:, :60, :60]
    assert np.abs(inside - normalise(body))[:, 10:].mean() < 0.1


def test_one_hot_voxel_does_not_matter(body: np.ndarray) -> None:
    hot = body.copy()
    hot[0, 0, 0] = 1e5
    assert np.abs(normalise(hot) - normalise(body))[1:].max() < 0.05
    assert normalise(hot).max() < 6


def test_dark_tissue_keeps_its_contrast_to_air(body: np.ndarray) -> None:
    values = normalise(body)
    assert values[:, 30:40].mean() - values[:, :10].mean() > 0.4


def test_two_values_are_enough() -> None:
    array = np.zeros((2, 4, 4), np.float32)
    array[0] = 5
    assert np.isfinite(normalise(array)).all()


def test_prepare_is_the_same_for_all_stored_orders(lumbar: Volume) -> None:
    reference = prepare(lumbar, SAGITTAL)
    assert reference.grid.spacing == pytest.approx(SAGITTAL.spacing)
    assert reference.grid.extent / 2 @ reference.grid.axes + reference.grid.corner == pytest.approx(
        orient(lumbar, SAGITTAL).grid.affine[:3] @ [2, 14.5, 11.5, 1]
    )
    for stored in stored_orders(lumbar):
        prepared = prepare(stored, SAGITTAL)
        assert np.abs(prepared.array - reference.array).max() < 1e-5
        assert np.abs(prepared.grid.affine - reference.grid.affine).max() < 1e-9
