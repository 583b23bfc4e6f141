"""Studies and series of DICOM files whose identifiers differ from slice to slice, as some exports leave them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field

from spinedet.imaging.dicom.records import Slice

# One slice under each of so many identifiers is no coincidence.
_LEAST_SLICES = 3


@dataclass
class SeriesFiles:
    """The slices under one SeriesInstanceUID and SeriesNumber, and what was corrected."""

    slices: list[Slice] = field(default_factory=list)
    notes: tuple[str, ...] = ()


# By (StudyInstanceUID, PatientID), hashed, then by (SeriesNumber, SeriesInstanceUID), hashed.
StudyKey = tuple[str, str]
SeriesKey = tuple[int, str]
Studies = dict[StudyKey, dict[SeriesKey, SeriesFiles]]


def repair_identifiers(studies: Studies, missing: str) -> Studies:
    """The same slices with one identifier where each slice had its own; notes say which.

    A PatientID or StudyInstanceUID of its own on every slice is replaced by that of the first, a SeriesNumber by the
    lowest. Slices with a SeriesInstanceUID each are joined by their SeriesNumber, or where that differs too, by matrix,
    direction and acquisition; what is no stack of slices is split again by geometry.

    Args:
        studies: of a folder; not changed.
        missing: the hash of an identifier that is absent, which joins nothing.
    """
    joined = _join_patients(studies, missing)
    joined = _join_studies(joined, missing)
    return {key: _join_uids(_join_numbers(series, missing)) for key, series in joined.items()}


def _join_patients(studies: Studies, missing: str) -> Studies:
    """One patient in a study whose every slice names another."""
    by_study: dict[str, list[StudyKey]] = defaultdict(list)
    for key in studies:
        by_study[key[0]].append(key)
    joined: Studies = {}
    for study, keys in by_study.items():
        single = all(sum(len(files.slices) for files in studies[key].values()) == 1 for key in keys)
        if study == missing or len(keys) < _LEAST_SLICES or not single:
            joined |= {key: studies[key] for key in keys}
        else:
            joined[keys[0]] = _merged([studies[key] for key in keys], "PatientID differs from slice to slice: ignored")
    return joined


def _join_studies(studies: Studies, missing: str) -> Studies:
    """One study for a series of one patient whose every slice names another study."""
    holders: dict[tuple[str, str], list[StudyKey]] = defaultdict(list)
    for key, series in studies.items():
        for _, uid in series:
            holders[uid, key[1]].append(key)
    joined = dict(studies)
    for (uid, _), keys in holders.items():
        single = all(list(map(_count, studies[key].values())) == [1] for key in keys)
        if uid != missing and len(keys) >= _LEAST_SLICES and single:
            note = "StudyInstanceUID differs from slice to slice: ignored"
            joined[keys[0]] = _merged([studies[key] for key in keys], note)
            for key in keys[1:]:
                del joined[key]
    return joined


def _merged(parts: list[dict[SeriesKey, SeriesFiles]], note: str) -> dict[SeriesKey, SeriesFiles]:
    merged: dict[SeriesKey, SeriesFiles] = {}
    for part in parts:
        for key, files in part.items():
            home = merged.setdefault(key, SeriesFiles(notes=(*files.notes, note)))
            home.slices += files.slices
    return merged


def _count(files: SeriesFiles) -> int:
    return len(files.slices)


def _join_numbers(series: dict[SeriesKey, SeriesFiles], missing: str) -> dict[SeriesKey, SeriesFiles]:
    """One number for a series whose every slice has another."""
    note = "SeriesNumber differs from slice to slice: ignored"
    return _join(series, lambda key, _: None if key[1] == missing else key[1], note)


def _join_uids(series: dict[SeriesKey, SeriesFiles]) -> dict[SeriesKey, SeriesFiles]:
    """One series for slices that each claim to be one: by number where they share it, else by how they were made."""
    note = "SeriesInstanceUID differs from slice to slice: grouped by "
    by_number = _join(series, lambda key, _: key[0] or None, f"{note}SeriesNumber and geometry")
    return _join(by_number, lambda _, piece: _made(piece), f"{note}geometry and acquisition")


def _made(piece: Slice) -> Hashable:
    how = piece.acquisition
    echo = None if how.echo_time is None else round(how.echo_time)
    return (piece.matrix, how.modality, how.kinds, how.sequence, how.words, echo) if piece.has_position else None


def _join(
    series: dict[SeriesKey, SeriesFiles], common: Callable[[SeriesKey, Slice], Hashable], note: str
) -> dict[SeriesKey, SeriesFiles]:
    """Series of one slice that have something in common, joined under the lowest key; None has nothing in common."""
    groups: dict[Hashable, list[SeriesKey]] = defaultdict(list)
    for key, files in series.items():
        if len(files.slices) == 1 and common(key, files.slices[0]) is not None:
            groups[common(key, files.slices[0])].append(key)
    joined = dict(series)
    for keys in groups.values():
        if len(keys) >= _LEAST_SLICES:
            slices = [piece for key in keys for piece in joined.pop(key).slices]
            notes = (*series[keys[0]].notes, note)
            joined[min(keys)] = SeriesFiles(slices, notes)
    return joined
