"""The scans that count, their lesions and their findings, in columns."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spinedet.core.anatomy import Plane
from spinedet.core.errors import InputError
from spinedet.core.findings import FindingsTable, tabulate
from spinedet.core.reference import (
    Reference,
    ReferenceBox,
    ReferenceLesion,
    ReferenceSeries,
    ReferenceStudy,
    as_reference,
)
from spinedet.core.types import RAS_AXES, Axes, Findings, Manifest, TrainedOn, is_of_split
from spinedet.scoring.matching.overlaps import Boxes, Floats, Ints, Pairs, Sites, overlapping

PLANES: tuple[str, ...] = tuple(plane.value for plane in Plane)
_TIES_WORTH_A_WORD = 0.01


@dataclass(frozen=True)
class Selection:
    """Which part of a manifest is scored.

    Attributes:
        split: only these studies; a null split counts as test. None takes all. Excluded studies never count.
        planes: only series of these planes. None takes those that the detector declares, else all.
        allow_missing: leave out studies that the findings do not have, instead of refusing.
    """

    split: str | None = None
    planes: tuple[str, ...] | None = None
    allow_missing: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Scans:
    """One row per series that counts.

    Attributes:
        study, patient: rows of the cohort's studies and patients. series: its id. plane: row of `PLANES`.
        first: row in the findings' table of the first finding in its study.
    """

    study: Ints
    series: tuple[str, ...]
    plane: Ints
    patient: Ints
    first: Ints

    def of_plane(self, plane: int) -> NDArray[np.bool_]:
        """The scans of one plane, (s,)."""
        return np.equal(self.plane, plane)


@dataclass(frozen=True, slots=True, eq=False)
class Lesions:
    """One row per reference lesion on a scan that counts; `severity` is its grade, NaN where that is not known."""

    records: tuple[ReferenceLesion, ...]
    scan: Ints
    category: Ints
    ignore: NDArray[np.bool_]
    boxes: Boxes
    severity: Floats


@dataclass(frozen=True, slots=True, eq=False)
class Marks:
    """One row per finding on a scan that counts, in the order of the file; their boxes are not kept.

    Attributes:
        row: in the findings' table.
        level, likeliest, level_probability: as in the findings' table.
        falling: these findings by falling score, equal ones as listed; sorted once and for all.
        rank: of the score among the distinct ones, 1 for the lowest.
        severity: the predicted grade, NaN for none.
    """

    row: Ints
    scan: Ints
    category: Ints
    score: Floats
    level: Ints
    likeliest: Ints
    level_probability: Floats
    falling: Ints
    rank: Ints
    severity: Floats


@dataclass(frozen=True, slots=True, eq=False)
class Cohort:
    """A reference and a detector's findings, brought together.

    Attributes:
        patient_center: (p,) row of `centers` for each of `patients`.
        level_names: of the findings' levels.
        model, trained_on: of the detector, as its findings state them.
        not_read: ids of the studies that the findings do not have.
        notes: what a reader should know before the numbers.
    """

    categories: tuple[str, ...]
    studies: tuple[ReferenceStudy, ...]
    patients: tuple[str, ...]
    centers: tuple[str, ...]
    patient_center: Ints
    scans: Scans
    lesions: Lesions
    marks: Marks
    level_names: tuple[str, ...]
    model: dict[str, Any]
    trained_on: TrainedOn | None
    not_read: tuple[str, ...]
    notes: tuple[str, ...]

    @property
    def planes(self) -> tuple[str, ...]:
        """Names of the planes that are scored."""
        return tuple(PLANES[row] for row in np.unique(self.scans.plane).tolist())


@dataclass(frozen=True, eq=False)
class PlacedCohort:
    """A cohort with the boxes (n,) of its findings, which take more memory than all else and matching alone needs."""

    cohort: Cohort
    boxes: Boxes

    @cached_property
    def overlaps(self) -> Pairs:
        """Findings and lesions of one scan that overlap at all, of whatever category."""
        marks, lesions = self.cohort.marks, self.cohort.lesions
        return overlapping(Sites(self.boxes, marks.scan), Sites(lesions.boxes, lesions.scan))

    @property
    def cells(self) -> tuple[Sites, Sites]:
        """Findings and lesions by scan and category."""
        marks, lesions, width = self.cohort.marks, self.cohort.lesions, np.int32(len(self.cohort.categories))
        return (
            Sites(self.boxes, marks.scan * width + marks.category),
            Sites(lesions.boxes, lesions.scan * width + lesions.category),
        )


def as_table(findings: Findings | FindingsTable) -> FindingsTable:
    """The columns, whichever way the findings came."""
    return tabulate(findings) if isinstance(findings, Findings) else findings


def gather(reference: Manifest | Reference, table: FindingsTable, selection: Selection) -> PlacedCohort:
    """Bring a reference and a detector's findings together.

    Raises:
        InputError: a finding in a study, series or category that the manifest does not have; a study without
            findings; nothing to score. The message names the study and the field.
    """
    manifest = as_reference(reference)
    places = _places(table)
    _refuse_strangers(manifest, table, places)
    studies, not_read = _selected(manifest, table, selection)
    patients = sorted({study.patient for study in studies})
    centers = sorted({study.center for study in studies})
    home = {study.patient: centers.index(study.center) for study in studies}
    scans = _scans(studies, patients, _planes(table, selection), table)
    if not scans.series:
        raise InputError(_nothing_to_score(manifest, selection))
    number = {(studies[study].id, series): row for row, (study, series) in enumerate(_keys(scans))}
    marks = _marks(manifest, table, places, number)
    cohort = Cohort(
        categories=manifest.categories,
        studies=tuple(studies),
        patients=tuple(patients),
        centers=tuple(centers),
        patient_center=_ints(home[name] for name in patients),
        scans=scans,
        lesions=_lesions(manifest, studies, number),
        marks=marks,
        level_names=table.level_names,
        model=table.model,
        trained_on=table.trained_on,
        not_read=tuple(not_read),
        notes=(*_ties(marks.rank), *_silent_planes(scans, marks)),
    )
    return PlacedCohort(cohort, boxes_of(table, marks))


def boxes_of(table: FindingsTable, marks: Marks) -> Boxes:
    """The boxes of a cohort's findings, from the table that they were gathered from."""
    kept = _kept(table, marks.row)
    return Boxes(table.center[kept], table.size[kept], table.frame[kept], table.frames)


def _kept(table: FindingsTable, rows: Ints) -> Ints | slice:
    return rows if len(rows) < len(table) else slice(None)  # where every finding counts, no column is copied


def _ints(values: Iterable[int]) -> Ints:
    return np.fromiter(values, dtype=np.int64)


def _keys(scans: Scans) -> Iterable[tuple[int, str]]:
    return zip(scans.study.tolist(), scans.series, strict=True)


def _refuse_strangers(manifest: Reference, table: FindingsTable, places: _Places) -> None:
    known = {study.id: study for study in manifest.studies}
    for name in table.studies:
        if name not in known:
            raise InputError(f"{table.source}: study {name!r} is not in the manifest {manifest.name!r}; remove it")
    for code, name in enumerate(table.category_names):
        if name not in manifest.categories:
            raise InputError(
                f"{_named(table, table.category == code)}, category: unknown category {name!r}; "
                f"the manifest's categories are {sorted(manifest.categories)}"
            )
    for row, code in places.codes:
        series = table.series_names[code]
        if all(one.id != series for one in known[table.studies[row]].series):
            where = _named(table, (table.study == row) & (table.series == code))
            raise InputError(f"{where}, series: the manifest's study has no series {series!r}")


@dataclass(frozen=True, slots=True, eq=False)
class _Places:
    """The distinct (study, series) codes of a table, and for each finding which of them it is."""

    codes: list[tuple[int, int]]
    row: Ints


def _places(table: FindingsTable) -> _Places:
    # Findings of one series mostly stand together: number the runs, and only their first ones are looked at.
    first = np.ones(len(table), dtype=bool)
    first[1:] = (np.diff(table.study) != 0) | (table.series[1:] != table.series[:-1])
    start = np.flatnonzero(first)
    width = max(1, len(table.series_names))
    keys, run = np.unique(table.study[start].astype(np.int64) * width + table.series[start], return_inverse=True)
    length = np.diff(np.append(start, len(table)))
    return _Places([divmod(one, width) for one in keys.tolist()], np.repeat(run.astype(np.int32), length))


def _named(table: FindingsTable, rows: NDArray[np.bool_]) -> str:
    """The first of these findings in words: file, study and its number within the study."""
    first = int(np.argmax(rows))
    study = int(table.study[first])
    return (
        f"{table.source}: study {table.studies[study]!r}, finding number {first - int(np.argmax(table.study == study))}"
    )


def _selected(
    manifest: Reference, table: FindingsTable, selection: Selection
) -> tuple[list[ReferenceStudy], list[str]]:
    read = set(table.studies)
    selected = [
        study for study in manifest.studies if study.excluded is None and is_of_split(study.split, selection.split)
    ]
    not_read = [study.id for study in selected if study.id not in read]
    if not_read and not selection.allow_missing:
        raise InputError(
            f"{table.source}: study {not_read[0]!r} of the manifest is missing ({len(not_read)} in all); "
            "list a study without findings with an empty list, or use allow_missing=true"
        )
    return [study for study in selected if study.id in read], not_read


def _planes(table: FindingsTable, selection: Selection) -> tuple[str, ...]:
    declared = table.model.get("planes")
    planes = selection.planes or (tuple(declared) if isinstance(declared, list) and declared else PLANES)
    unknown = [plane for plane in planes if plane not in PLANES]
    if unknown:
        raise InputError(f"{table.source}: unknown plane {unknown[0]!r}; the planes are {', '.join(PLANES)}")
    return planes


def _nothing_to_score(manifest: Reference, selection: Selection) -> str:
    split = f" in split {selection.split!r}" if selection.split else ""
    planes = f" of plane {' or '.join(selection.planes)}" if selection.planes else ""
    return (
        f"manifest {manifest.name!r} has no series{planes}{split} to score (its {len(manifest.studies)} studies are "
        "excluded, not read or elsewhere); check split=, planes= and the findings"
    )


def _scans(
    studies: Sequence[ReferenceStudy], patients: Sequence[str], planes: tuple[str, ...], table: FindingsTable
) -> Scans:
    rank = {name: row for row, name in enumerate(patients)}
    kept: list[tuple[int, ReferenceSeries]] = [
        (row, series) for row, study in enumerate(studies) for series in study.series if series.plane.value in planes
    ]
    starts = np.searchsorted(table.study, np.arange(len(table.studies), dtype=table.study.dtype)).tolist()
    first = dict(zip(table.studies, starts, strict=True))
    return Scans(
        study=_ints(row for row, _ in kept),
        series=tuple(series.id for _, series in kept),
        plane=_ints(PLANES.index(series.plane.value) for _, series in kept),
        patient=_ints(rank[studies[row].patient] for row, _ in kept),
        first=np.fromiter((first[studies[row].id] for row, _ in kept), dtype=np.int32),
    )


def _lesions(manifest: Reference, studies: Sequence[ReferenceStudy], number: dict[tuple[str, str], int]) -> Lesions:
    # Lists of what is there already: so many new tuples would set off searches for garbage among all studies.
    records: list[ReferenceLesion] = []
    scans: list[int] = []
    for study in studies:
        for lesion in study.lesions:
            if (scan := number.get((study.id, lesion.series))) is not None:
                records.append(lesion)
                scans.append(scan)
    return Lesions(
        records=tuple(records),
        scan=_ints(scans),
        category=_ints(manifest.categories.index(lesion.category) for lesion in records),
        ignore=np.array([lesion.ignore for lesion in records], dtype=bool),
        boxes=_boxes([lesion.box for lesion in records]),
        severity=np.array([lesion.severity for lesion in records], dtype=float),
    )


def _boxes(boxes: Sequence[ReferenceBox]) -> Boxes:
    frames: dict[Axes, int] = {RAS_AXES: 0}
    frame = np.array([frames.setdefault(box.axes, len(frames)) for box in boxes], dtype=np.int32)
    return Boxes(_vectors(box.center for box in boxes), _vectors(box.size for box in boxes), frame, np.array([*frames]))


def _vectors(values: Iterable[tuple[float, float, float]]) -> Floats:
    return np.fromiter(chain.from_iterable(values), dtype=np.float64).reshape(-1, 3)


def _marks(manifest: Reference, table: FindingsTable, places: _Places, number: dict[tuple[str, str], int]) -> Marks:
    # Of a hundred thousand scans there are ten million findings: every column is as narrow as its values.
    places_scan = (number.get((table.studies[row], table.series_names[code]), -1) for row, code in places.codes)
    scan = np.fromiter(places_scan, dtype=np.int32)[places.row]
    rows = np.flatnonzero(scan >= 0).astype(np.int32)
    kept = _kept(table, rows)
    score = table.score[kept]
    falling = np.argsort(-score, kind="stable").astype(np.int32)
    lower = np.diff(score[falling], prepend=np.inf) < 0
    rank = np.empty(len(rows), dtype=np.int32)
    rank[falling] = lower.sum() + 1 - np.cumsum(lower, dtype=np.int32)
    category = np.array([manifest.categories.index(name) for name in table.category_names], dtype=np.int16)
    return Marks(
        row=rows,
        scan=scan[kept],
        category=category[table.category[kept]],
        score=score,
        level=table.level[kept],
        likeliest=table.likeliest[kept],
        level_probability=table.level_probability[kept],
        falling=falling,
        rank=rank,
        severity=table.severity[kept],
    )


def _ties(rank: Ints) -> list[str]:
    counts = np.bincount(rank)
    share = (len(rank) - (counts == 1).sum()) / max(1, len(rank))
    if share <= _TIES_WORTH_A_WORD:
        return []
    return [
        f"{share:.0%} of the findings share their score with another ({rank.max()} distinct scores): they move "
        "together, so the curves have few points"
    ]


def _silent_planes(scans: Scans, marks: Marks) -> list[str]:
    heard = np.flatnonzero(np.bincount(scans.plane[marks.scan])).tolist()
    return [
        f"no finding in any of the {int(scans.of_plane(plane).sum())} {PLANES[plane]} scans, which count all the "
        f"same; if the detector does not read them, name the planes that it reads (planes=)"
        for plane in np.unique(scans.plane).tolist()
        if plane not in heard and heard
    ]
