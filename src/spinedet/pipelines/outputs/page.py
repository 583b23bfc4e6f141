"""`index.html` over pictures of every series with its findings above the operating point."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from spinedet.core.anatomy import Plane
from spinedet.core.files import write_bytes
from spinedet.imaging.planes import SPECS
from spinedet.pipelines.outputs.writer import Output, OutputContext
from spinedet.pipelines.prediction import SeriesRecord, StudyPrediction, StudyRecord
from spinedet.report.prediction_page import Entry, write_index
from spinedet.report.slice_pictures import Mark, draw_series

# Series of an archive that the page lists; `findings.json` holds all of them.
_MOST_LISTED = 200


def _write_pictures(study: StudyPrediction, context: OutputContext) -> None:
    for series in study.series if context.pictures else ():
        marks = [Mark(one.box, one.score, one.category) for one in series.above]
        content = draw_series(series.volume, SPECS[series.plane], [], marks)
        write_bytes(_picture(context.folder, series.path), content)


def _picture(folder: Path, path: str) -> Path:
    return folder / "pictures" / f"{path}.png"


def _write_page(records: Callable[[], Iterator[StudyRecord]], context: OutputContext) -> None:
    entries: list[Entry] = []
    unlisted = 0
    for record in records():
        for series in record.series:
            if len(entries) < _MOST_LISTED:
                entries.append(_entry(record, series, context))
            else:
                unlisted += 1
    model = context.model
    title = f"{model.name}: findings on T2 MRI of the {model.region.value} spine"
    notes = [f"Thresholds were frozen on {model.operating_point.chosen_on.studies} tuning studies."]
    if model.trained_on is not None:
        notes.insert(0, model.trained_on.sentence)
    if unlisted:
        notes.append(f"{unlisted} more series are in findings.json.")
    write_index(context.folder / "index.html", title, entries, model.operating_point.values, tuple(notes))


def _entry(record: StudyRecord, series: SeriesRecord, context: OutputContext) -> Entry:
    own = record.findings.findings if record.findings else ()
    return Entry(
        name=series.series if series.series == record.id else f"{record.id}, {series.series}",
        plane=Plane(series.plane),
        findings=tuple(one for one in own if one.series == series.series),
        picture=_picture(context.folder, series.path) if context.pictures else None,
        remarks=series.concerns,
    )


OUTPUT = Output("index.html", _write_pictures, _write_page)
