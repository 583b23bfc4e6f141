"""`spinedet.predict` on many studies: what one broken file or an interruption leaves."""

from __future__ import annotations

import json
import os
import shutil
import signal
from collections.abc import Callable
from itertools import count
from pathlib import Path

import pytest

from spinedet.core.findings import read_findings
from spinedet.core.manifest import read_manifest, write_manifest
from spinedet.detection.worker_pool import LEAST_TASKS
from spinedet.imaging.volume import ImageSource, Volume
from spinedet.pipelines import predict_archive
from spinedet.pipelines.image_sources import StudySource
from spinedet.pipelines.predict_series import Reader, ReadStudy
from spinedet.training.determinism import one_thread

from .conftest import Run


def in_a_child(run: Run, words: tuple[str, ...], before: Callable[[], None]) -> int:
    """Run `predict` in a copy of this process; its exit status, or minus the signal that ended it."""
    child = os.fork()
    if child == 0:
        before()
        os._exit(run("predict", *words))
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def interrupt_at(number: int, act: Callable[[], None]) -> Callable[[], None]:
    """Makes the prediction for the study of this number act before it begins."""
    original, begun = predict_archive.read_study, count(1)

    def read_or_act(reader: Reader, source: StudySource) -> ReadStudy:
        if next(begun) == number:
            act()
        return original(reader, source)

    return lambda: setattr(predict_archive, "read_study", read_or_act)


def ctrl_c() -> None:
    raise KeyboardInterrupt


def kill() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def test_an_interrupted_archive_goes_on_and_its_parts_are_put_together(
    run: Run, smoke_run: Path, cohort: Path, tmp_path: Path
) -> None:
    words = (f"run={smoke_run}", f"input={cohort}", "pictures=false")
    assert run("predict", *words, f"out={tmp_path / 'whole'}") == 0
    out = tmp_path / "parts"
    assert run("predict", *words, f"out={out}", "shard=2/2") == 0
    assert not (out / "findings.json").exists()
    journal = out / "parts/0002-of-0002.jsonl"
    lines = journal.read_bytes().splitlines(keepends=True)
    journal.write_bytes(lines[0] + lines[1][:50])  # as a kill leaves it
    for part in ("1/2", "2/2"):
        assert run("predict", *words, f"out={out}", f"shard={part}") == 0
    assert (out / "findings.json").read_bytes() == (tmp_path / "whole/findings.json").read_bytes()


@pytest.mark.parametrize(("act", "status"), [(kill, -signal.SIGKILL), (ctrl_c, 130)], ids=["kill -9", "Ctrl-C"])
def test_an_interrupted_folder_of_images_goes_on_to_the_same_bytes(
    run: Run, smoke_run: Path, folder: Path, tmp_path: Path, act: Callable[[], None], status: int
) -> None:
    words = (f"run={smoke_run}", f"input={folder}", "pictures=false", "outputs=[page,csv]")
    assert run("predict", *words, f"out={tmp_path / 'whole'}") == 0
    out = tmp_path / "out"
    assert in_a_child(run, (*words, f"out={out}"), interrupt_at(3, act)) == status
    assert not (out / "findings.json").exists()
    assert len((out / "parts/0001-of-0001.jsonl").read_bytes().splitlines()) == 2
    begun: list[str] = []
    original = predict_archive.read_study
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(predict_archive, "read_study", lambda r, s: begun.append(s.id) or original(r, s))
        assert run("predict", *words, f"out={out}", "resume=true") == 0
    assert begun == ["scan 2", "scan 3"]
    for name in ("findings.json", "findings.csv", "index.html"):
        assert (out / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()


def test_many_studies_are_done_by_workers_or_predicted_together(
    run: Run, smoke_run: Path, image: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "images"
    folder.mkdir()
    for number in range(LEAST_TASKS):
        os.link(image, folder / f"scan {number:02}.nii.gz")
    (folder / "scan 05.nii.gz").unlink()
    (folder / "scan 05.nii.gz").write_bytes(image.read_bytes()[:5000])
    words = (f"run={smoke_run}", f"input={folder}", "outputs=[page,csv]")
    with one_thread():
        assert run("predict", *words, f"out={tmp_path / 'one'}", "workers=1") == 3
    assert run("predict", *words, f"out={tmp_path / 'whole'}", "workers=2", "device=cpu") == 3
    written = [file.relative_to(tmp_path / "one") for file in (tmp_path / "one").rglob("*") if file.is_file()]
    assert len(written) > LEAST_TASKS
    for name in written:
        if name.name not in ("archive.json", "run.json"):  # these name the settings
            assert (tmp_path / "whole" / name).read_bytes() == (tmp_path / "one" / name).read_bytes(), name
    assert run("predict", *words, f"out={tmp_path / 'two'}", "workers=2", "batch=4", "device=cpu") == 3
    one, two = (read_findings(tmp_path / name / "findings.json").studies for name in ("one", "two"))
    assert [study.id for study in one] == [study.id for study in two] == sorted(study.id for study in one)
    assert len(one) == LEAST_TASKS - 1
    for alone, together in zip(one, two, strict=True):
        assert [f.score for f in together.findings] == pytest.approx([f.score for f in alone.findings], abs=1e-4)
    assert len((tmp_path / "two/findings.csv").read_text().splitlines()) == 1 + sum(len(s.findings) for s in two)


def test_a_device_that_is_not_there(
    run: Run, smoke_run: Path, image: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = (f"run={smoke_run}", f"input={image}", f"out={tmp_path / 'out'}")
    assert run("predict", *words, "device=tpu") == 2
    assert "device=tpu: use auto, cpu, cuda, or cuda:N" in capsys.readouterr().err
    assert run("predict", *words, "batch=0") == 2
    assert "batch=0: use 1 or more" in capsys.readouterr().err
    assert run("predict", *words, "device=cuda:99") == 2
    assert "device=cuda:99: " in capsys.readouterr().err


def test_another_folder_cannot_go_on(
    run: Run, smoke_run: Path, folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = (f"run={smoke_run}", f"input={folder}", "pictures=false", f"out={tmp_path / 'out'}")
    assert run("predict", *words) == 0
    (folder / "scan 3.nii.gz").unlink()
    assert run("predict", *words, "resume=true") == 2
    assert "input_sha256" in capsys.readouterr().err


def test_one_broken_study_of_an_archive_is_listed(run: Run, smoke_run: Path, cohort: Path, tmp_path: Path) -> None:
    manifest = read_manifest(cohort)
    (broken, *_), whole = manifest.studies[0].series, manifest.studies[1]
    lost = manifest.studies[0].model_copy(
        update={"series": (broken.model_copy(update={"path": Path("/nowhere.nii")}),), "negatives": ()}
    )
    write_manifest(tmp_path / "m.json", manifest.model_copy(update={"studies": (lost, whole)}))
    out = tmp_path / "out"
    assert run("predict", f"run={smoke_run}", f"input={tmp_path / 'm.json'}", f"out={out}") == 3
    assert [study.id for study in read_findings(out / "findings.json").studies] == [whole.id]
    assert [entry["study"] for entry in json.loads((out / "skipped.json").read_text())] == [f"{lost.id}/{broken.id}"]


def test_one_broken_image_does_not_end_the_run(run: Run, smoke_run: Path, image: Path, tmp_path: Path) -> None:
    folder = tmp_path / "images"
    folder.mkdir()
    shutil.copy(image, folder / "good.nii.gz")
    (folder / "bad.nii.gz").write_bytes(image.read_bytes()[:5000])
    out = tmp_path / "out"
    assert run("predict", f"run={smoke_run}", f"input={folder}", f"out={out}") == 3
    assert [study.id for study in read_findings(out / "findings.json").studies] == ["good"]
    (skipped,) = json.loads((out / "skipped.json").read_text())
    assert "bad.nii.gz" in skipped["reason"]


@pytest.mark.parametrize("error", [MemoryError(), ValueError("odd bytes"), RecursionError()])
def test_whatever_one_file_raises_the_others_are_read(
    run: Run, smoke_run: Path, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    original = ImageSource.read

    def read(source: ImageSource) -> Volume:
        if source.id == "scan 1":
            raise error
        return original(source)

    monkeypatch.setattr(ImageSource, "read", read)
    out = tmp_path / "out"
    assert run("predict", f"run={smoke_run}", f"input={folder}", f"out={out}", "pictures=false") == 3
    found = [study.id for study in read_findings(out / "findings.json").studies]
    assert found == ["scan 0", "scan 2", "scan 3"]
    (skipped,) = json.loads((out / "skipped.json").read_text())
    assert skipped["study"] == "scan 1/scan 1"
    assert "scan 1" in skipped["reason"]


def test_a_rejected_input_leaves_its_folder_free(run: Run, smoke_run: Path, image: Path, tmp_path: Path) -> None:
    bad, out = tmp_path / "bad.nii.gz", tmp_path / "out"
    bad.write_bytes(image.read_bytes()[:5000])
    assert run("predict", f"run={smoke_run}", f"input={bad}", f"out={out}") == 2
    assert run("predict", f"run={smoke_run}", f"input={image}", f"out={out}") == 0
