"""Degradations change what they say, by as much as they say, and leave the geometry alone."""

from __future__ import annotations

import numpy as np
import pytest

from spinedet.core.anatomy import Plane
from spinedet.core.geometry import Grid
from spinedet.imaging.degradations import degrade
from spinedet.imaging.planes import SPECS
from spinedet.imaging.settings import DEGRADATIONS
from spinedet.imaging.volume import Volume

SHAPE = (9, 48, 40)


@pytest.fixture
def volume() -> Volume:
    """A sagittal stack of blocks, slices first."""
    array = np.full(SHAPE, 100.0, np.float32)
    array[:, 12:30, 10:30] = 700.0
    array[:, 18:22, 14:20] = 1000.0
    array += np.arange(SHAPE[0], dtype=np.float32)[:, None, None]
    affine = np.zeros((4, 4))
    # Slices run to the left, rows to the feet, columns to the back.
    affine[0, 0], affine[2, 1], affine[1, 2], affine[3, 3] = -4.0, -1.0, -1.0, 1.0
    return Volume(array, Grid(SHAPE, affine))


def worse(volume: Volume, name: str, strength: float, seed: int = 0) -> np.ndarray:
    return degrade(volume, SPECS[Plane.SAGITTAL], name, strength, np.random.default_rng(seed)).array


def oriented(volume: Volume) -> np.ndarray:
    """What `degrade` starts from: no slice of a stack of one is ever missing."""
    return worse(volume, "missing_slices", 0.0)


@pytest.mark.parametrize("name", DEGRADATIONS)
def test_each_keeps_geometry_and_does_the_same_twice(volume: Volume, name: str) -> None:
    strength = DEGRADATIONS[name].strengths[1]
    first = degrade(volume, SPECS[Plane.SAGITTAL], name, strength, np.random.default_rng(3))
    again = degrade(volume, SPECS[Plane.SAGITTAL], name, strength, np.random.default_rng(3))
    assert np.array_equal(first.array, again.array)
    assert first.array.dtype == np.float32
    assert np.isfinite(first.array).all()
    start = degrade(volume, SPECS[Plane.SAGITTAL], "missing_slices", 0.0, np.random.default_rng(0))
    assert np.allclose(first.grid.affine, start.grid.affine)
    assert first.array.shape == start.array.shape
    assert not np.array_equal(first.array, start.array)


@pytest.mark.parametrize("name", DEGRADATIONS)
def test_stronger_is_further_away(volume: Volume, name: str) -> None:
    start = oriented(volume)
    apart = [np.abs(worse(volume, name, strength) - start).mean() for strength in DEGRADATIONS[name].strengths]
    assert apart == sorted(apart)
    assert apart[0] > 0


def test_noise_has_its_deviation(volume: Volume) -> None:
    start = oriented(volume)
    bright = np.percentile(start - start.min(), 99)
    inside = start > 600
    assert (worse(volume, "noise", 0.05) - start)[inside].std() == pytest.approx(0.05 * bright, rel=0.05)


def test_blur_keeps_the_mean_of_the_inside_and_widens_an_edge() -> None:
    array = np.zeros((3, 40, 40), np.float32)
    array[:, :, 20:] = 1.0
    affine = np.zeros((4, 4))
    affine[0, 0], affine[2, 1], affine[1, 2], affine[3, 3] = -4.0, -1.0, -1.0, 1.0
    made = worse(Volume(array, Grid((3, 40, 40), affine)), "blur", 2.0)
    profile = made[1, 20]
    # An edge blurred by a Gaussian is its integral: .84 one deviation beyond the edge (at 19.5).
    assert np.interp(21.5, np.arange(40), profile) == pytest.approx(0.841, abs=0.01)


def test_missing_slices_are_the_ones_before(volume: Volume) -> None:
    start, made = oriented(volume), worse(volume, "missing_slices", 0.5)
    lost = [row for row in range(1, len(start)) if not np.array_equal(made[row], start[row])]
    assert len(lost) == 4
    assert all(np.array_equal(made[row], made[row - 1]) for row in lost)


def test_coarser_pixels_keep_the_mean(volume: Volume) -> None:
    start, made = oriented(volume), worse(volume, "spacing", 2.0)
    assert made.mean() == pytest.approx(start.mean(), rel=0.01)
    assert np.abs(np.diff(made, axis=2)).max() < np.abs(np.diff(start, axis=2)).max()


def test_contrast_keeps_black_and_bright(volume: Volume) -> None:
    start, made = oriented(volume), worse(volume, "contrast", 2.0)
    assert made.min() == start.min()
    assert made.max() == pytest.approx(start.max())
    # Half as bright becomes a quarter.
    span = np.percentile(start - start.min(), 99)
    middle = (start - start.min()) == (start - start.min())[4, 14, 12]
    share = (start - start.min())[middle][0] / span
    assert ((made - made.min())[middle] / span) == pytest.approx(share**2, rel=1e-4)


def test_without_motion_nothing_moves(volume: Volume) -> None:
    assert np.allclose(worse(volume, "motion", 1e-9), oriented(volume), atol=1e-2)


def test_an_unknown_degradation_is_refused(volume: Volume) -> None:
    with pytest.raises(KeyError):
        worse(volume, "rain", 1.0)
