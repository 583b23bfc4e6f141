"""Places in DICOM slices, and the volumes that the slices make."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from spinedet.core.anatomy import Plane
from spinedet.core.errors import InputError
from spinedet.core.geometry import Array, EdgeBox, Grid, canonical
from spinedet.core.types import Box
from spinedet.imaging.dicom import index_folder, split_series
from spinedet.imaging.dicom.records import Pseudonyms
from spinedet.imaging.planes import plane_of

# Voxels: a box around a point is at least half a voxel wide.
_LEAST_HALF = 0.25


@dataclass(frozen=True, eq=False)
class Stack:
    """One volume of a DICOM folder.

    Attributes:
        study: hash of the StudyInstanceUID under the pseudonyms given.
        files: in the order of the slices.
        grid: voxels (column, row, slice) in RAS mm.
    """

    study: str
    files: tuple[Path, ...]
    grid: Grid

    @property
    def plane(self) -> Plane | None:
        """Sagittal or axial; None when the slices are nearest to coronal."""
        try:
            return plane_of(self.grid)
        except InputError:
            return None

    def index(self, name: str) -> int | None:
        """The slice that a file of this name (without its ending) holds."""
        return next((number for number, file in enumerate(self.files) if file.stem == name), None)

    def holds(self, column: float, row: float) -> bool:
        """Whether a place of the stored pixel grid lies on a pixel; whole numbers are pixel centres."""
        return bool(-0.5 <= column < self.grid.shape[0] - 0.5 and -0.5 <= row < self.grid.shape[1] - 0.5)

    def point(self, column: float, row: float, index: float) -> Array:
        """RAS mm of a place of the stored pixel grid on a slice, (3,)."""
        return self.grid.affine[:3] @ np.array([column, row, index, 1.0])

    def distance(self, point: Array) -> float:
        """How far a point is from the nearest slice along the normal, mm; infinite beside the matrix."""
        column, row, index = np.linalg.solve(self.grid.affine[:3, :3], point - self.grid.affine[:3, 3])
        if not self.holds(column, row):
            return float("inf")
        return float(abs(index - np.clip(np.rint(index), 0, len(self.files) - 1)) * self.grid.spacing[2])


def read_stacks(folder: Path, pseudonyms: Pseudonyms | None = None) -> list[Stack]:
    """The volumes that the DICOM files of one folder make, by series; slices that make none are passed over."""
    return list(_stacks(folder, pseudonyms or Pseudonyms()))


def _stacks(folder: Path, pseudonyms: Pseudonyms) -> Iterator[Stack]:
    for study in index_folder(folder, pseudonyms):
        for series in study.series:
            here = [piece for piece in series.slices if piece.path.parent == folder]
            for block in split_series(series.id, here):
                if block.fault is None:
                    yield Stack(study.key, tuple(piece.path for piece in block.slices), block.grid)


def point_box(center: Array, size: Sequence[float], grid: Grid) -> Box | None:
    """A box of `size` mm along the grid's axes nearest to R, A and S, around a point.

    Where the image ends the box is narrowed on both sides alike, so that the point stays its centre; None when less
    than half a voxel is left along some axis.
    """
    right, front, up = size
    frame = canonical(center, np.ones(3), grid.axes)
    edges = grid.edges(frame.model_copy(update={"size": (float(right), float(front), float(up))}))
    middle = (edges.low + edges.high) / 2
    half = np.minimum((edges.high - edges.low) / 2, np.minimum(middle, np.array(grid.shape) - middle))
    return None if half.min() < _LEAST_HALF else grid.world(EdgeBox(middle - half, middle + half))


def folder_of(stack: Stack, links: Path) -> Path:
    """A folder that holds the stack's files and no others: their own, or `links` filled with links to them."""
    own = stack.files[0].parent
    names = {file.name for file in stack.files}
    if names == {file.name for file in own.iterdir()}:
        return own
    links.mkdir(parents=True, exist_ok=True)
    for stale in links.iterdir():
        stale.unlink()
    for name in sorted(names):
        (links / name).symlink_to(os.path.relpath((own / name).resolve(), links.resolve()))
    return links
