"""`index.html` over pictures of every series, and a page for each study on which a reader decides on its findings."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from spinedet.core.anatomy import Plane
from spinedet.core.file_names import file_name
from spinedet.core.files import write_bytes, write_text
from spinedet.core.types import StudyFindings
from spinedet.imaging.input_checks import describe_concerns
from spinedet.imaging.planes import SPECS
from spinedet.pipelines.outputs.writer import Output, OutputContext
from spinedet.pipelines.prediction import SeriesPrediction, SeriesRecord, StudyPrediction, StudyRecord
from spinedet.pipelines.sample import sample_note
from spinedet.report.prediction_page import Entry, WorklistRow, write_index
from spinedet.report.reading_page import ReadingSeries, ReadingStudy, reading_page
from spinedet.report.slice_pictures import Mark, draw_series

# Series of an archive that the page lists; `findings.json` holds all of them.
_MOST_LISTED = 200


def _write_study(study: StudyPrediction, context: OutputContext) -> None:
    _write_pictures(study, context)
    if study.series:
        write_text(reading_path(context.folder, study.id), reading_page(_reading(study)))


def reading_path(folder: Path, study: str) -> Path:
    """The reading page of a study."""
    return folder / "reading" / f"{file_name(study)}.html"


def _reading(study: StudyPrediction) -> ReadingStudy:
    concerns = (f"{one.series}: {concern}." for one in study.series for concern in describe_concerns(one.checks))
    return ReadingStudy(
        findings=study.findings,
        series=tuple(ReadingSeries(s.series, s.plane, s.volume, _image_name(s)) for s in study.series),
        region=study.model.region,
        thresholds=study.model.operating_point.values,
        model=study.model.record,
        notes=(*_doubts(study.findings), *concerns, *study.model.statements),
    )


def _doubts(findings: StudyFindings) -> Iterator[str]:
    """What a reader has to know of this study before all else."""
    note = sample_note((findings.images or {}).values())
    if note is not None:
        yield note
    for series, naming in (findings.naming or {}).items():
        if isinstance(naming, dict) and naming.get("wrong_region"):
            yield f"{series}: {naming['reason']}. Findings mean nothing in a region that the detector was not made for."


def _image_name(series: SeriesPrediction) -> str:
    """What an exported manifest calls the images: a file's own name; nothing of a DICOM folder, which may name a
    patient.
    """
    return series.files[0].name if len(series.files) == 1 else file_name(series.series)


def _write_pictures(study: StudyPrediction, context: OutputContext) -> None:
    for series in study.series if context.pictures else ():
        marks = [Mark(one.box, one.score, one.category) for one in series.above]
        content = draw_series(series.volume, SPECS[series.plane], [], marks)
        write_bytes(_picture(context.folder, series.path), content)


def _picture(folder: Path, path: str) -> Path:
    return folder / "pictures" / f"{path}.png"


def _write_page(records: Callable[[], Iterator[StudyRecord]], context: OutputContext) -> None:
    entries: list[Entry] = []
    worklist: list[WorklistRow] = []
    unlisted = 0
    doubts: tuple[str, ...] = ()
    for record in records():
        if record.findings is not None:
            worklist.append(_row(record, context.folder))
            doubts = tuple(_doubts(record.findings)) if len(worklist) == 1 else ()  # of many: in their rows
        for series in record.series:
            if len(entries) < _MOST_LISTED:
                entries.append(_entry(record, series, context))
            else:
                unlisted += 1
    model = context.model
    title = f"{model.name}: findings on T2 MRI of the {model.region.value} spine"
    studies = model.operating_point.chosen_on.studies
    notes = [*doubts, *model.statements, *([f"Thresholds were frozen on {studies} tuning studies."] if studies else [])]
    if unlisted:
        notes.append(f"{unlisted} more series are in findings.json.")
    write_index(context.folder / "index.html", title, entries, model.operating_point.values, tuple(notes), worklist)


def _row(record: StudyRecord, folder: Path) -> WorklistRow:
    namings = (record.findings.naming or {}).values() if record.findings else ()
    wrong = [one for one in namings if isinstance(one, dict) and one.get("wrong_region")]
    named = any(one.level for one in record.findings.findings) if record.findings else False
    return WorklistRow(
        study=record.id,
        reading=reading_path(folder, record.id),
        best=max((one.best for one in record.series if one.best is not None), default=None),
        above=sum(one.above for one in record.series),
        concerns=sum(len(one.concerns) for one in record.series) + len(wrong),
        unresolved=not named,
    )


def _entry(record: StudyRecord, series: SeriesRecord, context: OutputContext) -> Entry:
    own = record.findings.findings if record.findings else ()
    return Entry(
        name=series.series if series.series == record.id else f"{record.id}, {series.series}",
        plane=Plane(series.plane),
        findings=tuple(one for one in own if one.series == series.series),
        picture=_picture(context.folder, series.path) if context.pictures else None,
        remarks=series.concerns,
        reading=reading_path(context.folder, record.id),
    )


OUTPUT = Output("index.html", _write_study, _write_page)
