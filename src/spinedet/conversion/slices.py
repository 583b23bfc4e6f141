"""DICOM slices by their headers: where each pixel lies in the patient, and which slices make one volume."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from pathlib import Path

import numpy as np
from pydicom import dcmread
from pydicom.errors import InvalidDicomError

from spinedet.conversion.boxes import LPS
from spinedet.core.anatomy import Plane
from spinedet.core.geometry import Array, canonical
from spinedet.core.types import Box
from spinedet.imaging.planes import SPECS

_UIDS = ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID")
_TAGS = [
    *_UIDS,
    "Rows",
    "Columns",
    "PixelSpacing",
    "ImageOrientationPatient",
    "ImagePositionPatient",
]
# Directions of one stack agree within this (cosines); a wider gap than this many pitches starts another volume.
_SAME_DIRECTION, _GAP = 0.01, 1.5
_SAME_POSITION_MM = 0.01


@dataclass(frozen=True, eq=False)
class PlacedSlice:
    """One DICOM image.

    Attributes:
        shape: rows, columns.
        affine: (4, 3), RAS mm of (column, row, 1), pixel centres; the bottom row is (0, 0, 1).
    """

    path: Path
    study: str
    series: str
    instance: str
    shape: tuple[int, int]
    affine: Array

    @cached_property
    def axes(self) -> Array:
        """Unit rows (3, 3), RAS: along columns, along rows, and their normal."""
        first, second = (self.affine[:3, k] / np.linalg.norm(self.affine[:3, k]) for k in (0, 1))
        return np.stack([first, second, np.cross(first, second)])

    @property
    def height(self) -> float:
        """Distance of the slice from the origin along its normal, mm."""
        return float(self.axes[2] @ self.affine[:3, 2])

    def point(self, column: float, row: float) -> Array:
        """RAS mm of a place in the stored pixel grid, (3,); whole numbers are pixel centres."""
        return self.affine[:3] @ np.array([column, row, 1.0])

    def holds(self, column: float, row: float) -> bool:
        """Whether the place lies on a pixel."""
        return -0.5 <= column < self.shape[1] - 0.5 and -0.5 <= row < self.shape[0] - 0.5


@dataclass(frozen=True, eq=False)
class Block:
    """Parallel slices without a gap, in order along their normal: what reads as one volume."""

    slices: tuple[PlacedSlice, ...]

    @property
    def axes(self) -> Array:
        """Unit rows of the block's slices."""
        return self.slices[0].axes

    @property
    def pitch(self) -> float:
        """Median distance of neighbouring slices, mm."""
        return float(np.median(np.diff([piece.height for piece in self.slices])))

    @property
    def plane(self) -> Plane | None:
        """Sagittal or axial; None when the slices are nearest to coronal."""
        nearest = int(np.argmax(np.abs(self.axes[2])))
        return next((s.plane for s in SPECS.values() if int(np.argmax(np.abs(s.directions[0]))) == nearest), None)

    def distance(self, point: Array) -> float:
        """How far a point is from the block's pixels along the normal, mm; infinite beside the matrix."""
        heights = [piece.height for piece in self.slices]
        nearest = int(np.argmin(np.abs(np.array(heights) - self.axes[2] @ point)))
        piece = self.slices[nearest]
        (column, row), *_ = np.linalg.lstsq(piece.affine[:3, :2], point - piece.affine[:3, 2], rcond=None)
        return abs(float(self.axes[2] @ point) - heights[nearest]) if piece.holds(column, row) else float("inf")


def point_box(center: Array, size: Sequence[float], axes: Array) -> Box:
    """A box of `size` mm along the axes nearest to R, A and S, around a point."""
    frame = canonical(center, np.ones(3), axes)
    right, front, up = size
    return frame.model_copy(update={"size": (float(right), float(front), float(up))})


def read_slices(folder: Path) -> list[PlacedSlice]:
    """The DICOM images of a folder that say where they lie; other files are passed over."""
    found = (_read(file) for file in sorted(folder.iterdir()) if file.is_file())
    return [piece for piece in found if piece]


def _read(file: Path) -> PlacedSlice | None:
    try:
        header = dcmread(file, stop_before_pixels=True, specific_tags=_TAGS)
        across, along = np.reshape(np.asarray(header.ImageOrientationPatient, float), (2, 3))
        row_mm, column_mm = (float(value) for value in header.PixelSpacing)  # between rows, between columns
        affine = np.zeros((4, 3))
        affine[:3, 0], affine[:3, 1] = across * column_mm * LPS, along * row_mm * LPS
        affine[:, 2] = (*(np.asarray(header.ImagePositionPatient, float) * LPS), 1.0)
        shape = (int(header.Rows), int(header.Columns))
    except (InvalidDicomError, AttributeError, OSError, TypeError, ValueError):
        return None
    if not np.isfinite(affine).all() or abs(across @ along) > _SAME_DIRECTION or min(row_mm, column_mm) <= 0:
        return None
    study, series, instance = (str(header.get(name, "")) for name in _UIDS)
    return PlacedSlice(file, study, series, instance, shape, affine)


def blocks_of(slices: Iterable[PlacedSlice]) -> list[Block]:
    """The volumes that the slices of one series make, each of at least two; angled blocks of a stack come apart."""
    groups: list[list[PlacedSlice]] = []
    for piece in slices:
        group = next((g for g in groups if _alike(g[0], piece)), None)
        if group is None:
            groups.append([piece])
        else:
            group.append(piece)
    return [block for group in groups for block in _stacks(sorted(group, key=lambda piece: piece.height))]


def _alike(one: PlacedSlice, two: PlacedSlice) -> bool:
    """Whether two slices may lie in one volume: matrix, pixels, directions and sideways place."""
    if one.shape != two.shape or np.abs(one.affine[:3, :2] - two.affine[:3, :2]).max() > _SAME_DIRECTION:
        return False
    sideways = one.axes[:2] @ (two.affine[:3, 2] - one.affine[:3, 2])
    return bool(np.abs(sideways).max() <= 1.0)


def _stacks(ordered: list[PlacedSlice]) -> list[Block]:
    """Slices in order, copies of a place dropped, cut at gaps."""
    single = [
        piece for n, piece in enumerate(ordered) if n == 0 or piece.height - ordered[n - 1].height > _SAME_POSITION_MM
    ]
    if len(single) < 2:
        return []
    steps = np.diff([piece.height for piece in single])
    cuts = [0, *(np.flatnonzero(steps > _GAP * np.median(steps)) + 1).tolist(), len(single)]
    parts = [tuple(single[start:stop]) for start, stop in pairwise(cuts)]
    return [Block(part) for part in parts if len(part) > 1]


def by_series(slices: Iterable[PlacedSlice]) -> dict[str, list[PlacedSlice]]:
    """Slices by SeriesInstanceUID."""
    series: dict[str, list[PlacedSlice]] = defaultdict(list)
    for piece in slices:
        series[piece.series].append(piece)
    return dict(series)


def folder_of(block: Block, links: Path) -> Path:
    """A folder that holds the block's files and no others: their own, or `links` filled with links to them."""
    own = block.slices[0].path.parent
    names = {piece.path.name for piece in block.slices}
    if names == {file.name for file in own.iterdir()}:
        return own
    links.mkdir(parents=True, exist_ok=True)
    for stale in links.iterdir():
        stale.unlink()
    for name in sorted(names):
        (links / name).symlink_to(os.path.relpath((own / name).resolve(), links.resolve()))
    return links
