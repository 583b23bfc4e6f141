"""A reader study of radiographs, from the files of readings to its record."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from spinedet.core.errors import InputError
from spinedet.core.files import read_json, sha256
from spinedet.core.radiograph import RadiographManifest, phantom_note, read_radiograph_cohort
from spinedet.core.radiograph.manifest import FORMAT
from spinedet.core.radiograph.readings import Readings, read_readings
from spinedet.scoring.reader_study.effects import (
    AIDED,
    METHOD,
    PROGRAM,
    UNAIDED,
    MeasuredReading,
    analyses,
    disagreements,
    reader_rows,
)
from spinedet.scoring.reader_study.figures_of_merit import FEWEST_LESION_FREE
from spinedet.scoring.reader_study.labels import (
    RIGHT_LABEL,
    GatheredReading,
    LabelReaderSettings,
    LabelReading,
    aided_labels,
    cases_by_label,
    check_label_figure,
    describe_label_figure,
    gather_label_readings,
    reading_times,
    time_analyses,
)
from spinedet.scoring.reader_study.obuchowski_rockette import FEWEST_READERS
from spinedet.scoring.reader_study.records import Design, ReaderStudy


@dataclass(frozen=True)
class ReadingFiles:
    """Manifests of radiographs and readings of them.

    Attributes:
        readers, aided: of the same people in the same order, whose names are `names`. program: of a network.
        threshold: from which the program's score is the finding; its own labels count when None.
    """

    reference: tuple[Path, ...]
    readers: tuple[Path, ...]
    aided: tuple[Path, ...]
    names: tuple[str, ...]
    program: Path | None = None
    threshold: float | None = None


def holds_radiographs(reference: Sequence[Path]) -> bool:
    """Whether these are manifests of radiographs.

    Raises:
        InputError: some are and others are not.
    """
    kinds = {path: _format(path) == FORMAT for path in reference}
    if len(set(kinds.values())) > 1:
        other = next(path for path, films in kinds.items() if films is not kinds[reference[0]])
        raise InputError(f"{reference[0]} and {other} are manifests of scans and of radiographs; analyse one at a time")
    return all(kinds.values())


def _format(path: Path) -> object:
    raw = read_json(path)
    return raw.get("format") if isinstance(raw, dict) else None


@dataclass(frozen=True, eq=False)
class RadiographReaderStudy:
    """The record of a study, and the readings that it rests on."""

    record: ReaderStudy
    measured: tuple[MeasuredReading, ...]


def study_radiograph_readers(
    files: ReadingFiles, settings: LabelReaderSettings, design: Design
) -> RadiographReaderStudy:
    """Read and analyse.

    Raises:
        InputError: as `gather_label_readings`; or a file of readings is of a network where a person's is wanted, or the
            other way round.
    """
    manifest = read_radiograph_cohort(list(files.reference))
    check_label_figure(manifest, settings)
    gathered = gather_label_readings(manifest, list(_given(files)), settings)
    measured = tuple(one.measured for one in gathered)
    first = gathered[0]
    program = next((one.given.readings.model for one in gathered if one.given.condition == PROGRAM), None)
    record = ReaderStudy(
        name=manifest.name,
        figure=describe_label_figure(manifest, settings),
        unit=settings.unit,
        criterion={"name": "label", "description": RIGHT_LABEL},
        confidence=settings.confidence,
        method=METHOD,
        patients=len(set(first.items.patient.tolist())),
        diseased_cases=0,
        lesion_free_cases=0,
        lesions=0,
        labels=dict(cases_by_label(first)),
        readings=tuple(reader_rows(measured, settings.confidence)),
        analyses=tuple(analyses(measured, settings.confidence)),
        disagreements=tuple(disagreements(measured)),
        aided_labels=tuple(aided_labels(gathered, settings.confidence)),
        times=tuple(reading_times(gathered)),
        time_analyses=time_analyses(gathered, settings.confidence),
        design=design,
        thresholds=_threshold_words(files),
        notes=tuple(_notes(manifest, gathered, settings, design)),
        model=program,
    )
    return RadiographReaderStudy(record, measured)


def _given(files: ReadingFiles) -> Iterator[LabelReading]:
    for condition, paths in ((UNAIDED, files.readers), (AIDED, files.aided)):
        for name, path in zip(files.names, paths, strict=False):
            yield LabelReading(name, condition, _read(path, by_person=True), str(path), sha256(path))
    if files.program is not None:
        readings = _read(files.program, by_person=False)
        yield LabelReading("program", PROGRAM, readings, str(files.program), sha256(files.program), files.threshold)


def _read(path: Path, *, by_person: bool) -> Readings:
    if path.is_dir():
        raise InputError(
            f"{path} is a folder; of radiographs every reader has one file of readings (spinedet-readings)"
        )
    readings = read_readings(path)
    if by_person and not readings.by_reader:
        raise InputError(
            f'{path}: readers= and aided= take readings of people, whose model says "kind": "reader"; a network\'s go '
            "to model="
        )
    if readings.by_reader and not by_person:
        raise InputError(f"{path}: model= takes readings of a network, and these are a person's; pass them as readers=")
    return readings


def _threshold_words(files: ReadingFiles) -> str:
    people = "labels of readers count as they were given"
    if files.program is None:
        return people
    if files.threshold is None:
        return f"{people}; labels of the program count as its run gave them"
    return f"{people}; the program calls the finding from a score of {files.threshold:g}"


def _notes(
    manifest: RadiographManifest, gathered: Sequence[GatheredReading], settings: LabelReaderSettings, design: Design
) -> Iterator[str]:
    studies = [one for one in manifest.studies if settings.split in (None, one.split and one.split.value)]
    yield from phantom_note(studies)
    people = [one for one in gathered if one.given.condition == UNAIDED]
    if len(people) < FEWEST_READERS:
        yield f"{len(people)} readers: the results hold for these people and say nothing of other readers"
    if len(gathered) > len(people) and not design.washout and any(one.given.condition == AIDED for one in gathered):
        yield "the time between the unaided and the aided reading was not stated (washout=)"
    fewest, count = min(cases_by_label(gathered[0]).items(), key=lambda pair: pair[1])
    if count < FEWEST_LESION_FREE:
        yield f"only {count} cases ({settings.unit}s) with the label {fewest}: what is said of it rests on them"
    if any(one.rated_by == "label" for one in gathered):
        yield "a reading has no grades of confidence, so that its curve has one point; fom=accuracy is fairer"
    for one in gathered:
        untimed = sum(image.seconds is None for image in one.images)
        if one.given.condition != PROGRAM and 0 < untimed < len(one.images):
            yield f"{one.given.reader} ({one.given.condition}): {untimed} of {len(one.images)} images have no time"
    rejected = [f"{one.given.reader} ({one.given.condition}) {count}" for one in gathered if (count := one.unanswered)]
    if rejected:
        yield f"cases without an answer, which count as wrong: {', '.join(rejected)}"
