"""Boxes around the labels of a mask: the outer edges of their voxels, in the mask's own axes."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from spinedet.core.errors import InputError
from spinedet.core.geometry import EdgeBox, Grid
from spinedet.core.types import Box
from spinedet.imaging.image_files import read_file
from spinedet.imaging.volume import Volume

# Headers carry positions with three digits or so; further apart than this, a mask lies on another image.
_AGREEMENT_MM = 0.01


def read_mask(path: Path) -> Volume:
    """A mask file; unlike an image it may be 0 everywhere.

    Raises:
        InputError: there is no such file, or it is no volume.
    """
    if not path.exists():
        raise InputError(f"{path} does not exist; check the path")
    array, affine = read_file(path)
    try:
        return Volume(array, Grid((array.shape[0], array.shape[1], array.shape[2]), affine))
    except InputError as error:
        raise InputError(f"{path}: {error}") from None


def label_boxes(mask: Volume) -> dict[int, Box]:
    """The box of every label above 0, labels ascending.

    Raises:
        InputError: the mask holds fractions or negative numbers.
    """
    from scipy import ndimage  # only where it is used: `--help` would wait for it

    labels = mask.array.astype(np.int32)
    if (labels != mask.array).any() or labels.min() < 0:
        raise InputError("the mask holds values that are no labels (fractions or negative numbers)")
    places = ndimage.find_objects(labels)
    return {label: voxel_box(place, mask.grid) for label, place in enumerate(places, start=1) if place is not None}


def voxel_box(place: tuple[slice, ...], grid: Grid) -> Box:
    """The outer edges of a block of voxels."""
    low = np.array([float(part.start) for part in place])
    high = np.array([float(part.stop) for part in place])
    return grid.world(EdgeBox(low, high))


def refuse_other_grid(mask: Grid, image: Grid) -> None:
    """A mask belongs to an image only when it covers the same voxels.

    Raises:
        InputError: shapes differ, or a corner lies elsewhere.
    """
    if mask.shape != image.shape:
        raise InputError(f"the mask has {mask.shape} voxels and the image {image.shape}; give the mask of this image")
    corners = np.array(
        [[i, j, k, 1.0] for i in (0, mask.shape[0]) for j in (0, mask.shape[1]) for k in (0, mask.shape[2])]
    )
    apart = float(np.linalg.norm(corners @ (mask.affine - image.affine).T, axis=1).max())
    if apart > _AGREEMENT_MM:
        raise InputError(f"the mask lies up to {apart:.2f} mm away from its image; resample it to the image")
