"""How large an image may be: checked from its header, before memory is taken for it."""

from __future__ import annotations

from math import prod

import numpy as np

from spinedet.core.errors import InputError
from spinedet.core.geometry import Grid

# Two GiB as float32; the largest clinical 3D series of a spine have some 1e8 voxels.
MAX_VOXELS = 1 << 29
# Of a radiograph: whole spines of several exposures have some 4e7, and each pixel is held several times.
MAX_PIXELS = 1 << 26
# The longest edge of an image of a person, mm; outside these limits it is given in another unit.
EXTENT_MM = (4.0, 3000.0)


def check_voxels(shape: tuple[int, ...], where: str) -> None:
    """Refuse an image, or a grid to which one would be resampled, that does not fit into memory.

    Raises:
        InputError: more than `MAX_VOXELS`.
    """
    if prod(map(int, shape)) > MAX_VOXELS:
        size = " x ".join(map(str, shape))
        raise InputError(
            f"{where} has {size} voxels, more than {MAX_VOXELS:,}; its header is damaged, or crop or resample it first"
        )


def check_pixels(columns: int, rows: int, where: str) -> None:
    """Refuse a radiograph that does not fit into memory.

    Raises:
        InputError: more than `MAX_PIXELS`.
    """
    if columns * rows > MAX_PIXELS:
        raise InputError(
            f"{where} has {columns} x {rows} pixels, more than {MAX_PIXELS:,}; its header is damaged, or reduce it"
        )


def check_extent(grid: Grid, where: str) -> None:
    """Refuse an image that cannot be one of a person.

    Raises:
        InputError: its longest edge is not within `EXTENT_MM`.
    """
    longest = float(np.max(grid.extent))
    if not EXTENT_MM[0] <= longest <= EXTENT_MM[1]:
        size = " x ".join(f"{length:.4g}" for length in grid.extent)
        raise InputError(
            f"{where} would measure {size} mm; its voxel sizes are probably in another unit than its header says, "
            "convert it again from its DICOM files or correct the unit"
        )
