"""The DICOM files of a stack that was read, opened again with the patient, for results that go back to the PACS."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.errors import InvalidDicomError

from spinedet.core.errors import InputError
from spinedet.core.geometry import LPS_TO_RAS, Array, EdgeBox, Grid
from spinedet.core.types import Box
from spinedet.imaging.dicom import only_block
from spinedet.imaging.dicom.headers import DAMAGE, functional_groups
from spinedet.imaging.image_files import SUFFIXES

# A slice lies this near to its place in the volume, voxels.
_SAME_PLACE = 0.05
# A box whose face lies this near to a slice's border does not cover the slice, voxels.
_TOUCHING = 1e-6
# Attributes of patient and study that a result has, empty where the image has none (type 2 of the standard).
_PATIENT_AND_STUDY = (
    *("PatientName", "PatientID", "PatientBirthDate", "PatientSex"),
    *("StudyDate", "StudyTime", "StudyID", "AccessionNumber", "ReferringPhysicianName"),
)


@dataclass(frozen=True, eq=False)
class SourceSlice:
    """One slice: the header of its file, without pixels, and the number of its frame, from 0."""

    image: Dataset
    frame: int

    @property
    def frame_numbers(self) -> list[int] | None:
        """As references to a frame name it; None for a file with one image."""
        return [self.frame + 1] if int(self.image.get("NumberOfFrames") or 1) > 1 else None


@dataclass(frozen=True, eq=False)
class SourceStack:
    """The slices of one series in the order of its voxels (column, row, slice), and where these lie."""

    series: str
    grid: Grid
    slices: tuple[SourceSlice, ...]

    @property
    def images(self) -> tuple[Dataset, ...]:
        """The header of each file, once."""
        return tuple({str(one.image.SOPInstanceUID): one.image for one in self.slices}.values())

    def edges(self, box: Box) -> EdgeBox:
        """The part of a box that lies in the images, in edge coordinates (column, row, slice)."""
        found = self.grid.edges(box)
        limit = np.asarray(self.grid.shape, dtype=np.float64)
        return EdgeBox(np.clip(found.low, 0, limit), np.clip(found.high, 0, limit))

    def covered(self, box: Box) -> range:
        """The slices that a box covers, at least one."""
        low, high = self.edges(box).low[2], self.edges(box).high[2]
        last = len(self.slices) - 1
        first = min(int(np.floor(low + _TOUCHING)), last)
        return range(first, min(max(int(np.ceil(high - _TOUCHING)), first + 1), last + 1))


def open_stack(files: Sequence[Path], grid: Grid, series: str) -> SourceStack:
    """The DICOM files of a series whose voxels lie on `grid`.

    Args:
        files: of the series, or the folder that holds it.

    Raises:
        InputError: they are no DICOM files, or do not show every slice of the grid.
    """
    paths = _paths(files, series)
    places: dict[int, SourceSlice] = {}
    for path in paths:
        image = _header(path, series)
        for frame in range(int(image.get("NumberOfFrames") or 1)):
            place = _place(image, frame, grid)
            if place is not None:
                places.setdefault(place, SourceSlice(image, frame))
    missing = [number for number in range(grid.shape[2]) if number not in places]
    if missing:
        raise InputError(
            f"{series}: slice {missing[0] + 1} is in none of its DICOM files; give the folder as it was read"
        )
    return SourceStack(series, grid, tuple(places[number] for number in range(grid.shape[2])))


def same_study(stacks: Sequence[SourceStack]) -> None:
    """Refuse stacks of several examinations or patients, of which no document can speak.

    Raises:
        InputError: names the series.
    """
    first = stacks[0]
    for other in stacks[1:]:
        for keyword in ("StudyInstanceUID", "PatientID"):
            if other.slices[0].image.get(keyword) != first.slices[0].image.get(keyword):
                raise InputError(f"{first.series} and {other.series} are of two examinations; give each its own study")


def _paths(files: Sequence[Path], series: str) -> tuple[Path, ...]:
    if len(files) == 1 and files[0].is_dir():
        return tuple(dict.fromkeys(piece.path for piece in only_block(files[0]).slices))
    if any(file.name.lower().endswith(SUFFIXES) for file in files):
        raise InputError(f"{series} is no DICOM series, and a DICOM document has to name the images it is about")
    return tuple(files)


def _header(path: Path, series: str) -> Dataset:
    try:
        image = dcmread(path, stop_before_pixels=True, force=True)
        image.SOPInstanceUID, image.SOPClassUID, image.StudyInstanceUID, image.SeriesInstanceUID  # noqa: B018
    except (InvalidDicomError, *DAMAGE):
        raise InputError(
            f"{series}: a file of it is no DICOM image with identifiers; export the series again"
        ) from None
    for keyword in _PATIENT_AND_STUDY:
        if keyword not in image:
            setattr(image, keyword, "")
    return image


def _place(image: Dataset, frame: int, grid: Grid) -> int | None:
    """The number of the slice on the grid that this frame shows; None when it shows none."""
    position = _position(image, frame)
    if position is None:
        return None
    column, row, number = np.linalg.solve(grid.affine[:3, :3], position - grid.affine[:3, 3])
    place = round(float(number))
    near = max(abs(column), abs(row), abs(number - place)) <= _SAME_PLACE
    return place if near and 0 <= place < grid.shape[2] else None


def _position(image: Dataset, frame: int) -> Array | None:
    """Centre of the first pixel, RAS mm."""
    for source in _sources(image, frame):
        value = source.get("ImagePositionPatient")
        if value is not None and len(value) == 3:
            return LPS_TO_RAS[:3, :3] @ np.asarray([float(part) for part in value])
    return None


def _sources(image: Dataset, frame: int) -> Iterator[Dataset]:
    yield from functional_groups(image, frame)
    yield image
