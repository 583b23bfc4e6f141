"""Key images: what they show and name, and what dciodvfy says of them."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from pydicom import dcmread
from pydicom.dataset import Dataset

from spinedet.formats.dicom_key_images import Picture, capture, selection
from spinedet.formats.dicom_report import build_report, document_bytes

from .studies import KINDS, content_of, errors_of, needs_dciodvfy, write_study


def png(shape: tuple[int, int] = (31, 47)) -> tuple[np.ndarray, bytes]:
    """A colour picture of noise, and its file."""
    picture = np.random.default_rng(3).integers(0, 255, (*shape, 3)).astype(np.uint8)
    stream = BytesIO()
    Image.fromarray(picture).save(stream, "PNG")
    return picture, stream.getvalue()


def again(document: Dataset) -> Dataset:
    return dcmread(BytesIO(document_bytes(document)))


def test_a_capture_is_the_picture_and_names_report_and_patient(tmp_path: Path) -> None:
    hospital = write_study(tmp_path, "sagittal")
    content = content_of(tmp_path)
    report = build_report(content)
    picture, file = png()
    first, second = (again(capture(Picture(file, number, ("P", "I")), content, report)) for number in (1, 2))
    assert (first.pixel_array == picture).all()
    assert (first.StudyInstanceUID, first.PatientID) == (hospital.study, "secret-id")
    assert first.SeriesInstanceUID == second.SeriesInstanceUID != report.SeriesInstanceUID
    assert first.SOPInstanceUID != second.SOPInstanceUID
    assert first.ReferencedInstanceSequence[0].ReferencedSOPInstanceUID == report.SOPInstanceUID
    assert list(first.PatientOrientation) == ["P", "F"]
    assert (first.Modality, first.BodyPartExamined, first.BurnedInAnnotation) == ("OT", "LSPINE", "NO")


@pytest.mark.parametrize("kind", KINDS)
def test_the_selection_names_a_slice_through_each_finding(kind: str, tmp_path: Path) -> None:
    write_study(tmp_path, kind)
    content = content_of(tmp_path)
    made = selection(content)
    assert made is not None
    named = {
        str(reference.ReferencedSOPInstanceUID)
        for item in again(made).ContentSequence
        for reference in item.get("ReferencedSOPSequence", ())
    }
    for one in content.findings:
        shown = {str(one.stack.slices[number].image.SOPInstanceUID) for number in one.stack.covered(one.finding.box)}
        assert shown & named
    assert len(named) <= len(content.findings)


def test_nothing_found_selects_nothing(tmp_path: Path) -> None:
    write_study(tmp_path, "sagittal")
    assert selection(content_of(tmp_path, each=0)) is None


@needs_dciodvfy
@pytest.mark.parametrize("enhanced", [False, True])
def test_dciodvfy_finds_no_error(enhanced: bool, tmp_path: Path) -> None:
    write_study(tmp_path / "images", "sagittal", enhanced=enhanced)
    content = content_of(tmp_path / "images")
    made = selection(content)
    assert made is not None
    for name, document in {
        "c": capture(Picture(png()[1], 1, ("P", "I")), content, build_report(content)),
        "k": made,
    }.items():
        file = tmp_path / f"{name}.dcm"
        file.write_bytes(document_bytes(document))
        assert errors_of(file) == []
