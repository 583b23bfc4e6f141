"""Findings of one study as a FHIR R4 bundle: a report, an observation per finding, the device, the imaging study."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from spinedet.core.anatomy import Region
from spinedet.core.types import Finding, FiniteJson
from spinedet.formats.clinical_codes import (
    ClinicalCode,
    designator,
    finding_code,
    level_code,
    private_code,
    region_code,
)

CONCLUSION = "Research software, no medical device: nothing here is a diagnosis. Findings at the operating point: {}."
NO_PROBABILITY = "The certainty is the detector's own score and no probability of disease."
# Code systems by their DICOM designators (DICOM PS3.16, 8); the private one is an address of nobody.
_SYSTEMS = {
    "SCT": "http://snomed.info/sct",
    "DCM": "http://dicom.nema.org/resources/ontology/DCM",
    "LN": "http://loinc.org",
    "UCUM": "http://unitsofmeasure.org",
}
_NAMESPACE = uuid.uuid5(uuid.NAMESPACE_DNS, "spinedet")
_PRIVATE_SYSTEM = f"urn:uuid:{uuid.uuid5(_NAMESPACE, 'codes')}"
# DICOM PS3.16, CID 100 and CID 33; terminology of FHIR R4 for the categories.
_PROCEDURE = ClinicalCode("LN", "25056-3", "MRI unspecified body region")
_MODALITY = ClinicalCode("DCM", "MR", "Magnetic Resonance")
_CERTAINTY = ClinicalCode("DCM", "111012", "Certainty of Finding")
_IMAGING = ("http://terminology.hl7.org/CodeSystem/observation-category", "imaging")
_RADIOLOGY = ("http://terminology.hl7.org/CodeSystem/v2-0074", "RAD")


@dataclass(frozen=True)
class DicomIdentity:
    """What names the patient and the images, for bundles that stay beside the DICOM documents.

    Attributes:
        patient: PatientID. study, series: StudyInstanceUID and the SeriesInstanceUID of each series.
    """

    patient: str
    study: str
    series: tuple[str, ...]


@dataclass(frozen=True)
class FhirStudy:
    """The content of a bundle.

    Attributes:
        id: of the study, free of the patient. findings: those that are reported. series: how many were read.
        model: the detector as in the findings file. identity: None keeps the bundle free of the patient.
    """

    id: str
    region: Region
    findings: Sequence[Finding]
    series: int
    model: Mapping[str, FiniteJson]
    identity: DicomIdentity | None = None


def bundle(study: FhirStudy) -> dict[str, Any]:
    """The resources as a collection; the same study and weights give the same identifiers again."""
    names = _names(study)
    observations = [_observation(study, one, names) for one in study.findings]
    resources = [
        _report(study, observations, names),
        *observations,
        _imaging_study(study, names),
        _device(study, names),
    ]
    entries = [{"fullUrl": f"urn:uuid:{one['id']}", "resource": one} for one in resources]
    return {"resourceType": "Bundle", "id": _id(study, "bundle"), "type": "collection", "entry": entries}


def _names(study: FhirStudy) -> dict[str, dict[str, str]]:
    """References to the resources that others point to."""
    return {name: {"reference": f"urn:uuid:{_id(study, name)}"} for name in ("device", "images")}


def _id(study: FhirStudy, *parts: str) -> str:
    weights = str(study.model.get("weights_sha256", "unknown"))
    return str(uuid.uuid5(_NAMESPACE, json.dumps([study.id, weights, *parts])))


def _subject(study: FhirStudy) -> dict[str, Any]:
    if study.identity is None:
        return {"display": "not named; see the examination"}
    return {"identifier": {"value": study.identity.patient}}


def _concept(code: ClinicalCode, text: str | None = None) -> dict[str, Any]:
    system = _PRIVATE_SYSTEM if code.scheme == designator() else _SYSTEMS[code.scheme]
    return {"coding": [{"system": system, "code": code.value, "display": code.meaning}], "text": text or code.meaning}


def _observation(study: FhirStudy, finding: Finding, names: dict[str, dict[str, str]]) -> dict[str, Any]:
    site = level_code(finding.level) or region_code(study.region)
    made: dict[str, Any] = {
        "resourceType": "Observation",
        "id": _id(study, finding.model_dump_json()),
        "status": "preliminary",
        "category": [{"coding": [{"system": _IMAGING[0], "code": _IMAGING[1]}]}],
        "code": _concept(finding_code(finding.category)),
        "subject": _subject(study),
        "bodySite": _concept(site, finding.level),
        "device": names["device"],
        "derivedFrom": [names["images"]],
        "note": [{"text": NO_PROBABILITY}],
        "component": list(_components(finding)),
    }
    if finding.above_operating_point is not None:
        made["valueBoolean"] = finding.above_operating_point
    return made


def _components(finding: Finding) -> Iterator[dict[str, Any]]:
    percent = {"value": round(min(max(finding.score, 0.0), 1.0) * 100, 6), "unit": "%"}
    yield {"code": _concept(_CERTAINTY), "valueQuantity": {**percent, "system": _SYSTEMS["UCUM"], "code": "%"}}
    severity = {} if finding.severity is None else {"severity": finding.severity}
    for name, value in {**severity, **(finding.grades or {})}.items():
        quantity = {"value": round(value, 6), "system": _SYSTEMS["UCUM"], "code": "1"}
        yield {"code": _concept(private_code(name)), "valueQuantity": quantity}


def _report(study: FhirStudy, observations: list[dict[str, Any]], names: dict[str, dict[str, str]]) -> dict[str, Any]:
    above = sum(bool(one.above_operating_point) for one in study.findings)
    made: dict[str, Any] = {
        "resourceType": "DiagnosticReport",
        "id": _id(study, "report"),
        "status": "preliminary",
        "category": [{"coding": [{"system": _RADIOLOGY[0], "code": _RADIOLOGY[1]}]}],
        "code": _concept(_PROCEDURE),
        "subject": _subject(study),
        "imagingStudy": [names["images"]],
        "conclusion": CONCLUSION.format(above),
    }
    if observations:
        made["result"] = [{"reference": f"urn:uuid:{one['id']}"} for one in observations]
    return made


def _imaging_study(study: FhirStudy, names: dict[str, dict[str, str]]) -> dict[str, Any]:
    made: dict[str, Any] = {
        "resourceType": "ImagingStudy",
        "id": names["images"]["reference"].removeprefix("urn:uuid:"),
        "status": "available",
        "subject": _subject(study),
        "modality": [_concept(_MODALITY)["coding"][0]],
        "numberOfSeries": study.series,
        "description": f"study {study.id}",
    }
    identity = study.identity
    if identity is not None:
        made["identifier"] = [{"system": "urn:dicom:uid", "value": f"urn:oid:{identity.study}"}]
        made["series"] = [
            {"uid": uid, "modality": _concept(_MODALITY)["coding"][0]} for uid in dict.fromkeys(identity.series)
        ]
    return made


def _device(study: FhirStudy, names: dict[str, dict[str, str]]) -> dict[str, Any]:
    known = study.model
    return {
        "resourceType": "Device",
        "id": names["device"]["reference"].removeprefix("urn:uuid:"),
        "status": "active",
        "manufacturer": "spinedet",
        "deviceName": [{"name": str(known.get("name", "unknown")), "type": "model-name"}],
        "version": [{"value": str(known.get("version", "unknown"))}],
        "serialNumber": str(known.get("weights_sha256", "unknown")),
    }
