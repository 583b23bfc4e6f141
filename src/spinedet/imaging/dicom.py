"""DICOM series as volumes: geometry from positions and directions, and nothing of the patient but the pixels."""

from __future__ import annotations

import warnings
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.errors import InvalidDicomError

from spinedet.core.errors import InputError
from spinedet.core.geometry import Array

LPS_TO_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])

# Only these are parsed, so that nothing that names a patient is ever in memory.
_HEADER_TAGS = [
    "StudyInstanceUID",
    "SeriesInstanceUID",
    "SeriesNumber",
    "Rows",
    "Columns",
    "SamplesPerPixel",
    "PhotometricInterpretation",
    "NumberOfFrames",
    "PixelSpacing",
    "ImageOrientationPatient",
    "ImagePositionPatient",
]
_PIXEL_TAGS = [
    "Rows",
    "Columns",
    "SamplesPerPixel",
    "PhotometricInterpretation",
    "BitsAllocated",
    "BitsStored",
    "HighBit",
    "PixelRepresentation",
    "RescaleSlope",
    "RescaleIntercept",
    "PixelData",
]
_GREY = "MONOCHROME2"
# Directions of one stack agree to the digits that scanners write; 0.01 is about half a degree.
_SAME_DIRECTION = 0.01
_SAME_SPACING_MM = 1e-3
_SAME_POSITION_MM = 0.01
# Neighbouring slices may be unevenly spaced by this part of their pitch; a gap of 1.5 pitches is a lost slice.
_EVEN_PITCH = 0.05
_GAP = 1.5
_SIDEWAYS_MM = 1.0


@dataclass(frozen=True)
class Slice:
    """The geometry of one DICOM file, LPS mm; what the file does not say is empty."""

    path: Path
    shape: tuple[int, int]
    samples: int
    photometric: str
    frames: int
    spacing: tuple[float, ...]
    orientation: tuple[float, ...]
    position: tuple[float, ...]

    @property
    def placed(self) -> bool:
        """Whether the file says where its pixels lie."""
        return (len(self.spacing), len(self.orientation), len(self.position)) == (2, 6, 3) and min(self.spacing) > 0

    @property
    def directions(self) -> Array:
        """Unit rows (3, 3), LPS: along increasing column, along increasing row, and their normal."""
        along_columns, along_rows = np.reshape(self.orientation, (2, 3)).astype(np.float64)
        normal = np.cross(along_columns, along_rows)
        rows = np.stack([along_columns, np.cross(normal, along_columns), normal])
        return rows / np.linalg.norm(rows, axis=1, keepdims=True)


@dataclass(frozen=True)
class DicomSeries:
    """The image files of one SeriesInstanceUID, in no particular order."""

    id: str
    uid: str
    folder: Path
    slices: tuple[Slice, ...]


def find_series(folder: Path) -> tuple[DicomSeries, ...]:
    """Every series of images below a folder, by series number; other files are passed over.

    Raises:
        InputError: the files belong to more than one study.
    """
    studies: set[str] = set()
    groups: dict[tuple[int, str], list[Slice]] = defaultdict(list)
    for file in sorted(folder.rglob("*")):
        header = _header(file) if file.is_file() else None
        if header is not None:
            studies.add(str(header.get("StudyInstanceUID", "")))
            groups[_whole(header, "SeriesNumber"), str(header.get("SeriesInstanceUID", ""))].append(
                _slice(file, header)
            )
    if len(studies) > 1:
        raise InputError(f"{folder} holds DICOM files of {len(studies)} studies; give one study's folder at a time")
    return tuple(
        DicomSeries(_id(number, uid, groups), uid, folder, tuple(slices))
        for (number, uid), slices in sorted(groups.items())
    )


def only_series(folder: Path) -> DicomSeries:
    """The one series of a folder.

    Raises:
        InputError: there is none, or more than one.
    """
    series = find_series(folder)
    if not series:
        raise InputError(f"{folder} holds no DICOM images; give an image file or the folder of one DICOM series")
    if len(series) > 1:
        names = ", ".join(f"{s.id} ({len(s.slices)} images)" for s in series)
        raise InputError(f"{folder} holds {len(series)} DICOM series: {names}; give each series its own folder")
    return series[0]


def read_series(series: DicomSeries) -> tuple[NDArray[np.float32], Array]:
    """Voxels (column, row, slice) after rescale slope and intercept, and their affine to RAS mm.

    Slices are sorted along their normal by position and their pitch is that of the positions; instance numbers,
    SliceThickness and SpacingBetweenSlices are not looked at.

    Raises:
        InputError: the files are not one gapless stack of parallel grey slices; the message says what they are.
    """
    where = f"{series.folder}, {series.id}"
    _refuse_images(series.slices, where)
    _refuse_frames(series.slices, where)
    normal = series.slices[0].directions[2]
    stack = sorted(series.slices, key=lambda piece: float(normal @ np.array(piece.position)))
    pitch = _pitch(stack, where)
    rows, columns = stack[0].shape
    array = np.empty((len(stack), rows, columns), dtype=np.float32)
    for plane, piece in zip(array, stack, strict=True):
        plane[:] = _pixels(piece)
    spacing = np.array([stack[0].spacing[1], stack[0].spacing[0], pitch])
    affine = np.eye(4)
    affine[:3, :3] = stack[0].directions.T * spacing
    affine[:3, 3] = stack[0].position
    return array.T, LPS_TO_RAS @ affine


def _header(file: Path) -> Dataset | None:
    """The tags of one image; None for a file that is no DICOM or holds no image (a report, a directory)."""
    header = Dataset()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            header = dcmread(file, stop_before_pixels=True, specific_tags=_HEADER_TAGS)
        damaged = "SeriesInstanceUID" not in header and file.name != "DICOMDIR"
    except PermissionError:
        raise InputError(f"{file} cannot be read; check its permissions") from None
    except InvalidDicomError:
        damaged = file.suffix.lower() == ".dcm"
    except (OSError, EOFError, ValueError, KeyError, NotImplementedError):
        damaged = True
    if damaged:
        warnings.warn(f"{file} is damaged DICOM and is passed over; export the series again", stacklevel=2)
    return header if _whole(header, "Rows") and _whole(header, "Columns") else None


def _whole(header: Dataset, keyword: str) -> int:
    """The number of a tag; 0 when it is absent or is none."""
    try:
        return int(header.get(keyword) or 0)
    except (TypeError, ValueError):
        return 0


def _id(number: int, uid: str, groups: dict[tuple[int, str], list[Slice]]) -> str:
    namesakes = sorted(other for n, other in groups if n == number)
    return f"series-{number}" if len(namesakes) == 1 else f"series-{number}-{namesakes.index(uid) + 1}"


def _slice(file: Path, header: Dataset) -> Slice:
    return Slice(
        path=file,
        shape=(_whole(header, "Rows"), _whole(header, "Columns")),
        samples=_whole(header, "SamplesPerPixel"),
        photometric=str(header.get("PhotometricInterpretation", _GREY)),
        frames=_whole(header, "NumberOfFrames"),
        spacing=_floats(header, "PixelSpacing"),
        orientation=_floats(header, "ImageOrientationPatient"),
        position=_floats(header, "ImagePositionPatient"),
    )


def _floats(header: Dataset, keyword: str) -> tuple[float, ...]:
    """The numbers of a tag; empty when it is absent or holds anything that is no finite number."""
    try:
        values = tuple(float(value) for value in header.get(keyword) or ())
    except (TypeError, ValueError):
        return ()
    return values if np.isfinite(values).all() else ()


def _refuse_images(slices: Sequence[Slice], where: str) -> None:
    """Every file must be one grey, placed image of the same matrix."""
    strange = next((s.photometric for s in slices if s.samples > 1 or s.photometric != _GREY), None)
    if strange:
        raise InputError(f"{where} holds colour or inverted images ({strange}); give the original series")
    if any(s.frames > 1 for s in slices):
        raise InputError(f"{where} is multi-frame DICOM; convert it to NIfTI first, for example with dcm2niix")
    if not all(s.placed for s in slices):
        raise InputError(f"{where} does not say where its images lie (a screenshot?); give the original series")
    shapes = sorted({s.shape for s in slices})
    if len(shapes) > 1:
        raise InputError(f"{where} mixes matrix sizes ({shapes[0]} and {shapes[1]}); give each stack its own folder")
    spacing = np.array([s.spacing for s in slices])
    if np.ptp(spacing, axis=0).max() > _SAME_SPACING_MM:
        raise InputError(f"{where} mixes pixel spacings; give each stack its own folder")
    if len(slices) < 2:
        raise InputError(f"{where} is a single slice; give the whole series")


def _refuse_frames(slices: Sequence[Slice], where: str) -> None:
    """All slices must be parallel."""
    frames: list[Array] = []
    for piece in slices:
        if not any(np.abs(piece.directions - frame).max() < _SAME_DIRECTION for frame in frames):
            frames.append(piece.directions)
    if len(frames) > 2:
        raise InputError(
            f"{where} holds slices in {len(frames)} orientations (a localiser, or blocks angled to each disc); "
            "give one stack of parallel slices"
        )
    if len(frames) == 2:
        raise InputError(f"{where} holds slices in two orientations; give each stack its own folder")


def _pitch(stack: Sequence[Slice], where: str) -> float:
    """Distance between the centres of neighbouring slices, mm, when it is the same throughout."""
    positions = np.array([s.position for s in stack])
    heights = (positions - positions[0]) @ stack[0].directions[2]
    steps = np.diff(heights)
    if steps.min() < _SAME_POSITION_MM:
        _refuse_repeats(stack, steps, where)
    pitch = float(np.median(steps))
    if steps.max() > _GAP * pitch:
        lost = int(np.round(steps / pitch - 1).sum())
        raise InputError(f"{where}: {lost} slice(s) are missing between the others; export the whole series again")
    if np.abs(steps - pitch).max() > _EVEN_PITCH * pitch:
        raise InputError(f"{where}: the slices are unevenly spaced ({steps.min():.2f} to {steps.max():.2f} mm)")
    sideways = positions - positions[0] - np.outer(heights, stack[0].directions[2])
    if np.linalg.norm(sideways, axis=1).max() > _SIDEWAYS_MM:
        raise InputError(f"{where}: the slices are shifted sideways against each other; resample the stack first")
    return float(steps.mean())


def _refuse_repeats(stack: Sequence[Slice], steps: Array, where: str) -> None:
    places = 1 + int((steps >= _SAME_POSITION_MM).sum())
    if len(stack) == places * (len(stack) // places):
        raise InputError(
            f"{where} holds {len(stack) // places} images at each of {places} positions (several echoes, time points "
            "or copies); give one volume"
        )
    again = next(second for (_, second), step in zip(pairwise(stack), steps, strict=True) if step < _SAME_POSITION_MM)
    raise InputError(f"{where}: {again.path.name} lies where another slice lies already; remove the duplicate")


def _pixels(piece: Slice) -> NDArray[np.float32]:
    """The grey values (row, column) in the scanner's units."""
    try:
        image = dcmread(piece.path, specific_tags=_PIXEL_TAGS)
        values = image.pixel_array.astype(np.float32)
    except (OSError, ValueError, RuntimeError, AttributeError, NotImplementedError) as error:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise InputError(f"{piece.path}: no pixels can be read ({reason}); export it again, uncompressed") from None
    return values * np.float32(image.get("RescaleSlope", 1)) + np.float32(image.get("RescaleIntercept", 0))
