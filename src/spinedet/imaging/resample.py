"""Volumes on the working grid: anti-aliased resampling on voxel edges, robust intensities."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from spinedet.core.geometry import Grid
from spinedet.imaging.planes import PlaneSpec, orient
from spinedet.imaging.size_limits import check_voxels
from spinedet.imaging.volume import Volume, Voxels

if TYPE_CHECKING:
    from scipy.sparse import csr_array

# Absorbs rounding in stored spacings, so that one image stored twice never differs by a voxel.
_ROUNDING = 1e-6
_BODY_LEVEL = 0.25
_PERCENTILES = (0.5, 99.5)


def prepare(volume: Volume, spec: PlaneSpec) -> Volume:
    """A volume as the network sees it: oriented (slice, row, column), at working spacing, normalised."""
    across, down, along = (spec.scale * working for working in spec.spacing)
    working = resample(orient(volume, spec), (across, down, along))
    return Volume(normalise(working.array), working.grid)


def resample(volume: Volume, spacing: tuple[float, float, float]) -> Volume:
    """The volume at exactly `spacing` mm along its axes, on a grid centred on the same block.

    A triangle filter on voxel edges, linear where voxels get smaller and widened to the new spacing where they get
    larger, so that nothing aliases. The number of voxels is the block's extent, rounded.

    Raises:
        InputError: there would be too many voxels.
    """
    ratios = np.asarray(spacing) / volume.grid.spacing
    lengths = [_length(n, ratio) for n, ratio in zip(volume.array.shape, ratios.tolist(), strict=True)]
    check_voxels(tuple(lengths), "the image at the working spacing")
    array = volume.array
    # The axis that shrinks most goes first: the rest then works on less.
    for axis in np.argsort(-ratios):
        array = _resample_axis(array, int(axis), float(ratios[axis]))
    return Volume(array, _centred(volume.grid, array.shape, np.asarray(spacing)))


def _centred(grid: Grid, shape: tuple[int, ...], spacing: np.typing.NDArray[np.float64]) -> Grid:
    centre = grid.corner + grid.axes.T @ (grid.extent / 2)
    affine = np.eye(4)
    affine[:3, :3] = grid.axes.T * spacing
    affine[:3, 3] = centre - affine[:3, :3] @ ((np.asarray(shape) - 1) / 2)
    return Grid((shape[0], shape[1], shape[2]), affine)


def _length(before: int, ratio: float) -> int:
    return max(1, math.floor(before / ratio + 0.5 + _ROUNDING))


def _resample_axis(array: Voxels, axis: int, ratio: float) -> Voxels:
    before, after = array.shape[axis], _length(array.shape[axis], ratio)
    if abs(ratio - 1) < _ROUNDING:
        return array
    moved = np.moveaxis(array, axis, 0)
    result = _weights(before, after, ratio) @ moved.reshape(before, -1)
    return np.ascontiguousarray(np.moveaxis(result.reshape(after, *moved.shape[1:]), 0, axis))


def _weights(before: int, after: int, ratio: float) -> csr_array:
    """Rows (after, before) of the triangle filter; each sums to 1, so borders continue their last value."""
    from scipy.sparse import csr_array  # only where it is used: `--help` would wait for it

    reach = max(1.0, ratio)
    centres = before / 2 + (np.arange(after) + 0.5 - after / 2) * ratio
    centres = np.clip(centres, 0.5, before - 0.5)
    distance = np.abs(np.arange(before)[None] + 0.5 - centres[:, None])
    weights = np.clip(1 - distance / reach, 0, None)
    return csr_array((weights / weights.sum(axis=1, keepdims=True)).astype(np.float32))


def normalise(array: Voxels) -> Voxels:
    """Intensities with mean 0 and deviation 1 over the body, clipped to (0.5, 99.5) %.

    Scale, offset and the amount of air or padding around the body change nothing to speak of. Dark tissue keeps its
    contrast to air: the lower limit is that of the whole image, the upper that of the body.
    """
    seen = array[array > array.min()]  # padding is one value, the lowest
    floor, top = np.percentile(seen, _PERCENTILES)
    seen = np.clip(seen, floor, top)
    bright = seen[seen >= min(seen.mean(), top)].mean()
    body = seen[seen >= floor + _BODY_LEVEL * (bright - floor)]
    ceiling = np.percentile(body, _PERCENTILES[1])
    body = np.clip(body, floor, ceiling)
    scale = float(body.std()) or 1.0
    return ((np.clip(array, floor, ceiling) - body.mean()) / scale).astype(np.float32)
