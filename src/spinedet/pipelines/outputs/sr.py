"""`dicom/<study>/report.dcm`: the findings of a study as a DICOM Structured Report, which names the patient."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from pydicom.dataset import Dataset

from spinedet.cli.console import console, escaped
from spinedet.core.errors import InputError
from spinedet.core.file_names import file_name
from spinedet.core.files import write_bytes, write_text
from spinedet.core.types import Finding
from spinedet.formats.dicom_key_images import Picture, capture, selection
from spinedet.formats.dicom_report import ReportContent, ReportedFinding, build_report, document_bytes
from spinedet.formats.dicom_sources import SourceStack, open_stack, same_study
from spinedet.imaging.planes import SPECS
from spinedet.pipelines.outputs.settings import ReportSettings
from spinedet.pipelines.outputs.writer import Output, OutputContext
from spinedet.pipelines.prediction import SeriesPrediction, StudyPrediction, StudyRecord
from spinedet.report.slice_pictures import Mark, draw_series

FOLDER = "dicom"
_REFUSED = "not_written.txt"
_README = """This folder contains patient identifiers: name, ID, birth date and examination, as the images give them.
The documents in it are written by research software; they are no diagnosis, and nobody has verified them.
Send them with: spinedet push out=FOLDER url=http(s)://HOST/dicom-web
"""


def _write(study: StudyPrediction, context: OutputContext) -> None:
    write_text(context.folder / FOLDER / "README.txt", _README)
    folder = document_folder(context.folder, study.id)
    if not study.series:
        return
    try:
        content = report_content(study, open_stacks(study), context.report)
        report = build_report(content)
    except InputError as error:
        write_text(folder / _REFUSED, f"{error}\n")
        return
    write_bytes(folder / "report.dcm", document_bytes(report))
    if context.report.images:
        _write_key_images(folder, study, content, report)


def _write_key_images(folder: Path, study: StudyPrediction, content: ReportContent, report: Dataset) -> None:
    """`picture-1.dcm` and further ones, one for each series, and `key_objects.dcm` where there are findings."""
    for number, series in enumerate(study.series, start=1):
        marks = [
            Mark(one.finding.box, one.finding.score, one.finding.level or one.finding.category)
            for one in content.findings
            if one.stack.series == series.series
        ]
        spec = SPECS[series.plane]
        _, down, along = spec.codes
        picture = Picture(draw_series(series.volume, spec, [], marks), number, (along, down))
        write_bytes(folder / f"picture-{number}.dcm", document_bytes(capture(picture, content, report)))
    selected = selection(content)
    if selected is not None:
        write_bytes(folder / "key_objects.dcm", document_bytes(selected))


def document_folder(out: Path, study: str) -> Path:
    """Where the documents of a study lie."""
    return out / FOLDER / file_name(study)


def open_stacks(study: StudyPrediction) -> tuple[SourceStack, ...]:
    """The DICOM files of all series of a study.

    Raises:
        InputError: a series is no DICOM, or they are of several examinations.
    """
    stacks = tuple(open_stack(one.files, one.grid, one.series) for one in study.series)
    same_study(stacks)
    return stacks


def report_content(study: StudyPrediction, stacks: tuple[SourceStack, ...], settings: ReportSettings) -> ReportContent:
    """What the report of a study says: its findings above the operating point, or from `min_score` on."""
    thresholds = study.model.operating_point.values
    found: list[ReportedFinding] = []
    for series, stack in zip(study.series, stacks, strict=True):
        for finding in _reported(series, settings):
            threshold = thresholds.get((series.plane.value, finding.category))
            found.append(ReportedFinding(len(found) + 1, finding, stack, series.plane, threshold))
    return ReportContent(
        stacks=stacks,
        findings=tuple(found),
        region=study.model.region,
        model=study.model.record,
        surfaces=settings.geometry == "volume",
    )


def _reported(series: SeriesPrediction, settings: ReportSettings) -> Iterator[Finding]:
    least = settings.min_score
    return (one for one in series.findings if (one.above_operating_point if least is None else one.score >= least))


def _tell_what_is_missing(records: Callable[[], Iterator[StudyRecord]], context: OutputContext) -> None:
    """Say in a line how many studies have no report, and why the first has none."""
    refused = [path for one in records() if (path := document_folder(context.folder, one.id) / _REFUSED).is_file()]
    if refused:
        reason = refused[0].read_text(encoding="utf-8").strip()
        console.print(f"[yellow]no report:[/] {len(refused)} studies, see {FOLDER}/*/{_REFUSED}; {escaped(reason)}")


OUTPUT = Output(FOLDER, _write, _tell_what_is_missing)
