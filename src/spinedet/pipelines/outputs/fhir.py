"""`fhir/<study>.json`: the findings of a study as a FHIR R4 bundle, free of the patient unless it lies in `dicom/`."""

from __future__ import annotations

from spinedet.core.file_names import file_name
from spinedet.core.files import write_json
from spinedet.formats.fhir import DicomIdentity, FhirStudy, bundle
from spinedet.pipelines.outputs.dicom_folder import (
    document_folder,
    explain_folder,
    noting_refusals,
    open_stacks,
    tell_what_is_missing,
)
from spinedet.pipelines.outputs.writer import Output, OutputContext
from spinedet.pipelines.prediction import StudyPrediction

_FOLDER = "fhir"


def _write(study: StudyPrediction, context: OutputContext) -> None:
    """Write `fhir/<study>.json`, and with `fhir.identified` one with patient and UIDs in `dicom/<study>/`."""
    if not study.series:
        return
    write_json(context.folder / _FOLDER / f"{file_name(study.id)}.json", bundle(_content(study, context)))
    if context.fhir.identified:
        explain_folder(context.folder)
        folder = document_folder(context.folder, study.id)
        with noting_refusals(folder):
            write_json(folder / "findings.fhir.json", bundle(_content(study, context, _identity(study))))


def _content(study: StudyPrediction, context: OutputContext, identity: DicomIdentity | None = None) -> FhirStudy:
    least = context.fhir.min_score
    return FhirStudy(
        id=study.id,
        region=study.model.region,
        findings=tuple(
            one
            for one in study.findings.findings
            if (one.above_operating_point if least is None else one.score >= least)
        ),
        series=len(study.series),
        model=study.model.record,
        identity=identity,
    )


def _identity(study: StudyPrediction) -> DicomIdentity:
    images = [stack.slices[0].image for stack in open_stacks(study)]
    return DicomIdentity(
        patient=str(images[0].PatientID),
        study=str(images[0].StudyInstanceUID),
        series=tuple(str(image.SeriesInstanceUID) for image in images),
    )


OUTPUT = Output(_FOLDER, _write, tell_what_is_missing)
