"""A study that lies in a real PACS: Orthanc on this machine, for as long as these tests run."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
import requests
from pydicom import dcmread

from spinedet.imaging.volume import index_images

from ..imaging.dicom.conftest import SAGITTAL, SECONDARY_CAPTURE, T1_TAGS, T2_TAGS, Cut, Hospital, tilted_axial
from .conftest import Run

ORTHANC = shutil.which("Orthanc") or shutil.which("orthanc")
PLUGINS = Path("/usr/share/orthanc/plugins")
pytestmark = pytest.mark.skipif(
    ORTHANC is None or not PLUGINS.is_dir(), reason="the Debian packages orthanc and orthanc-dicomweb are not installed"
)
_SECONDS_TO_START = 60


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="module")
def pacs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of an Orthanc with a storage of its own, stopped at the end."""
    home, port = tmp_path_factory.mktemp("orthanc"), free_port()
    settings = {
        "HttpPort": port,
        "DicomPort": free_port(),
        "StorageDirectory": str(home / "storage"),
        "IndexDirectory": str(home / "index"),
        "RemoteAccessAllowed": False,
        "AuthenticationEnabled": False,
        "Plugins": [str(PLUGINS)],
    }
    (home / "orthanc.json").write_text(json.dumps(settings))
    with (home / "log").open("wb") as log:
        server = subprocess.Popen([str(ORTHANC), str(home / "orthanc.json")], stdout=log, stderr=log)
        try:
            address = f"http://127.0.0.1:{port}"
            wait_for(f"{address}/dicom-web/studies", server)
            yield address
        finally:
            server.terminate()
            server.wait(timeout=30)


def wait_for(url: str, server: subprocess.Popen[bytes]) -> None:
    for _ in range(_SECONDS_TO_START * 4):
        assert server.poll() is None, "Orthanc stopped by itself"
        try:
            requests.get(url, timeout=5).raise_for_status()
            return
        except requests.RequestException:
            time.sleep(0.25)
    pytest.fail("Orthanc did not start")


def store(pacs: str, folder: Path) -> None:
    for file in sorted(folder.rglob("IM*")):
        requests.post(f"{pacs}/instances", data=file.read_bytes(), timeout=30).raise_for_status()


@pytest.fixture(scope="module")
def study(pacs: str, tmp_path_factory: pytest.TempPathFactory) -> Hospital:
    hospital = Hospital(tmp_path_factory.mktemp("pacs") / "study")
    back = Cut(SAGITTAL, (0, 0, 0), slices=6, shape=(100, 40))
    discs = [Cut(tilted_axial(a), (0, 0, z), 3, shape=(70, 70)) for a, z in ((-5, 40), (25, 0))]
    hospital.series(1, [back], {**T1_TAGS, "SeriesDescription": "Secret^Name T1"})
    hospital.series(2, [back], {**T2_TAGS, "SeriesDescription": "Secret^Name T2 sag"})
    hospital.series(3, discs, T2_TAGS)
    hospital.enhanced(4, back, T2_TAGS)
    pixels = {"Rows": 8, "Columns": 8, "SamplesPerPixel": 1, "PhotometricInterpretation": "MONOCHROME2"}
    depth = {"BitsAllocated": 8, "BitsStored": 8, "HighBit": 7, "PixelRepresentation": 0, "PixelData": bytes(64)}
    hospital.write(5, {**pixels, **depth}, SECONDARY_CAPTURE)
    store(pacs, hospital.folder)
    return hospital


def test_the_pacs_gives_what_the_folder_gives(pacs: str, study: Hospital, run: Run, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert run("pull", f"study={pacs}/dicom-web/studies/{study.study}", f"out={out}") == 0
    ours, theirs = index_images(study.folder), index_images(out / "dicom")
    assert [source.id for source in theirs.images] == [source.id for source in ours.images]
    assert len(ours.images) == 3
    assert [v.reasons for v in theirs.choices[0].decisions] == [v.reasons for v in ours.choices[0].decisions]
    for one, two in zip(ours.images, theirs.images, strict=True):
        assert one.plane is two.plane
        first, second = one.read(), two.read()
        assert np.array_equal(first.array, second.array)
        assert np.array_equal(first.grid.affine, second.grid.affine)


def test_nothing_of_the_patient_reaches_the_disk(pacs: str, study: Hospital, run: Run, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert run("pull", f"study={pacs}/dicom-web/studies/{study.study}", f"out={out}") == 0
    written = b"".join(file.read_bytes() for file in out.rglob("*") if file.is_file())
    for secret in ("Secret", "secret-id", "19500101", study.study, *study.uids.values()):
        assert secret.encode() not in written


def test_reports_are_stored_and_come_back_as_they_were(pacs: str, study: Hospital, run: Run, tmp_path: Path) -> None:
    out = tmp_path / "out"
    words = ("outputs=[sr]", "sr.min_score=0.05", "sr.images=true", "eligibility.gate=false")
    assert run("predict", "run=shipped", f"input={study.folder}", *words, f"out={out}") == 0
    files = [dcmread(path) for path in sorted((out / "dicom").rglob("*.dcm"))]
    assert {str(file.Modality) for file in files} == {"SR", "OT", "KO"}
    service = f"{pacs}/dicom-web"
    for _ in range(2):  # the same documents again change nothing
        assert run("push", f"out={out}", f"url={service}", "dry_run=false") == 0
        for file in files:
            found = requests.post(f"{pacs}/tools/lookup", data=str(file.SOPInstanceUID), timeout=30).json()
            assert len(found) == 1
            stored = requests.get(f"{pacs}/instances/{found[0]['ID']}/file", timeout=30).content
            assert dcmread(BytesIO(stored)) == file


def test_reports_on_an_examination_that_is_not_there_stay_here(
    pacs: str, run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = Hospital(tmp_path / "other")
    other.series(2, [Cut(SAGITTAL, (0, 0, 0), slices=6, shape=(100, 40))], T2_TAGS)
    out = tmp_path / "out"
    words = ("outputs=[sr]", "eligibility.gate=false", f"out={out}")
    assert run("predict", "run=shipped", f"input={other.folder}", *words) == 0
    assert run("push", f"out={out}", f"url={pacs}/dicom-web", "dry_run=false") == 2
    assert "no images of 1 of 1 examinations" in " ".join(capsys.readouterr().err.split())


@pytest.mark.parametrize("words", ["study=ftp://x/studies/1.2", "study=http://127.0.0.1:9/dicom-web/studies/1.2.3"])
def test_a_wrong_address_is_told(run: Run, tmp_path: Path, words: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("pull", words, f"out={tmp_path / 'out'}") == 2
    assert "study" in capsys.readouterr().err


def test_a_study_that_is_not_there_is_told(pacs: str, run: Run, tmp_path: Path) -> None:
    assert run("pull", f"study={pacs}/dicom-web/studies/1.2.3.4", f"out={tmp_path / 'out'}") == 2
