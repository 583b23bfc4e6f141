"""A folder's DICOM files sorted into studies and series, from their headers alone."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from spinedet.core.errors import InputError
from spinedet.core.folder_walk import list_files
from spinedet.imaging.dicom.headers import HeaderReader
from spinedet.imaging.dicom.identifiers import SeriesFiles, SeriesKey, Studies, repair_identifiers
from spinedet.imaging.dicom.records import Pseudonyms, Slice
from spinedet.imaging.dicom.stacks import Block, split_series

# Called with how many files have been seen.
Seen = Callable[[int], None]


@dataclass(frozen=True)
class DicomSeries:
    """The image files of one series, in no particular order.

    Attributes:
        id: `series-` and the series number, with a further number where several series share it.
        key: salted hash of the SeriesInstanceUID. notes: what was corrected in its identifiers, in words.
    """

    id: str
    key: str
    slices: tuple[Slice, ...]
    notes: tuple[str, ...] = ()

    def stacks(self) -> tuple[Block, ...]:
        """Its stacks, as `split_series`."""
        return tuple(replace(block, notes=(*self.notes, *block.notes)) for block in split_series(self.id, self.slices))


@dataclass(frozen=True)
class DicomStudy:
    """All series of one examination.

    Attributes:
        key, patient: salted hashes of the StudyInstanceUID and of the PatientID.
        folder: below which its files were found.
    """

    key: str
    patient: str
    folder: Path
    series: tuple[DicomSeries, ...]


def index_folder(
    folder: Path,
    pseudonyms: Pseudonyms | None = None,
    seen: Seen | None = None,
    files: Iterable[Path] | None = None,
) -> tuple[DicomStudy, ...]:
    """Every study below a folder, in the order in which their first files are found; other files are ignored.

    Of each image some 500 bytes stay in memory. `files` are those of the folder, if they have been listed already.

    Raises:
        InputError: a file may not be read.
    """
    pseudonyms = pseudonyms or Pseudonyms()
    reader = HeaderReader(pseudonyms)
    studies: Studies = defaultdict(lambda: defaultdict(SeriesFiles))
    for count, file in enumerate(_listed(folder) if files is None else files, start=1):
        header = reader.read(file)
        if header is not None:
            studies[header.study, header.patient][header.number, header.series].slices.extend(header.slices)
        if seen is not None:
            seen(count)
    repaired = repair_identifiers(studies, pseudonyms.of(""))
    return tuple(DicomStudy(key, patient, folder, _series(groups)) for (key, patient), groups in repaired.items())


def _listed(folder: Path) -> tuple[Path, ...]:
    listing = list_files(folder)
    listing.warn()
    return listing.files


def only_block(folder: Path) -> Block:
    """The one stack of the one series of a folder.

    Raises:
        InputError: there is none, or more than one.
    """
    series = [series for study in index_folder(folder) for series in study.series]
    if not series:
        raise InputError(f"{folder} holds no DICOM images; give an image file or the folder of one DICOM series")
    if len(series) > 1:
        names = ", ".join(f"{s.id} ({len(s.slices)} images)" for s in series)
        raise InputError(f"{folder} holds {len(series)} DICOM series: {names}; give each series its own folder")
    blocks = series[0].stacks()
    if len(blocks) > 1:
        names = ", ".join(f"{block.id} ({'; '.join(filter(None, (block.summary, block.fault)))})" for block in blocks)
        raise InputError(f"{folder} holds {len(blocks)} stacks of slices: {names}; give each stack its own folder")
    return blocks[0]


def _series(groups: dict[SeriesKey, SeriesFiles]) -> tuple[DicomSeries, ...]:
    """By number; those that share one are numbered in the order in which they were found."""
    shared = Counter(number for number, _ in groups)
    taken: Counter[int] = Counter()
    found = []
    for (number, key), files in sorted(groups.items(), key=lambda item: item[0][0]):
        taken[number] += 1
        suffix = f"-{taken[number]}" if shared[number] > 1 else ""
        found.append(DicomSeries(f"series-{number}{suffix}", key, tuple(files.slices), files.notes))
    return tuple(found)
