"""The header of one DICOM file, classic or enhanced multi-frame, as slices without the patient."""

from __future__ import annotations

import re
import struct
import warnings
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from pydicom import dcmread
from pydicom.dataset import Dataset, FileDataset
from pydicom.errors import BytesLengthException, InvalidDicomError
from pydicom.filereader import read_partial
from pydicom.tag import Tag

from spinedet.core.errors import InputError
from spinedet.imaging.dicom.records import GREY, Acquisition, PixelMatrix, Pseudonyms, Slice

# Only these are parsed; those that name somebody are hashed before anything is kept.
_HASHED_TAGS = ["PatientID", "StudyInstanceUID", "SeriesInstanceUID"]
HEADER_TAGS = [
    *_HASHED_TAGS,
    "SOPClassUID",
    "SeriesNumber",
    "Modality",
    "ImageType",
    "SeriesDescription",
    "ProtocolName",
    "ScanningSequence",
    "ScanOptions",
    "AcquisitionContrast",
    "EchoTime",
    "RepetitionTime",
    "InversionTime",
    "DiffusionBValue",
    "MagneticFieldStrength",
    "SliceThickness",
    "SpacingBetweenSlices",
    "Rows",
    "Columns",
    "SamplesPerPixel",
    "PhotometricInterpretation",
    "NumberOfFrames",
    "PixelSpacing",
    "ImageOrientationPatient",
    "ImagePositionPatient",
    "SharedFunctionalGroupsSequence",
    "PerFrameFunctionalGroupsSequence",
]
# The words that are read from a description; anything else in it, a name for instance, is not read.
VOCABULARY = {
    "T1": r"t1(?!\d)",
    "T2": r"t2(?!\d|\s*\*|\W?star)",
    "T2*": r"t2\s*\*|t2\W?star|medic|merge|m-?ffe",
    "PD": r"\bpd",
    "STIR": r"stir|tirm",
    "FLAIR": r"flair",
    "DWI": r"dwi|diff|\badc|resolve",
    "fat-suppressed": r"\bfs\b|fat ?sat|spair|\bspir\b|dixon|ideal|\bwater",
    "localiser": r"\bloc|scout|survey|plan|smartbrain|three.?plane|3.?plane",
    "myelogram": r"myel",
    "sagittal": r"\bsag|sag\b",
    "axial": r"\bax|\btra|ax\b|tra\b",
    "coronal": r"\bcor(?!d)|cor\b",
    "lumbar": r"lumb|\blws\b|l-?spine",
    "cervical": r"cerv|\bhws\b|c-?spine|\bneck",
}
_PATTERNS = {word: re.compile(pattern) for word, pattern in VOCABULARY.items()}
_SECONDARY_CAPTURE = "1.2.840.10008.5.1.4.1.1.7"
# What pydicom raises on damaged files.
DAMAGE = (
    *(OSError, EOFError, ValueError, LookupError, AttributeError, TypeError, ArithmeticError, MemoryError),
    *(NotImplementedError, RecursionError, BytesLengthException, struct.error),
)
# How a file begins that was written without the preamble of part 10: with group 0002 or 0008 in little endian.
_BARE = re.compile(rb"(\x02\x00[\x00-\x02\x10]|\x08\x00[\x00-\x18])\x00")
# A header that announces more frames is damaged; nothing of it could be read.
_MOST_FRAMES = 1 << 16
# Where the pixels lie; what follows them, private groups for instance, is never parsed.
_PIXEL_DATA = 0x7FE00010


@dataclass(frozen=True)
class Header:
    """One file: its slices, and hashes of what they belong to."""

    patient: str
    study: str
    series: str
    number: int
    slices: tuple[Slice, ...]


def read_with_pixels(file: str | Path, tags: list[str]) -> FileDataset:
    """These tags of a file, pixels included; nothing behind the pixels is parsed, where writers leave sequences open.

    Raises:
        OSError, ValueError, ...: as pydicom's `read_partial`, which reads files without preamble too.
    """
    with open(file, "rb") as stream:
        return read_partial(
            stream, stop_when=lambda tag, _, __: tag > _PIXEL_DATA, force=True, specific_tags=[Tag(tag) for tag in tags]
        )


class HeaderReader:
    """Reads headers; equal matrices and acquisitions are kept once, so that an index stays small."""

    def __init__(self, pseudonyms: Pseudonyms) -> None:
        self._pseudonyms = pseudonyms
        self._matrices: dict[PixelMatrix, PixelMatrix] = {}
        self._acquisitions: dict[Acquisition, Acquisition] = {}

    def read(self, file: Path) -> Header | None:
        """The file's header; None for a file that is no DICOM or holds no image (a report, a directory).

        Raises:
            InputError: the file may not be read.
        """
        header = _parse(file)
        try:
            return None if header is None else self._header(file, header)
        except DAMAGE:  # values are converted on access
            _warn_of_damage(file)
            return None

    def _header(self, file: Path, header: Dataset) -> Header | None:
        size = _whole(header, "Rows"), _whole(header, "Columns")
        if min(size) < 0:
            raise ValueError(f"a matrix of {size}")
        if 0 in size:
            return None
        patient, study, series = (str(header.get(tag) or "") for tag in _HASHED_TAGS)
        return Header(
            patient=self._pseudonyms.of(patient),
            study=self._pseudonyms.of(study),
            series=self._pseudonyms.of(series),
            number=_whole(header, "SeriesNumber"),
            slices=tuple(self._slices(file, header)),
        )

    def _slices(self, file: Path, header: Dataset) -> Iterator[Slice]:
        for number in range(min(max(1, _whole(header, "NumberOfFrames")), _MOST_FRAMES)):
            groups = functional_groups(header, number)
            matrix, acquisition = _pixel_matrix(header, groups), _acquisition(header, groups)
            yield Slice(
                file=str(file),
                frame=number,
                matrix=self._matrices.setdefault(matrix, matrix),
                acquisition=self._acquisitions.setdefault(acquisition, acquisition),
                position=_floats(groups, "ImagePositionPatient") or _floats([header], "ImagePositionPatient"),
            )


def _parse(file: Path) -> Dataset | None:
    header = Dataset()
    try:
        bare = _is_bare(file)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            header = dcmread(file, stop_before_pixels=True, specific_tags=HEADER_TAGS, force=bare)
        damaged = "SeriesInstanceUID" not in header and not bare and file.name != "DICOMDIR"
    except PermissionError:
        raise InputError(f"{file} cannot be read; check its permissions") from None
    except InvalidDicomError:
        damaged = file.suffix.lower() == ".dcm"
    except DAMAGE:
        damaged = True
    if damaged:
        _warn_of_damage(file)
        return None
    return header


def _warn_of_damage(file: Path) -> None:
    warnings.warn(f"{file} is damaged DICOM and is left out; export the series again", stacklevel=5)


def _is_bare(file: Path) -> bool:
    with file.open("rb") as stream:
        return bool(_BARE.match(stream.read(4)))


def functional_groups(header: Dataset, frame: int) -> list[Dataset]:
    """The data sets of an enhanced file that describe a frame, nearest first: its own groups, then the shared ones."""
    own = header.get("PerFrameFunctionalGroupsSequence") or []
    return [*_items(own[frame : frame + 1]), *_items(header.get("SharedFunctionalGroupsSequence") or [])]


def _items(sequence: Iterable[Dataset]) -> list[Dataset]:
    """The data sets one floor below those of a functional groups sequence."""
    groups = (element.value for item in sequence for element in item if element.VR == "SQ")
    return [inner for group in groups for inner in group]


def _pixel_matrix(header: Dataset, groups: list[Dataset]) -> PixelMatrix:
    sources = [*groups, header]
    return PixelMatrix(
        shape=(_whole(header, "Rows"), _whole(header, "Columns")),
        spacing=_floats(sources, "PixelSpacing"),
        orientation=_floats(sources, "ImageOrientationPatient"),
        samples=_whole(header, "SamplesPerPixel"),
        photometric=str(header.get("PhotometricInterpretation", GREY)),
    )


def _acquisition(header: Dataset, groups: list[Dataset]) -> Acquisition:
    sources = [*groups, header]
    return Acquisition(
        modality=str(header.get("Modality") or ""),
        secondary_capture=str(header.get("SOPClassUID", "")).startswith(_SECONDARY_CAPTURE),
        kinds=_names(next((g for g in groups if "FrameType" in g), header), "FrameType", "ImageType"),
        sequence=_names(header, "ScanningSequence"),
        options=_names(header, "ScanOptions"),
        contrast=str(header.get("AcquisitionContrast") or ""),
        echo_time=_number(sources, "EffectiveEchoTime", "EchoTime"),
        repetition_time=_number(sources, "RepetitionTime"),
        inversion_time=_number(sources, "InversionTimes", "InversionTime"),
        b_value=_number(sources, "DiffusionBValue"),
        field_strength=_number(sources, "MagneticFieldStrength"),
        thickness=_number(sources, "SliceThickness"),
        between=_number(sources, "SpacingBetweenSlices"),
        words=words_in(str(header.get("SeriesDescription") or header.get("ProtocolName") or "")),
    )


def words_in(text: str) -> frozenset[str]:
    """The words of `VOCABULARY` that a text holds."""
    plain = text.lower().replace("_", " ")
    return frozenset(word for word, pattern in _PATTERNS.items() if pattern.search(plain))


def _names(header: Dataset, *keywords: str) -> frozenset[str]:
    value = next((header.get(keyword) for keyword in keywords if header.get(keyword)), ())
    return frozenset(str(part).upper() for part in ([value] if isinstance(value, str) else value))


def _whole(header: Dataset, keyword: str) -> int:
    """The number of a tag; 0 when it is absent or is none."""
    try:
        return int(header.get(keyword) or 0)
    except (TypeError, ValueError):
        return 0


def _number(sources: Iterable[Dataset], *keywords: str) -> float | None:
    """The first finite number that any source gives for any of the tags."""
    found = (_floats([source], keyword) for keyword in keywords for source in sources)
    return next((values[0] for values in found if values), None)


def _floats(sources: Iterable[Dataset], keyword: str) -> tuple[float, ...]:
    """The numbers of a tag; empty when it is absent or holds anything that is no finite number."""
    value = next((source.get(keyword) for source in sources if source.get(keyword) is not None), ())
    try:
        values = tuple(float(part) for part in (value if isinstance(value, Iterable) else (value,)))
    except (TypeError, ValueError):
        return ()
    return values if np.isfinite(values).all() else ()
