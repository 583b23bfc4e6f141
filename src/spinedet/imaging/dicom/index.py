"""A folder's DICOM files sorted into studies and series, from their headers alone."""

from __future__ import annotations

import os
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from spinedet.core.errors import InputError
from spinedet.imaging.dicom.headers import HeaderReader
from spinedet.imaging.dicom.records import Pseudonyms, Slice
from spinedet.imaging.dicom.stacks import Block, split_series

# Called with how many files have been seen.
Seen = Callable[[int], None]


@dataclass(frozen=True)
class DicomSeries:
    """The image files of one SeriesInstanceUID, in no particular order.

    Attributes:
        id: `series-` and the series number, with a further number where several series share it.
        key: salted hash of the SeriesInstanceUID.
    """

    id: str
    key: str
    slices: tuple[Slice, ...]


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
    folder: Path, pseudonyms: Pseudonyms | None = None, seen: Seen | None = None
) -> tuple[DicomStudy, ...]:
    """Every study below a folder, in the order in which their first files are found; other files are passed over.

    Of each image some 500 bytes stay in memory.

    Raises:
        InputError: a file may not be read.
    """
    reader = HeaderReader(pseudonyms or Pseudonyms())
    studies: dict[tuple[str, str], dict[tuple[int, str], list[Slice]]] = defaultdict(lambda: defaultdict(list))
    for count, file in enumerate(_files(folder), start=1):
        header = reader.read(file)
        if header is not None:
            studies[header.study, header.patient][header.number, header.series].extend(header.slices)
        if seen is not None:
            seen(count)
    return tuple(DicomStudy(key, patient, folder, _series(groups)) for (key, patient), groups in studies.items())


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
    blocks = split_series(series[0].id, series[0].slices)
    if len(blocks) > 1:
        names = ", ".join(f"{block.id} ({'; '.join(filter(None, (block.summary, block.fault)))})" for block in blocks)
        raise InputError(f"{folder} holds {len(blocks)} stacks of slices: {names}; give each stack its own folder")
    return blocks[0]


def _files(folder: Path) -> Iterator[Path]:
    for root, folders, names in os.walk(folder):
        folders.sort()
        for name in sorted(names):
            file = Path(root) / name
            if file.is_file():
                yield file


def _series(groups: dict[tuple[int, str], list[Slice]]) -> tuple[DicomSeries, ...]:
    """By number; those that share one are told apart by the order in which they were found."""
    shared = Counter(number for number, _ in groups)
    taken: Counter[int] = Counter()
    found = []
    for (number, key), slices in sorted(groups.items(), key=lambda item: item[0][0]):
        taken[number] += 1
        suffix = f"-{taken[number]}" if shared[number] > 1 else ""
        found.append(DicomSeries(f"series-{number}{suffix}", key, tuple(slices)))
    return tuple(found)
