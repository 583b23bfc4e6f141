"""`report.dcm` and `fused.dcm` of a study: its findings as DICOM Structured Reports, which name the patient."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.errors import InvalidDicomError

from spinedet.core.errors import InputError
from spinedet.core.files import write_bytes
from spinedet.core.types import Finding
from spinedet.formats.dicom_key_images import Picture, capture, selection
from spinedet.formats.dicom_report import ReportContent, ReportedFinding, build_report, document_bytes
from spinedet.formats.dicom_sources import SourceStack
from spinedet.imaging.dicom.headers import DAMAGE
from spinedet.imaging.planes import SPECS
from spinedet.pipelines.outputs.dicom_folder import (
    FOLDER,
    document_folder,
    explain_folder,
    noting_refusals,
    open_stacks,
    tell_what_is_missing,
)
from spinedet.pipelines.outputs.settings import ReportSettings
from spinedet.pipelines.outputs.writer import Output, OutputContext
from spinedet.pipelines.prediction import StudyPrediction
from spinedet.pipelines.reader_corrections import CorrectedFinding
from spinedet.report.slice_pictures import Mark, draw_series

REPORT, FUSED = "report.dcm", "fused.dcm"


def _write(study: StudyPrediction, context: OutputContext) -> None:
    explain_folder(context.folder)
    folder = document_folder(context.folder, study.id)
    if not study.series:
        return
    with noting_refusals(folder):
        content = _content(study, open_stacks(study), context)
        report = build_report(content)
        write_bytes(folder / REPORT, document_bytes(report))
        if context.report.fused and study.id not in context.corrections:
            _write_fused(folder, study, content, context.report)
        if context.report.images:
            _write_key_images(folder, study, content, report)


def _write_fused(folder: Path, study: StudyPrediction, content: ReportContent, settings: ReportSettings) -> None:
    """`fused.dcm`, where several series were read.

    Raises:
        InputError: the series do not share a frame of reference.
    """
    if study.findings.fused is None:
        return
    frames = {str(stack.slices[0].image.get("FrameOfReferenceUID", "")) for stack in content.stacks}
    if len(frames) > 1:
        raise InputError("the series do not share a FrameOfReferenceUID, so their findings are not fused in a report")
    found = tuple(_fused(study, content.stacks, settings))
    fused = replace(content, findings=found, surfaces=True, fused=True, reader=None, previous=())
    write_bytes(folder / FUSED, document_bytes(build_report(fused)))


def _fused(
    study: StudyPrediction, stacks: tuple[SourceStack, ...], settings: ReportSettings
) -> Iterator[ReportedFinding]:
    """Fused findings above the operating point in one of their series, or from `min_score` on."""
    planes = {one.series: one.plane for one in study.series}
    limits = study.model.operating_point.values
    for number, one in enumerate(study.findings.fused or (), start=1):
        least = settings.min_score
        above = any(
            score >= limits.get((planes[series].value, one.category), math.inf)
            for series, score in zip(one.series, one.scores, strict=True)
        )
        if above if least is None else one.score >= least:
            best = one.series[0]
            finding = Finding(series=best, category=one.category, score=one.score, level=one.level, box=one.box)
            stack = next(each for each in stacks if each.series == best)
            yield ReportedFinding(number, finding, stack, planes[best], None, fused=(len(set(one.series)), one.covered))


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


def _content(study: StudyPrediction, stacks: tuple[SourceStack, ...], context: OutputContext) -> ReportContent:
    """The content of the report of a study: the findings above the threshold, or those that a reader kept."""
    correction = context.corrections.get(study.id)
    found = _proposed(study, context.report) if correction is None else correction.findings
    return ReportContent(
        stacks=stacks,
        findings=tuple(_reported(study, stacks, one) for one in found),
        region=study.model.region,
        model=study.model.record,
        surfaces=context.report.geometry == "volume",
        reader=correction.reader if correction else None,
        previous=_previous(context, study.id, stacks) if correction else (),
    )


def _proposed(study: StudyPrediction, settings: ReportSettings) -> Iterator[CorrectedFinding]:
    """Findings above the operating point, or from `min_score` on, with their numbers in `findings.json`."""
    least = settings.min_score
    for number, one in enumerate(study.findings.findings, start=1):
        if one.above_operating_point if least is None else one.score >= least:
            yield CorrectedFinding(number, one, None, None)


def _reported(study: StudyPrediction, stacks: tuple[SourceStack, ...], one: CorrectedFinding) -> ReportedFinding:
    place = [series.series for series in study.series].index(one.finding.series)
    plane = study.series[place].plane
    return ReportedFinding(
        number=one.number,
        finding=one.finding,
        stack=stacks[place],
        plane=plane,
        threshold=study.model.operating_point.values.get((plane.value, one.finding.category)),
        decision=one.decision,
        comment=one.comment,
    )


def _previous(context: OutputContext, study: str, stacks: tuple[SourceStack, ...]) -> tuple[Dataset, ...]:
    """The version that a correction replaces, where one was written.

    Raises:
        InputError: it is damaged, or about another examination.
    """
    path = document_folder(context.previous or context.folder, study) / REPORT
    if not path.is_file():
        return ()
    try:
        document = dcmread(path)
        examination = str(document.StudyInstanceUID)
    except (InvalidDicomError, *DAMAGE):
        raise InputError("the version before, which this one would replace, is damaged; leave previous= out") from None
    if examination != str(stacks[0].slices[0].image.StudyInstanceUID):
        raise InputError("the version before is about another examination; set previous= to the folder of this one")
    return (document,)


OUTPUT = Output(FOLDER, _write, tell_what_is_missing)
