"""Documents and readings that are damaged, half written or about something else are refused in words."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pydicom import dcmread

from spinedet.core.errors import InputError
from spinedet.core.findings import findings_digest
from spinedet.core.types import Box, Finding, StudyFindings
from spinedet.formats.dicom_report import build_report, document_bytes
from spinedet.imaging.dicom.stow import documents_in
from spinedet.pipelines.reader_corrections import read_correction

from .studies import content_of, write_study

# --- push ---


@pytest.fixture
def report(tmp_path: Path) -> Path:
    """A report in a folder of its own."""
    write_study(tmp_path / "study", "sagittal")
    path = tmp_path / "dicom" / "A-1" / "report.dcm"
    path.parent.mkdir(parents=True)
    path.write_bytes(document_bytes(build_report(content_of(tmp_path / "study"))))
    return path


def cut(share: float) -> Callable[[Path], None]:
    def change(path: Path) -> None:
        content = path.read_bytes()
        path.write_bytes(content[: int(len(content) * share)])

    return change


def rewritten(**tags: object) -> Callable[[Path], None]:
    def change(path: Path) -> None:
        document = dcmread(path)
        for keyword, value in tags.items():
            if value is None:
                delattr(document, keyword)
            else:
                setattr(document, keyword, value)
        document.save_as(path)

    return change


def test_a_whole_report_is_taken(report: Path) -> None:
    (study,) = documents_in(report.parents[1])
    assert len(study.documents) == 1


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda path: path.write_bytes(b""), "no whole DICOM file"),
        (lambda path: path.write_text("report"), "no whole DICOM file"),
        (cut(0.0001), "no whole DICOM file"),
        (cut(0.3), "damaged or half written"),
        (cut(0.9999), "damaged or half written"),
        (rewritten(StudyInstanceUID=None), "no whole DICOM file"),
        (rewritten(Manufacturer="ACME"), "not written by spinedet"),
    ],
)
def test_a_bad_document_stops_the_push(change: Callable[[Path], Any], words: str, report: Path) -> None:
    other = report.with_name("another.dcm")
    other.write_bytes(report.read_bytes())
    change(report)
    with pytest.raises(InputError, match=rf"report\.dcm .*{words}"):
        documents_in(report.parents[1])


def test_a_folder_in_place_of_a_document_stops_the_push(report: Path) -> None:
    report.with_name("odd.dcm").mkdir()
    with pytest.raises(InputError, match=r"odd\.dcm cannot be read"):
        documents_in(report.parents[1])


def test_a_finding_beside_the_images_has_no_report(report: Path, tmp_path: Path) -> None:
    content = content_of(tmp_path / "study", each=1)
    (one,) = content.findings
    far = one.finding.model_copy(update={"box": Box(center=(900.0, 0.0, 0.0), size=(5.0, 5.0, 5.0))})
    with pytest.raises(InputError, match=r"finding 1 lies outside of the images"):
        build_report(replace(content, findings=(replace(one, finding=far),)))


# --- readings ---

BOX = Box(center=(0.0, 0.0, 0.0), size=(5.0, 5.0, 5.0))
STUDY = StudyFindings(
    id="A-1", findings=(Finding(series="sag", category="bulge", score=0.9, box=BOX),), images={"sag": "f00"}
)


def export(path: Path, series: str = "sag", **more: Any) -> Path:
    """An export of the reading page about `STUDY`, with one finding added in a series."""
    box = BOX.model_dump(mode="json")
    lesion = {"id": "added-1", "series": series, "category": "bulge", "level": None, "box": box, "origin": "manual"}
    images = [{"id": name, "plane": "sagittal", "path": f"{name}.nii.gz"} for name in sorted({"sag", series})]
    study = {"id": "A-1", "patient": "A-1", "center": "reading", "series": images, "lesions": [lesion]}
    head = {"format": "spinedet-manifest", "version": 1, "space": "RAS", "name": "r", "region": "lumbar"}
    reading = {"findings_sha256": findings_digest(STUDY)}
    content = {**head, "categories": ["bulge"], "studies": [study], "reading": reading, **more}
    path.write_text(json.dumps(content))
    return path


def test_an_export_is_read(tmp_path: Path) -> None:
    found = read_correction(export(tmp_path / "r.json"), {"A-1": STUDY})
    assert [one.number for one in found.findings] == [2]


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"series": "other"}, "series 'other', which is none of study 'A-1'"),
        ({"reading": {"findings_sha256": 7}}, "about other findings"),
        ({"reading": ["x"]}, "no export of the reading page"),
        ({"studies": []}, "no export of the reading page"),
        ({"space": "LPS"}, "space"),
    ],
)
def test_a_bad_reading_is_refused(more: dict[str, Any], words: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=words):
        read_correction(export(tmp_path / "r.json", **more), {"A-1": STUDY})


def test_a_half_written_reading_and_one_of_another_study_are_refused(tmp_path: Path) -> None:
    path = export(tmp_path / "r.json")
    with pytest.raises(InputError, match="not in findings="):
        read_correction(path, {"A-2": STUDY.model_copy(update={"id": "A-2"})})
    path.write_text(path.read_text()[:-40])
    with pytest.raises(InputError, match="not valid JSON"):
        read_correction(path, {"A-1": STUDY})
