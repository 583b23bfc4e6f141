"""DICOM reports: written about real files, read back, and checked by dciodvfy."""

from __future__ import annotations

from dataclasses import replace
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.sr.codedict import codes

from spinedet.core.anatomy import CATEGORIES, DISCS, Region
from spinedet.core.errors import InputError
from spinedet.core.geometry import EdgeBox
from spinedet.core.types import Box, Finding
from spinedet.formats.clinical_codes import code_table, finding_code, level_code, region_code
from spinedet.formats.dicom_report import ReportContent, ReportedFinding, build_report, document_bytes
from spinedet.formats.dicom_report_reader import read_report
from spinedet.formats.dicom_sources import open_stack, same_study

from ..imaging.dicom.conftest import Hospital
from .studies import (
    BACK,
    KINDS,
    TAGS,
    content_of,
    errors_of,
    findings_in,
    largest_difference,
    needs_dciodvfy,
    stacks_of,
    write_study,
)


def written(content: ReportContent) -> Dataset:
    """The document as a reader of its file sees it."""
    return dcmread(BytesIO(document_bytes(build_report(content))))


@pytest.mark.parametrize("surfaces", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_a_report_read_again_gives_the_findings(kind: str, surfaces: bool, tmp_path: Path) -> None:
    write_study(tmp_path, kind)
    content = content_of(tmp_path, surfaces=surfaces)
    read = read_report(written(content), content.stacks)
    assert len(read) == len(content.findings) >= 3
    for one, told in zip(read, content.findings, strict=True):
        finding = told.finding
        assert largest_difference(one.box, finding.box) < 1e-3
        assert (one.category, one.level, one.series) == (finding.category, finding.level, finding.series)
        assert one.above is finding.above_operating_point
        assert one.score == pytest.approx(finding.score, abs=1e-9)
        assert one.slices == (0 if surfaces else len(told.stack.covered(finding.box)))
        severity = {} if finding.severity is None else {"severity": finding.severity}
        assert one.grades == {**(finding.grades or {}), **severity}
        assert (", disc 2 from below" in one.identifier) is (finding.level is None)


@pytest.mark.parametrize("axis", [0, 1, 2])
@pytest.mark.parametrize("kind", ["sagittal", "tilted axial"])
def test_a_box_one_voxel_thick_lies_on_that_voxel(kind: str, axis: int, tmp_path: Path) -> None:
    """SCOORD counts from the outer corner of the first pixel, positions of slices from their centre."""
    write_study(tmp_path, kind)
    (stack,) = stacks_of(tmp_path)
    low, high = np.array([3.0, 5.0, 1.0]), np.array([9.0, 12.0, 4.0])
    high[axis] = low[axis] + 1
    box = stack.source.grid.world(EdgeBox(low, high))
    finding = Finding(series=stack.source.series, category="bulge", score=0.7, box=box)
    one = ReportedFinding(1, finding, stack.source, stack.plane, 0.5)
    document = written(ReportContent((stack.source,), (one,), Region.LUMBAR, {"name": "toy"}))
    regions = [item for item in document.iterall() if item.keyword == "GraphicData"]
    assert [list(item.value) for item in regions] == [
        [low[0], low[1], high[0], low[1], high[0], high[1], low[0], high[1], low[0], low[1]]
    ] * int(high[2] - low[2])
    shown = [str(item.value) for item in document.iterall() if item.keyword == "ReferencedSOPInstanceUID"]
    for number in range(int(low[2]), int(high[2])):
        position = stack.source.grid.affine @ [0, 0, number, 1] * [-1, -1, 1, 1]
        image = stack.source.slices[number].image
        assert np.allclose(image.ImagePositionPatient, position[:3], atol=1e-4)
        assert image.SOPInstanceUID in shown
    (read,) = read_report(document, (stack.source,))
    assert largest_difference(read.box, box) < 1e-4


def test_frames_of_one_file_are_named_by_number(tmp_path: Path) -> None:
    write_study(tmp_path, "sagittal", enhanced=True)
    content = content_of(tmp_path)
    document = written(content)
    frames = [item.value for item in document.iterall() if item.keyword == "ReferencedFrameNumber"]
    assert len(frames) == sum(len(one.stack.covered(one.finding.box)) for one in content.findings)
    for one, told in zip(read_report(document, content.stacks), content.findings, strict=True):
        assert largest_difference(one.box, told.finding.box) < 1e-3


def test_a_box_that_leaves_the_images_is_cut(tmp_path: Path) -> None:
    write_study(tmp_path, "sagittal")
    content = content_of(tmp_path, each=1)
    (told,) = content.findings
    grid = told.stack.grid
    box = grid.world(EdgeBox(np.array([-3.0, 5, -1]), np.array([20.0, 30, 2])))
    finding = told.finding.model_copy(update={"box": box})
    cut = replace(content, findings=(replace(told, finding=finding),))
    (read,) = read_report(written(cut), content.stacks)
    kept = grid.world(EdgeBox(np.array([0.0, 5, 0]), np.array([20.0, 30, 2])))
    assert largest_difference(read.box, kept) < 1e-3


def test_a_study_without_findings_has_a_report(tmp_path: Path) -> None:
    write_study(tmp_path, "sagittal")
    content = content_of(tmp_path, each=0)
    document = written(content)
    assert read_report(document, content.stacks) == ()
    assert len(document.CurrentRequestedProcedureEvidenceSequence[0].ReferencedSeriesSequence) == 1


def test_patient_and_study_are_those_of_the_images_and_nothing_is_verified(tmp_path: Path) -> None:
    hospital = write_study(tmp_path, "several blocks")
    document = written(content_of(tmp_path))
    assert document.PatientName == "Sécret^Näme"
    assert (document.PatientID, document.PatientBirthDate) == ("secret-id", "19500101")
    assert (document.StudyInstanceUID, document.AccessionNumber) == (hospital.study, "secret-accession")
    assert (document.CompletionFlag, document.VerificationFlag) == ("COMPLETE", "UNVERIFIED")
    assert document.PreliminaryFlag == "PRELIMINARY"
    assert document.SeriesDescription.startswith("Research software, no diagnosis")
    assert document.ContentTemplateSequence[0].TemplateIdentifier == "1500"


def test_tracking_identifiers_come_again_and_documents_do_not(tmp_path: Path) -> None:
    write_study(tmp_path, "several blocks")
    content = content_of(tmp_path)
    first, second = written(content), written(content)
    one, two = (read_report(document, content.stacks) for document in (first, second))
    assert [each.uid for each in one] == [each.uid for each in two]
    assert len({each.uid for each in one}) == len(one)
    assert first.SeriesInstanceUID == second.SeriesInstanceUID
    assert first.SOPInstanceUID != second.SOPInstanceUID


def test_a_readers_version_names_its_predecessor_and_the_decisions(tmp_path: Path) -> None:
    write_study(tmp_path, "sagittal")
    content = content_of(tmp_path)
    first = build_report(content)
    decided = tuple(
        replace(one, decision=decision, comment=comment)
        for one, decision, comment in zip(
            content.findings, ("accepted", "corrected", "added"), (None, "größer", None), strict=True
        )
    )
    second = written(replace(content, findings=decided, reader="A^B=C", previous=(first,)))
    (item,) = second.PredecessorDocumentsSequence
    named = item.ReferencedSeriesSequence[0].ReferencedSOPSequence[0].ReferencedSOPInstanceUID
    assert named == first.SOPInstanceUID
    assert (first.InstanceNumber, second.InstanceNumber) == (1, 2)
    read = read_report(second, content.stacks)
    assert [one.decision for one in read] == ["accepted", "corrected", "added"]
    assert [one.comment for one in read] == [None, "größer", None]
    assert [one.score is None for one in read] == [False, False, True]
    names = [item.value for item in second.iterall() if item.keyword == "PersonName"]
    assert [str(name) for name in names] == ["ABC^"]


def test_images_that_cannot_be_named_are_refused(tmp_path: Path) -> None:
    write_study(tmp_path / "one", "sagittal")
    write_study(tmp_path / "two", "sagittal")
    (one,), (two,) = stacks_of(tmp_path / "one"), stacks_of(tmp_path / "two")
    with pytest.raises(InputError, match="two examinations"):
        same_study([one.source, two.source])
    with pytest.raises(InputError, match="no DICOM series"):
        open_stack([Path("scan.nii.gz")], one.source.grid, "scan")
    files = sorted(path for path in (tmp_path / "one").rglob("IM*"))
    with pytest.raises(InputError, match=r"slice .* none of its DICOM files"):
        open_stack(files[1:], one.source.grid, "sag")
    with pytest.raises(InputError, match="other images"):
        read_report(written(content_of(tmp_path / "one")), [two.source])
    junk = tmp_path / "junk.dcm"
    junk.write_bytes(b"no image")
    with pytest.raises(InputError, match="no DICOM image"):
        open_stack([junk], one.source.grid, "sag")


def test_surfaces_need_a_frame_of_reference(tmp_path: Path) -> None:
    hospital = Hospital(tmp_path)
    hospital.series(2, [BACK], {**TAGS, "FrameOfReferenceUID": None})
    with pytest.raises(InputError, match=r"use sr\.geometry=slices"):
        build_report(content_of(tmp_path, surfaces=True))


def test_another_document_is_no_report(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="TID 1500"):
        read_report(Dataset(), ())


# --- codes ---


def test_standard_codes_are_those_of_the_dicom_standard() -> None:
    """What pydicom ships of PS3.16: context groups 7603 (vertebrae), 7604 (discs) and 4031 (regions)."""
    known = {
        code.value: code.meaning
        for group in (codes.CID7603, codes.CID7604, codes.CID4031)
        for name in group.dir()
        for code in [getattr(group, name)]
    }
    table = code_table()
    for entry in (*table["levels"].values(), *table["regions"].values()):
        assert known[entry["value"]] == entry["meaning"]
        assert entry["scheme"] == "SCT"
        assert entry["verified_by"]
    for level in DISCS:
        code = level_code(level)
        if "L6" in level or level == "S1/S2":
            assert code is None
        else:
            assert code is not None
            assert code.meaning == f"{level} disc"
    assert region_code(Region.LUMBAR).meaning == "Lumbar spine"


def test_codes_that_no_person_has_verified_are_never_written() -> None:
    for name, entry in code_table()["findings"].items():
        if entry["verified_by"] is None:
            assert finding_code(name).scheme == "99SPINEDET"
    for category in CATEGORIES:
        assert finding_code(category.name).value == category.name
        assert category.name in code_table()["private"]
    assert finding_code("own_kind") == finding_code("own_kind")
    assert finding_code("own_kind").meaning == "own kind"


# --- the standard's own judge ---


@needs_dciodvfy
@pytest.mark.parametrize("kind", [*KINDS, "nothing found", "multi-frame", "surfaces"])
def test_dciodvfy_finds_no_error(kind: str, tmp_path: Path) -> None:
    images = tmp_path / "images"
    write_study(images, kind if kind in KINDS else "sagittal", enhanced=kind == "multi-frame")
    each = 0 if kind == "nothing found" else 3
    content = content_of(images, each, surfaces=kind == "surfaces")
    if each:
        told = replace(content.findings[0], decision="corrected", comment="größer")
        content = replace(content, findings=(told, *content.findings[1:]), reader="AB")
    file = tmp_path / "report.dcm"
    file.write_bytes(document_bytes(build_report(content)))
    assert errors_of(file) == []


@needs_dciodvfy
def test_dciodvfy_would_find_an_error(tmp_path: Path) -> None:
    images = tmp_path / "images"
    write_study(images, "sagittal")
    document = build_report(content_of(images))
    del document.CompletionFlag
    file = tmp_path / "report.dcm"
    file.write_bytes(document_bytes(document))
    assert errors_of(file)


def test_findings_by_hand_cover_what_the_tests_claim(tmp_path: Path) -> None:
    write_study(tmp_path, "several blocks")
    found = findings_in(stacks_of(tmp_path))
    assert len({one.stack.series for one in found}) == 3
    assert {one.plane.value for one in found} == {"sagittal", "axial"}


# --- findings of all series in patient space ---


def fused_content(folder: Path) -> ReportContent:
    """Boxes along R, A and S, found in one or in both of two series."""
    content = content_of(folder, each=1)
    found = []
    for number, one in enumerate(content.findings, start=1):
        box = Box(center=one.finding.box.center, size=(8.0, 9.0, 7.0))
        finding = Finding(series=one.finding.series, category="bulge", score=0.6, level="L4/L5", box=box)
        found.append(replace(one, number=number, finding=finding, fused=(min(number, 2), 2)))
    return replace(content, findings=tuple(found), surfaces=True, fused=True)


def test_a_report_of_fused_findings_read_again_gives_them(tmp_path: Path) -> None:
    write_study(tmp_path, "several blocks")
    content = fused_content(tmp_path)
    document = written(content)
    read = read_report(document, content.stacks)
    assert len(read) == len(content.findings) >= 2
    for one, expected in zip(read, content.findings, strict=True):
        assert largest_difference(one.box, expected.finding.box) < 1e-3
        assert (one.level, one.score, one.above) == ("L4/L5", pytest.approx(0.6), None)
        assert one.identifier == f"fused finding {expected.number}"
    texts = [str(item.value) for item in document.iterall() if item.keyword == "TextValue"]
    assert "found in 1 of the 2 series that show the place" in texts
    assert "series fused" in document.SeriesDescription


def test_a_report_of_fused_findings_is_a_series_of_its_own(tmp_path: Path) -> None:
    write_study(tmp_path, "several blocks")
    content = fused_content(tmp_path)
    others = [written(replace(content_of(tmp_path), surfaces=surfaces)) for surfaces in (False, True)]
    documents = [written(content), *others]
    assert len({one.SeriesInstanceUID for one in documents}) == 3
    assert len({int(one.SeriesNumber) for one in documents}) == 3
    single = replace(content, fused=False, findings=(replace(content.findings[0], fused=None),))
    own, together = (read_report(written(one), content.stacks)[0].uid for one in (single, content))
    assert own != together


@needs_dciodvfy
def test_dciodvfy_finds_no_error_in_a_report_of_fused_findings(tmp_path: Path) -> None:
    write_study(tmp_path / "study", "several blocks")
    (tmp_path / "fused.dcm").write_bytes(document_bytes(build_report(fused_content(tmp_path / "study"))))
    assert errors_of(tmp_path / "fused.dcm") == []
