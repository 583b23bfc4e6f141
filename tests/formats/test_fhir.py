"""FHIR bundles: valid R4, with the codes that R4 requires, and free of the patient."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from fhir.resources.R4B.bundle import Bundle
from pydicom.sr.codedict import codes

from spinedet.core.anatomy import Region
from spinedet.core.types import Box, Finding
from spinedet.formats.fhir import DicomIdentity, FhirStudy, bundle

# Value sets that R4 binds with strength "required" (hl7.org/fhir/R4), which the library does not check.
REQUIRED = {
    ("Bundle", "type"): {
        *("document", "message", "transaction", "transaction-response", "batch", "batch-response"),
        *("history", "searchset", "collection"),
    },
    ("DiagnosticReport", "status"): {
        *("registered", "partial", "preliminary", "final", "amended", "corrected", "appended", "cancelled"),
        *("entered-in-error", "unknown"),
    },
    ("Observation", "status"): {
        *("registered", "preliminary", "final", "amended", "corrected", "cancelled", "entered-in-error", "unknown"),
    },
    ("ImagingStudy", "status"): {"registered", "available", "cancelled", "entered-in-error", "unknown"},
    ("Device", "status"): {"active", "inactive", "entered-in-error", "unknown"},
}
# Elements with a minimum of one in R4.
NEEDED = {
    "Bundle": {"type"},
    "DiagnosticReport": {"status", "code"},
    "Observation": {"status", "code"},
    "ImagingStudy": {"status", "subject"},
    "Device": set(),
}
MODEL = {"name": "toy", "version": "1.2", "weights_sha256": "ab" * 32}


def finding(score: float = 0.9, **more: Any) -> Finding:
    told = {"series": "sag", "category": "degeneration", "level": "L4/L5", "above_operating_point": True, **more}
    return Finding(score=score, box=Box(center=(0, 1, 2), size=(3, 4, 5)), **told)


def study(**more: Any) -> FhirStudy:
    found = (finding(), finding(0.6, level=None, grades={"pfirrmann": 4.2}), finding(0.2, above_operating_point=False))
    told = {"id": "A-1", "region": Region.LUMBAR, "findings": found, "series": 2, "model": MODEL, **more}
    return FhirStudy(**told)


def resources(content: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield content
    yield from (entry["resource"] for entry in content["entry"])


STUDIES = [
    study(),
    study(findings=()),
    study(region=Region.CERVICAL, findings=(finding(level="L5/L6", category="own_kind", severity=1.5),)),
    study(identity=DicomIdentity("secret-id", "1.2.3", ("1.2.3.4", "1.2.3.4", "1.2.3.5"))),
]


@pytest.mark.parametrize("one", STUDIES)
def test_a_bundle_is_valid_r4(one: FhirStudy) -> None:
    content = json.loads(json.dumps(bundle(one), allow_nan=False))
    Bundle.model_validate(content)
    for resource in resources(content):
        kind = resource["resourceType"]
        assert set(resource) >= NEEDED[kind]
        for (name, element), allowed in REQUIRED.items():
            if name == kind and element in resource:
                assert resource[element] in allowed
    kinds = [resource["resourceType"] for resource in resources(content)]
    assert kinds == ["Bundle", "DiagnosticReport", *["Observation"] * len(one.findings), "ImagingStudy", "Device"]


@pytest.mark.parametrize("one", STUDIES)
def test_references_lead_to_entries_and_identifiers_come_again(one: FhirStudy) -> None:
    content = bundle(one)
    urls = [entry["fullUrl"] for entry in content["entry"]]
    assert len(set(urls)) == len(urls)
    assert all(entry["fullUrl"] == f"urn:uuid:{entry['resource']['id']}" for entry in content["entry"])
    named = set(json.dumps(content).split('"reference": "')[1:])
    assert {text.split('"')[0] for text in named} <= set(urls)
    assert bundle(one) == content
    assert bundle(study(id="B-2"))["id"] != bundle(study())["id"]


def test_what_an_observation_says() -> None:
    first, second, third = (one for one in resources(bundle(study())) if one["resourceType"] == "Observation")
    assert first["bodySite"]["coding"][0]["code"] == codes.CID7604.L4L5Disc.value
    assert second["bodySite"]["coding"][0]["code"] == codes.CID4031.LumbarSpine.value
    assert [one["valueBoolean"] for one in (first, second, third)] == [True, True, False]
    certainty, grade = second["component"]
    assert certainty["valueQuantity"] == {
        "value": 60.0,
        "unit": "%",
        "system": "http://unitsofmeasure.org",
        "code": "%",
    }
    assert grade["valueQuantity"]["value"] == 4.2
    # No code of a finding is verified yet.
    assert first["code"]["coding"][0]["system"].startswith("urn:uuid:")
    assert first["code"]["coding"][0]["code"] == "degeneration"
    report = next(one for one in resources(bundle(study())) if one["resourceType"] == "DiagnosticReport")
    assert report["conclusion"].startswith("Research software, no medical device")
    assert "operating point: 2" in report["conclusion"]
    assert report["code"]["coding"][0]["code"] == codes.LN.MRIUnspecifiedBodyRegion.value


def test_patient_and_uids_are_named_only_where_they_are_given() -> None:
    plain, identified = (json.dumps(bundle(one)) for one in (STUDIES[0], STUDIES[3]))
    for secret in ("secret-id", "urn:oid:1.2.3", "1.2.3.5"):
        assert secret not in plain
        assert secret in identified
    images = next(one for one in resources(bundle(STUDIES[3])) if one["resourceType"] == "ImagingStudy")
    assert [one["uid"] for one in images["series"]] == ["1.2.3.4", "1.2.3.5"]
