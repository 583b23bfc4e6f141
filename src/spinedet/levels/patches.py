"""What the image shows around each disc of a chain, turned with the spine: the pixel evidence for the sacrum."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from spinedet.core.geometry import Array, Grid

Image: TypeAlias = NDArray[np.floating[Any]]

# Along the link above a disc, mm before and after its centre, and to both sides; every STEP mm.
ABOVE, BELOW, ASIDE, STEP = 32.0, 60.0, 36.0, 4.0
_ALONG, _ACROSS = np.arange(-ABOVE, BELOW + 1, STEP), np.arange(-ASIDE, ASIDE + 1, STEP)
SIZE = len(_ALONG) * len(_ACROSS)
# Each value is the mean of these offsets in both directions, mm: pixels finer than STEP are averaged, not skipped.
_OFFSETS = (-1.0, 1.0)


def patches(image: Image, grid: Grid, centers: Array) -> Array:
    """Patches of the lowest discs of a chain, `(k, SIZE)`, the tail first; each of mean 0 and norm 1.

    Args:
        image: voxels (i, j, k) on `grid`. centers: (n, 3) RAS mm, head to tail, of which each but the first gives a
            patch.
    """
    rows = [_patch(image, grid, centers[row - 1], centers[row]) for row in range(len(centers) - 1, 0, -1)]
    return np.array(rows).reshape(-1, SIZE)


def _patch(image: Image, grid: Grid, upper: Array, center: Array) -> Array:
    """Sampled in the sagittal plane of patient space through the centre; the image's edge goes on beyond it."""
    down = (center - upper) * (0.0, 1.0, 1.0)
    down /= np.linalg.norm(down)
    front = np.array([0.0, -down[2], down[1]])
    total = np.zeros((len(_ALONG), len(_ACROSS)))
    for along in _OFFSETS:
        for across in _OFFSETS:
            points = center + (_ALONG + along)[:, None, None] * down + (_ACROSS + across)[None, :, None] * front
            total += sample(image, grid, points.reshape(-1, 3)).reshape(total.shape)
    values = total.ravel() - total.mean()
    length = float(np.linalg.norm(values))
    return values / length if length > 0 else values


def sample(image: Image, grid: Grid, points: Array) -> Array:
    """Trilinear values at points (n, 3) RAS mm, (n,); outside of the image those of its edge."""
    last = np.asarray(grid.shape) - 1
    index = np.linalg.solve(grid.affine[:3, :3], (points - grid.affine[:3, 3]).T).T.clip(0, last)
    low = np.minimum(np.floor(index).astype(int), np.maximum(last - 1, 0))
    part = index - low
    values = np.zeros(len(points))
    for corner in np.ndindex(2, 2, 2):
        weight = np.prod(np.where(corner, part, 1 - part), axis=1)
        i, j, k = np.minimum(low + corner, last).T
        values += weight * image[i, j, k]
    return values
