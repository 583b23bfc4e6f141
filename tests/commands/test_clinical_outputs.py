"""DICOM results of `predict`, delivered later, corrected by a reader, and sent; the patient only where it belongs."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass, field
from email.parser import BytesParser
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO, StringIO
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from numpy.testing import assert_allclose
from pydicom import dcmread
from pydicom.dataset import Dataset

from spinedet.core.findings import findings_digest, read_findings
from spinedet.core.types import Finding, StudyFindings
from spinedet.formats.dicom_report_reader import read_report
from spinedet.pipelines.outputs import OUTPUTS

from ..formats.studies import IDENTIFIERS, errors_of, needs_dciodvfy, stacks_of, write_study
from ..imaging.dicom.conftest import Hospital
from .conftest import Run, run_command

LEAST = 0.05


@dataclass(frozen=True)
class Predicted:
    """A study of several stacks, and what `predict` made of it with every output."""

    hospital: Hospital
    out: Path
    terminal: str

    @property
    def study(self) -> StudyFindings:
        (study,) = read_findings(self.out / "findings.json").studies
        return study

    @property
    def reported(self) -> list[Finding]:
        return [one for one in self.study.findings if one.score >= LEAST]


@pytest.fixture(scope="module")
def predicted(tmp_path_factory: pytest.TempPathFactory) -> Predicted:
    folder = tmp_path_factory.mktemp("clinical")
    hospital = write_study(folder / "SECRETPATH" / "study", "several blocks")
    words = (
        f"outputs=[{','.join(OUTPUTS)}]",
        f"sr.min_score={LEAST}",
        "sr.images=true",
        "fhir.identified=true",
        "eligibility.gate=false",
    )
    with capture_terminal() as terminal:
        assert run_command("predict", "run=shipped", f"input={hospital.folder}", *words, f"out={folder / 'out'}") == 0
    found = Predicted(hospital, folder / "out", terminal.getvalue())
    assert len(found.reported) >= 3
    return found


@contextmanager
def capture_terminal() -> Iterator[Any]:
    """What this process prints, where pytest's own capture cannot reach a fixture of the module."""
    text = StringIO()
    with redirect_stdout(text), redirect_stderr(text):
        yield text


def report_of(out: Path) -> Dataset:
    (path,) = (out / "dicom").rglob("report.dcm")
    return dcmread(path)


def stacks(predicted: Predicted) -> tuple[Any, ...]:
    return tuple(one.source for one in stacks_of(predicted.hospital.folder))


def same_findings(document: Dataset, predicted: Predicted) -> None:
    read = read_report(document, stacks(predicted))
    assert len(read) == len(predicted.reported)
    for one, told in zip(read, predicted.reported, strict=True):
        assert one.score == pytest.approx(told.score)
        assert (one.category, one.level, one.above) == (told.category, told.level, told.above_operating_point)


# --- where the patient is named ---


def test_identifiers_are_in_dicom_and_nowhere_else(predicted: Predicted) -> None:
    images = [dcmread(path, stop_before_pixels=True) for path in predicted.hospital.folder.rglob("IM*")]
    uids = {
        str(one[name].value) for one in images for name in ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID")
    }
    secrets = (*IDENTIFIERS, "SECRETPATH", "101112", *uids)
    outside = {path for path in predicted.out.rglob("*") if path.is_file()} - set((predicted.out / "dicom").rglob("*"))
    assert {path.suffix for path in outside} >= {".json", ".html", ".csv", ".gz", ".png"}
    for path in outside:
        content = path.read_bytes()
        for secret in secrets:
            for coded in (secret.encode(), secret.encode("latin-1")):
                assert coded not in content, (path.name, secret)
            assert secret not in str(path.relative_to(predicted.out))
    for secret in (*IDENTIFIERS, *uids):
        assert secret not in predicted.terminal
    inside = b"".join(path.read_bytes() for path in (predicted.out / "dicom").rglob("*.dcm"))
    for secret in ("secret-id", "19500101", "secret-accession", predicted.hospital.study):
        assert secret.encode() in inside
    (identified,) = (predicted.out / "dicom").rglob("*.fhir.json")
    assert "secret-id" in identified.read_text()


def test_the_report_holds_what_the_findings_file_holds(predicted: Predicted) -> None:
    same_findings(report_of(predicted.out), predicted)


@needs_dciodvfy
def test_every_document_is_valid(predicted: Predicted) -> None:
    documents = sorted((predicted.out / "dicom").rglob("*.dcm"))
    assert {path.name for path in documents} == {
        *(f"picture-{number}.dcm" for number in (1, 2, 3)),
        "key_objects.dcm",
        "report.dcm",
    }
    assert [error for path in documents for error in errors_of(path)] == []


# --- later ---


def test_reports_can_be_written_later(predicted: Predicted, run: Run, tmp_path: Path) -> None:
    words = (f"findings={predicted.out / 'findings.json'}", f"input={predicted.hospital.folder}")
    out = tmp_path / "later"
    assert run("deliver", *words, "outputs=[sr,csv,page,slicer]", f"sr.min_score={LEAST}", f"out={out}") == 0
    same_findings(report_of(out), predicted)
    assert (out / "findings.csv").read_bytes() == (predicted.out / "findings.csv").read_bytes()
    names = sorted(path.relative_to(out).as_posix() for path in out.rglob("*.html"))
    assert names == sorted(path.relative_to(predicted.out).as_posix() for path in predicted.out.rglob("*.html"))
    for page in (out / "reading").iterdir():
        assert page.read_bytes() == (predicted.out / "reading" / page.name).read_bytes()
    slicer = "slicer/study/open_in_slicer.py"
    assert (out / slicer).is_file() is (predicted.out / slicer).is_file() is True


def test_other_images_are_refused(
    predicted: Predicted, run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = write_study(tmp_path / "other", "several blocks")
    words = (f"findings={predicted.out / 'findings.json'}", f"input={other.folder}", f"out={tmp_path / 'out'}")
    assert run("deliver", *words) == 2
    assert "not in input=" in " ".join(capsys.readouterr().err.split())


# --- corrected ---


def export_of(predicted: Predicted, path: Path, **more: Any) -> Path:
    """An export of the reading page: findings accepted, corrected, rejected and added."""
    one, two, three = (each.model_dump(mode="json") for each in predicted.reported[:3])
    numbers = [predicted.study.findings.index(each) + 1 for each in predicted.reported[:3]]

    def lesion(name: str, finding: dict[str, Any], decision: str, **changes: Any) -> dict[str, Any]:
        kept = {key: finding[key] for key in ("series", "category", "level", "box")}
        attributes = {"decision": decision, "seconds": 3, **changes.pop("attributes", {})}
        return {"id": name, **kept, "origin": "manual", "ignore": False, "attributes": attributes, **changes}

    smaller = {**two["box"], "size": [value / 2 for value in two["box"]["size"]]}
    lesions = [
        lesion(f"f{numbers[0]}", one, "accepted", level="L4/L5", attributes={"comment": "sure"}),
        lesion(f"f{numbers[1]}", two, "corrected", box=smaller),
        lesion("added-x-0", three, "added"),
    ]
    rejected = {"series": three["series"], "level": None, "box": three["box"], "attributes": {"decision": "rejected"}}
    series = [
        {"id": one.source.series, "plane": one.plane.value, "path": one.source.series}
        for one in stacks_of(predicted.hospital.folder)
    ]
    study = {
        "id": predicted.study.id,
        "patient": predicted.study.id,
        "center": "reading",
        "split": None,
        "series": series,
        "lesions": lesions,
        "negatives": [rejected],
        "excluded": None,
    }
    reading = {"findings_sha256": findings_digest(predicted.study), "reader": "AB", **more}
    content = {"format": "spinedet-manifest", "version": 1, "space": "RAS", "name": "reading", "region": "lumbar"}
    path.write_text(json.dumps({**content, "categories": ["degeneration"], "studies": [study], "reading": reading}))
    return path


def test_a_readers_corrections_become_the_next_version(predicted: Predicted, run: Run, tmp_path: Path) -> None:
    words = (f"findings={predicted.out / 'findings.json'}", f"input={predicted.hospital.folder}")
    first, outs = export_of(predicted, tmp_path / "first.json"), [tmp_path / "second", tmp_path / "third"]
    assert run("deliver", *words, f"reading={first}", f"out={outs[0]}") == 0
    assert run("deliver", *words, f"reading={first}", f"previous={outs[0]}", f"out={outs[1]}") == 0
    versions = [report_of(out) for out in (predicted.out, *outs)]
    assert [int(one.InstanceNumber) for one in versions] == [1, 2, 3]
    assert len({one.SeriesInstanceUID for one in versions}) == 1
    for earlier, later in pairwise(versions):
        (item,) = later.PredecessorDocumentsSequence
        (named,) = item.ReferencedSeriesSequence[0].ReferencedSOPSequence
        assert named.ReferencedSOPInstanceUID == earlier.SOPInstanceUID
    read = read_report(versions[1], stacks(predicted))
    assert [one.decision for one in read] == ["accepted", "corrected", "added"]
    assert (read[0].level, read[0].comment) == ("L4/L5", "sure")
    assert [one.score is None for one in read] == [False, False, True]
    told = predicted.reported[1].box
    assert_allclose(read[1].box.center, told.center, atol=1e-3)
    assert_allclose(read[1].box.size, [value / 2 for value in told.size], atol=1e-3)


@pytest.mark.parametrize(
    ("more", "words"),
    [({"findings_sha256": "0" * 64}, "other findings"), ({}, "no export of the reading page")],
)
def test_a_reading_of_something_else_is_refused(
    more: dict[str, str],
    words: str,
    predicted: Predicted,
    run: Run,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    path = export_of(predicted, tmp_path / "reading.json", **more)
    if not more:
        content = json.loads(path.read_text())
        del content["reading"]
        path.write_text(json.dumps(content))
    asked = (f"findings={predicted.out / 'findings.json'}", f"input={predicted.hospital.folder}", f"reading={path}")
    assert run("deliver", *asked, f"out={tmp_path / 'out'}") == 2
    assert words in " ".join(capsys.readouterr().err.split())
    assert not (tmp_path / "out").exists()


def test_a_previous_version_that_is_missing_damaged_or_of_another_examination_is_named(
    predicted: Predicted, run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    reading = export_of(predicted, tmp_path / "reading.json")
    words = (f"findings={predicted.out / 'findings.json'}", f"input={predicted.hospital.folder}", f"reading={reading}")
    assert run("deliver", *words, "previous=nowhere", f"out={tmp_path / 'out'}") == 2
    assert "previous=nowhere is no folder" in " ".join(capsys.readouterr().err.split())
    (path,) = (predicted.out / "dicom").rglob("report.dcm")
    earlier = tmp_path / "earlier" / path.relative_to(predicted.out)
    earlier.parent.mkdir(parents=True)
    other = dcmread(path)
    other.StudyInstanceUID = "1.2.3"
    for number, reason in enumerate(("is damaged", "another examination")):
        if number:
            other.save_as(earlier)
        else:
            earlier.write_bytes(b"half")
        out = tmp_path / f"out{number}"
        assert run("deliver", *words, f"previous={tmp_path / 'earlier'}", f"out={out}") == 0
        assert not list((out / "dicom").rglob("report.dcm"))
        assert reason in " ".join(capsys.readouterr().err.split())


@pytest.mark.parametrize(
    "words", [("reading=a.json", "outputs=[page]"), ("region=thoracic",), ("sr.geometry=balls",), ("outputs=[pdf]",)]
)
def test_wrong_settings_are_refused(words: tuple[str, ...], run: Run, tmp_path: Path) -> None:
    assert run("deliver", "findings=f.json", f"input={tmp_path}", *words, f"out={tmp_path / 'out'}") == 2


# --- sent ---


@dataclass
class Pacs:
    """A server that answers as a DICOMweb service does, and remembers what it was sent."""

    known: set[str]
    refuse: int = 0
    redirect: bool = False
    stored: list[Dataset] = field(default_factory=list)
    authorization: str | None = None
    url: str = ""


@contextmanager
def serving(pacs: Pacs) -> Iterator[Pacs]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            pacs.authorization = self.headers["Authorization"]
            uid = self.path.partition("StudyInstanceUID=")[2].split("&")[0]
            found = [{"0020000D": {"vr": "UI", "Value": [uid]}}] if uid in pacs.known else []
            self.answer(200 if found else 204, found)

        def do_POST(self) -> None:
            body = b"".join(self.pieces())
            if pacs.redirect:
                self.send_response(307)
                self.send_header("Location", "http://127.0.0.1:9/elsewhere")
                self.end_headers()
                return
            head = f"Content-Type: {self.headers['Content-Type']}\r\n\r\n".encode()
            parts = BytesParser().parsebytes(head + body).get_payload()
            files = [dcmread(BytesIO(part.get_payload(decode=True))) for part in parts]
            pacs.stored += files[pacs.refuse :]
            item = {"00081155": {"vr": "UI", "Value": [str(files[0].SOPInstanceUID)]}}
            self.answer(200, {"00081198": {"vr": "SQ", "Value": [item] * pacs.refuse}} if pacs.refuse else {})

        def pieces(self) -> Iterator[bytes]:
            """The body, which comes in chunks (RFC 9112, 7.1)."""
            while length := int(self.rfile.readline(), 16):
                yield self.rfile.read(length)
                self.rfile.readline()
            self.rfile.readline()

        def answer(self, status: int, content: Any) -> None:
            body = json.dumps(content).encode() if status != 204 else b""
            self.send_response(status)
            self.send_header("Content-Type", "application/dicom+json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *words: Any) -> None:
            """Keep the terminal clean."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    pacs.url = f"http://127.0.0.1:{server.server_port}/dicom-web"
    try:
        yield pacs
    finally:
        server.shutdown()
        server.server_close()


def test_nothing_is_sent_unless_told(predicted: Predicted, run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    with serving(Pacs({predicted.hospital.study})) as pacs:
        assert run("push", f"out={predicted.out}", f"url={pacs.url}") == 0
    assert pacs.stored == []
    shown = capsys.readouterr()
    assert "nothing was sent" in shown.err
    assert predicted.hospital.study not in shown.out + shown.err


def test_documents_arrive_as_they_are(predicted: Predicted, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OWN_TOKEN", "Bearer 7")
    with serving(Pacs({predicted.hospital.study})) as pacs:
        assert run("push", f"out={predicted.out}", f"url={pacs.url}", "dry_run=false", "auth=OWN_TOKEN") == 0
    files = [dcmread(path) for path in sorted((predicted.out / "dicom").rglob("*.dcm"))]
    assert pacs.authorization == "Bearer 7"
    assert sorted(str(one.SOPInstanceUID) for one in pacs.stored) == sorted(str(one.SOPInstanceUID) for one in files)
    sent = {str(one.SOPInstanceUID): one for one in pacs.stored}
    assert all(sent[str(one.SOPInstanceUID)] == one for one in files)


@pytest.mark.parametrize(
    ("pacs", "status", "words"),
    [
        (Pacs(set()), 2, "no images of 1 of 1 examinations"),
        (Pacs({"all"}, refuse=1), 1, "1 refused"),
        (Pacs({"all"}, redirect=True), 2, "status 307"),
    ],
)
def test_what_a_pacs_does_not_take_is_told(
    pacs: Pacs, status: int, words: str, predicted: Predicted, run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    pacs.known = {predicted.hospital.study} if pacs.known else set()
    with serving(pacs):
        assert run("push", f"out={predicted.out}", f"url={pacs.url}", "dry_run=false") == status
    shown = capsys.readouterr()
    assert words in " ".join((shown.out + shown.err).split())
    assert predicted.hospital.study not in shown.out + shown.err


def test_wrong_folders_and_addresses_are_refused(predicted: Predicted, run: Run, tmp_path: Path) -> None:
    assert run("push", f"out={tmp_path}", "url=http://127.0.0.1:9/dicom-web") == 2
    assert run("push", f"out={predicted.out}", "url=ftp://x") == 2
    assert run("push", f"out={predicted.out}", "url=http://127.0.0.1:9/dicom-web", "dry_run=false") == 2


# --- the whole way of a correction ---


def test_corrections_train_are_scored_and_come_back_to_the_pacs(
    predicted: Predicted, run: Run, smoke_run: Path, cohort: Path, tmp_path: Path
) -> None:
    """Page export, `check`, `score` against a second reader, `train init=`, and the next version of the report."""
    reading = export_of(predicted, tmp_path / "reading.json")
    assert (
        run(
            "deliver",
            *(f"findings={predicted.out / 'findings.json'}", f"input={predicted.hospital.folder}"),
            "outputs=[slicer]",
            f"out={tmp_path / 'images'}",
        )
        == 0
    )
    content = json.loads(reading.read_text())
    for series in content["studies"][0]["series"]:
        series["path"] = f"images/slicer/study/{series['id']}.nii.gz"
    reading.write_text(json.dumps(content))
    assert run("check", f"data.manifests=[{reading}]", f"out={tmp_path / 'check'}") == 0
    assert (
        run(
            "score",
            f"reference={reading}",
            f"findings={predicted.out / 'findings.json'}",
            "bootstrap.samples=50",
            f"out={tmp_path / 'score'}",
        )
        == 0
    )
    groups = json.loads((tmp_path / "score/scores.json").read_text())["groups"]
    (everything,) = (group for group in groups if group["by"] == {})
    assert everything["n"]["lesions"] == 3
    words = ("+experiment=smoke", f"init={smoke_run}", f"data.manifests=[{reading},{cohort}]", "planes=[sagittal]")
    assert run("train", *words, f"out={tmp_path / 'run'}") == 0
    assert (tmp_path / "run/model/model.json").is_file()
    back = (f"findings={predicted.out / 'findings.json'}", f"input={predicted.hospital.folder}", f"reading={reading}")
    assert run("deliver", *back, f"out={tmp_path / 'delivered'}") == 0
    assert int(report_of(tmp_path / "delivered").InstanceNumber) == 2
