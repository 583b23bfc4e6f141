"""Boxes and voxel grids on voxel *edges* in RAS millimetres.

A voxel grid's affine maps voxel centres (index i, j, k) to RAS mm, as NIfTI defines it. Voxel i covers the edge
coordinates [i, i + 1); edge coordinate e lies at index e - 0.5.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import permutations, product
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from spinedet.core.errors import InputError
from spinedet.core.types import ORTHONORMAL_TOLERANCE, RAS_AXES, Axes, Box

Array: TypeAlias = NDArray[np.float64]

# DICOM and ITK speak LPS mm, which has the first two coordinates of RAS the other way round.
LPS = np.array([-1.0, -1.0, 1.0])
LPS_TO_RAS = np.diag([*LPS, 1.0])
# Two series frames closer than this (cosine units, about 0.006 degrees) are one frame.
SAME_AXES_TOLERANCE = 1e-4
_CORNER_SIGNS = np.array(list(product((-0.5, 0.5), repeat=3)))


@dataclass(frozen=True, slots=True, eq=False)
class EdgeBox:
    """A box on a voxel grid: `low` and `high` edge coordinates (3,), in voxels of that grid, half-open."""

    low: Array
    high: Array


@dataclass(frozen=True, eq=False)
class Grid:
    """Where the voxels of a volume lie.

    Attributes:
        shape: voxels along i, j, k.
        affine: (4, 4), voxel centre index to RAS mm.

    Raises:
        InputError: the affine is singular, not finite or sheared.
    """

    shape: tuple[int, int, int]
    affine: Array

    def __post_init__(self) -> None:
        affine = np.asarray(self.affine, dtype=np.float64)
        object.__setattr__(self, "affine", affine)
        if affine.shape != (4, 4) or not np.isfinite(affine).all():
            raise InputError("the image affine is not a finite 4 x 4 matrix")
        lengths = np.linalg.norm(affine[:3, :3], axis=0)
        if lengths.min() < 1e-6 or abs(np.linalg.det(affine[:3, :3] / lengths)) < 1e-3:
            raise InputError("the image affine is singular: voxel axes have no length or lie in one plane")
        if np.abs(self.axes @ self.axes.T - np.eye(3)).max() > ORTHONORMAL_TOLERANCE:
            raise InputError("the image affine is sheared; resample the image to orthogonal axes first")

    @cached_property
    def spacing(self) -> Array:
        """Distance between neighbouring voxel centres, (3,) mm."""
        return np.linalg.norm(self.affine[:3, :3], axis=0)

    @cached_property
    def axes(self) -> Array:
        """Unit rows (3, 3): the RAS directions of i, j, k."""
        return np.ascontiguousarray((self.affine[:3, :3] / self.spacing).T)

    @property
    def extent(self) -> Array:
        """Size of the covered block from outer edge to outer edge, (3,) mm."""
        return self.spacing * np.asarray(self.shape)

    @property
    def corner(self) -> Array:
        """RAS mm of edge coordinate (0, 0, 0), (3,)."""
        return self.affine[:3, 3] - self.affine[:3, :3] @ np.full(3, 0.5)

    def world(self, box: EdgeBox) -> Box:
        """The box in RAS mm, measured along this grid's axes.

        Raises:
            ValueError: the box has no size on some axis.
        """
        center = self.corner + self.affine[:3, :3] @ ((box.low + box.high) / 2)
        return canonical(center, (box.high - box.low) * self.spacing, self.axes)

    def edges(self, box: Box) -> EdgeBox:
        """The box on this grid; a box drawn in another frame becomes the hull of its eight corners."""
        local = np.linalg.solve(self.affine[:3, :3], (corners(box) - self.corner).T).T
        return EdgeBox(local.min(axis=0), local.max(axis=0))


def canonical(center: Array, size: Array, axes: Array) -> Box:
    """The box with its rows ordered and pointed as near to +R, +A, +S as they go: one box, one way to write it."""
    order = max(permutations(range(3)), key=lambda p: sum(abs(axes[row, col]) for col, row in enumerate(p)))
    rows = axes[list(order)]
    rows = rows * np.where(np.diag(rows) < 0, -1.0, 1.0)[:, None] + 0.0  # no negative zeros in files
    frame: Axes = RAS_AXES
    if np.abs(rows - np.eye(3)).max() > SAME_AXES_TOLERANCE:
        frame = (_vector(rows[0]), _vector(rows[1]), _vector(rows[2]))
    return Box(center=_vector(center), size=_vector(size[list(order)]), axes=frame)


def _vector(values: Array) -> tuple[float, float, float]:
    first, second, third = values.tolist()
    return first, second, third


def corners(box: Box) -> Array:
    """The eight corners, (8, 3) RAS mm."""
    return np.asarray(box.center) + (_CORNER_SIGNS * np.asarray(box.size)) @ np.asarray(box.axes)


def same_axes(first: Axes, second: Axes) -> bool:
    """Whether two frames have the same three directions, whatever the order and sign of their rows."""
    if first == second:
        return True
    turn = _unit_rows(first) @ _unit_rows(second).T
    return bool(np.abs(turn - np.rint(turn)).max() <= SAME_AXES_TOLERANCE)


def _unit_rows(axes: Axes) -> Array:
    rows = np.asarray(axes)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def bounds(boxes: Sequence[Box], axes: Axes = RAS_AXES) -> tuple[Array, Array]:
    """Lower and upper limits of each box along the rows of `axes`, two (n, 3) arrays in mm.

    Exact for boxes drawn in that frame; the hull of the corners for others.
    """
    if not boxes:
        return np.empty((0, 3)), np.empty((0, 3))
    low, high = zip(*(_limits(box, axes) for box in boxes), strict=True)
    return np.array(low), np.array(high)


def _limits(box: Box, axes: Axes) -> tuple[Array, Array]:
    frame = np.asarray(axes)
    turn = np.abs(frame @ np.asarray(box.axes).T)
    if same_axes(box.axes, axes):
        turn = np.rint(turn)
    center, half = frame @ np.asarray(box.center), turn @ np.asarray(box.size) / 2
    return center - half, center + half


def iou(first: Sequence[Box], second: Sequence[Box]) -> Array:
    """Intersection over union of volumes for every pair, (n, m) float64.

    Boxes with the same axes are compared exactly in that frame; boxes with different axes through the hulls of
    their corners along R, A, S.
    """
    result = np.zeros((len(first), len(second)))
    frames = {box.axes for box in (*first, *second)}
    if len(frames) == 1:
        return pairwise_iou(*bounds(first, *frames), *bounds(second, *frames))
    for row, one in enumerate(first):
        for col, two in enumerate(second):
            axes = one.axes if same_axes(one.axes, two.axes) else RAS_AXES
            result[row, col] = pairwise_iou(*bounds([one], axes), *bounds([two], axes))[0, 0]
    return result


def pairwise_iou(low_a: Array, high_a: Array, low_b: Array, high_b: Array) -> Array:
    """IoU of axis-aligned boxes given by limits, (n, 3) against (m, 3), as (n, m)."""
    overlap = np.minimum(high_a[:, None], high_b[None]) - np.maximum(low_a[:, None], low_b[None])
    shared = np.prod(np.clip(overlap, 0, None), axis=-1)
    union = np.prod(high_a - low_a, axis=-1)[:, None] + np.prod(high_b - low_b, axis=-1)[None] - shared
    return np.divide(shared, union, out=np.zeros_like(shared), where=union > 0)


def inside(box: Box, grid: Grid, tolerance_mm: float = 0.5) -> bool:
    """Whether the box's centre and, within the tolerance, all its corners lie in the block the grid covers."""
    edge, shape = grid.edges(box), np.asarray(grid.shape)
    middle, slack = (edge.low + edge.high) / 2, tolerance_mm / grid.spacing
    centered = (middle >= 0).all() and (middle <= shape).all()
    return bool(centered and (edge.low >= -slack).all() and (edge.high <= shape + slack).all())
