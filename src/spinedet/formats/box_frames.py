"""Numbers that describe a box, in the frames that files use: RAS mm, LPS mm, or voxel edges."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from spinedet.core.errors import InputError
from spinedet.core.geometry import LPS, Array, EdgeBox, canonical
from spinedet.core.types import Box

FRAMES = ("ras", "lps", "voxel")


def known_frame(name: str) -> str:
    """The frame a setting names.

    Raises:
        InputError: there is no such frame.
    """
    if name not in FRAMES:
        raise InputError(f"source.frame={name}: use ras or lps (mm), or voxel (edges of voxels, half-open)")
    return name


def box_from(low: Sequence[float], size: Sequence[float], frame: str) -> Box | EdgeBox:
    """The box with this lower corner and these edge lengths along the frame's axes.

    Raises:
        ValueError: a number is not finite, or a length is not above 0.
    """
    corner, edges = np.asarray(low, float), np.asarray(size, float)
    _check(corner, edges)
    if frame == "voxel":
        return EdgeBox(corner, corner + edges)
    return centered(corner + edges / 2, edges, np.eye(3), frame)


def centered(center: Array, size: Array, axes: Array, frame: str) -> Box:
    """The box in RAS mm from mm numbers in `ras` or `lps`; `axes` are unit rows in the same frame.

    Raises:
        ValueError: center or size are not three finite numbers, or a length is not above 0.
    """
    _check(center, size)
    turn = LPS if frame == "lps" else np.ones(3)
    return canonical(center * turn, size, axes * turn)


def _check(place: Array, size: Array) -> None:
    if place.shape != (3,) or size.shape != (3,) or not np.isfinite([place, size]).all() or (size <= 0).any():
        raise ValueError("a box needs three finite numbers for its place and three above 0 for its size")
