"""`spinedet.train`: what a run leaves behind, how it resumes, and what it refuses."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from safetensors.torch import load_file

from spinedet.core.files import sha256
from spinedet.core.findings import read_findings
from spinedet.core.manifest import read_manifest, write_manifest
from spinedet.imaging.volume import read_volume, write_volume
from spinedet.scoring import read_operating_point, read_scores

from .conftest import Run

TINY = ("+experiment=smoke", "planes=[sagittal]", "trainer.max_epochs=1")


def test_a_finished_run_holds_what_the_contract_says(smoke_run: Path) -> None:
    wanted = {
        "config.yaml",
        "run.json",
        "splits.json",
        "model",
        "operating_point.json",
        "findings.json",
        "scores.json",
        "report.html",
    }
    assert wanted <= {file.name for file in smoke_run.iterdir()}
    assert {file.name for file in (smoke_run / "model").iterdir()} == {"weights.safetensors", "model.json"}
    assert not (smoke_run / "cache").exists()
    assert not (smoke_run / "skipped.json").exists()


def test_the_parts_of_a_run_agree(smoke_run: Path) -> None:
    record = json.loads((smoke_run / "run.json").read_text())
    findings = read_findings(smoke_run / "findings.json")
    scores = read_scores(smoke_run / "scores.json")
    point = read_operating_point(smoke_run / "operating_point.json")
    assert [study.id for study in findings.studies] == record["splits"]["test"]
    assert scores.group().n.studies == len(record["splits"]["test"])
    assert {threshold.plane for threshold in point.thresholds} == {"sagittal", "axial"}
    assert scores.operating_point_sha256 == point.sha256
    assert record["seed"] == 0
    assert record["versions"]["torch"]


def test_the_split_file_says_who_played_which_part(smoke_run: Path) -> None:
    content = json.loads((smoke_run / "splits.json").read_text())
    parts = {part: {s["study"] for s in content["studies"] if s["split"] == part} for part in ("train", "tune", "test")}
    record = json.loads((smoke_run / "run.json").read_text())["splits"]
    assert parts == {part: set(studies) for part, studies in record.items()}
    drawn = {study.id: study for study in read_manifest(smoke_run / "cohort/manifest.json").studies}
    for one in content["studies"]:
        study = drawn[one["study"]]
        assert (one["patient"], one["center"]) == (study.patient, study.center)
        assert one["images"] == {series.id: sha256(Path(series.path)) for series in study.series}


def test_every_finding_says_on_which_side_of_the_operating_point_it_is(smoke_run: Path) -> None:
    content = json.loads((smoke_run / "findings.json").read_text())
    thresholds = read_operating_point(smoke_run / "operating_point.json").values
    found = [finding for study in content["studies"] for finding in study["findings"]]
    planes = {"sag": "sagittal", "ax": "axial"}
    assert found
    for finding in found:
        limit = thresholds[planes[finding["series"]], finding["category"]]
        assert finding["above_operating_point"] == (finding["score"] >= limit)
        assert finding["score"] >= 0.01


def test_the_resolved_config_is_kept(smoke_run: Path) -> None:
    config = yaml.safe_load((smoke_run / "config.yaml").read_text())
    assert config["name"] == "smoke"
    assert config["criterion"] == {"name": "iou", "iou": 0.1}


def test_a_run_refuses_the_folder_of_another(run: Run, smoke_run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("train", *TINY, f"out={smoke_run}") == 2
    assert "belongs to another run" in capsys.readouterr().err


def test_two_runs_never_write_one_folder(run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "config.yaml").write_text("seed: 0\n")
    with (tmp_path / ".lock").open("w") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        assert run("train", *TINY, f"out={tmp_path}", "resume=true") == 2
    assert "is being written by another process" in capsys.readouterr().err


def test_two_processes_train_one_run(run: Run, cohort: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    words = (*TINY, f"data.manifests=[{cohort}]", f"out={out}", "trainer=ddp", "trainer.accelerator=cpu")
    assert run("train", *words, "trainer.devices=2") == 0
    assert (out / "report.html").exists()


def test_a_finished_run_has_nothing_to_resume(run: Run, smoke_run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = (smoke_run / "run.json").stat().st_mtime_ns
    assert run("train", "+experiment=smoke", f"out={smoke_run}", "resume=true") == 0
    assert "nothing to resume" in capsys.readouterr().err
    assert (smoke_run / "run.json").stat().st_mtime_ns == before


def test_planes_may_share_one_network(run: Run, cohort: Path, tmp_path: Path) -> None:
    out, words = tmp_path / "run", (f"data.manifests=[{cohort}]", "trainer.max_epochs=1")
    assert run("train", "+experiment=smoke", "shared=true", *words, f"out={out}") == 0
    assert [folder.name for folder in (out / "checkpoints").iterdir()] == ["shared"]
    weights = load_file(out / "model/weights.safetensors")
    kernels = [name.removeprefix("sagittal.") for name in weights if name.startswith("sagittal.") and "conv1" in name]
    assert all(torch.equal(weights[f"sagittal.{name}"], weights[f"axial.{name}"]) for name in kernels)
    assert kernels
    assert {threshold.plane for threshold in read_operating_point(out / "operating_point.json").thresholds} == {
        "sagittal",
        "axial",
    }
    # Every command takes it like any other run, one plane's training too.
    assert run("evaluate", f"run={out}", f"data.manifests=[{cohort}]", "split=test", f"out={tmp_path / 'test'}") == 0
    assert run("train", *TINY, *words, f"init={out}", "recipe.lr=0", f"out={tmp_path / 'next'}") == 0
    taken = load_file(tmp_path / "next/model/weights.safetensors")
    assert all(torch.equal(taken[f"sagittal.{name}"], weights[f"sagittal.{name}"]) for name in kernels)


def test_one_plane_has_nothing_to_share(run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("train", *TINY, "shared=true", f"out={tmp_path}") == 2
    assert "shared=true needs several planes" in capsys.readouterr().err


def test_starting_from_a_run_takes_its_weights_over(run: Run, smoke_run: Path, cohort: Path, tmp_path: Path) -> None:
    status = run(
        "train", *TINY, f"data.manifests=[{cohort}]", f"init={smoke_run}", "recipe.lr=0", f"out={tmp_path / 'run'}"
    )
    assert status == 0
    before = load_file(smoke_run / "model/weights.safetensors")
    after = load_file(tmp_path / "run/model/weights.safetensors")
    weights = [name for name in after if name.endswith("weight") and ".bn" not in name]
    assert weights
    assert all(torch.equal(before[name], after[name]) for name in weights)


def test_nothing_learned_and_nothing_chosen_is_the_run_that_it_starts_from(
    run: Run, smoke_run: Path, cohort: Path, tmp_path: Path
) -> None:
    words = (f"data.manifests=[{cohort}]", f"init={smoke_run}", f"out={tmp_path / 'run'}")
    assert run("train", "+experiment=smoke", "planes=[sagittal]", "+transfer=zero_shot", *words) == 0
    before, after = smoke_run / "operating_point.json", tmp_path / "run/operating_point.json"
    assert after.read_bytes() == before.read_bytes()
    assert read_scores(tmp_path / "run/scores.json").operating_point_sha256 == sha256(after)
    was, now = (read_findings(folder / "findings.json").studies[0].findings for folder in (smoke_run, after.parent))
    assert now == tuple(finding for finding in was if finding.series == "sag")
    record = json.loads((tmp_path / "run/run.json").read_text())["init"]
    assert record["planes"]["sagittal"]["share"] == 1.0
    assert record["planes"]["sagittal"]["new"] == []


@pytest.mark.parametrize(
    ("words", "key"),
    [
        (("+experiment=cervical_transfer",), "init="),
        (("+experiment=leave_one_out",), "data.hold_out="),
        (("+experiment=cervical_transfer", "transfer=mixed", "init=x"), "data.mix="),
    ],
)
def test_what_an_experiment_leaves_open_is_asked_for(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str], words: tuple[str, ...], key: str
) -> None:
    assert run("train", *words, f"out={tmp_path / 'run'}") == 2
    assert f"{key} is needed" in capsys.readouterr().err


def test_without_test_studies_the_report_says_what_it_shows(run: Run, cohort: Path, tmp_path: Path) -> None:
    manifest = read_manifest(cohort)
    studies = tuple(study.model_copy(update={"split": None}) for study in manifest.studies)
    write_manifest(tmp_path / "manifest.json", manifest.model_copy(update={"studies": studies}))
    out = tmp_path / "run"
    assert run("train", *TINY, f"data.manifests=[{tmp_path / 'manifest.json'}]", f"out={out}") == 0
    assert "no test studies" in (out / "report.html").read_text()
    splits = json.loads((out / "run.json").read_text())["splits"]
    assert len(splits["tune"]) == 1
    assert set(splits["tune"]) | set(splits["train"]) == {study.id for study in studies}


def test_a_broken_study_is_skipped_and_the_status_says_so(run: Run, cohort: Path, tmp_path: Path) -> None:
    shutil.copytree(cohort.parent, tmp_path / "cohort")
    manifest = tmp_path / "cohort/manifest.json"
    content = json.loads(manifest.read_text())
    content["studies"][0]["series"][0].pop("sha256", None)
    manifest.write_text(json.dumps(content))
    broken = content["studies"][0]
    image = tmp_path / "cohort" / broken["series"][0]["path"]
    image.write_bytes(image.read_bytes()[: image.stat().st_size // 2])
    assert run("train", *TINY, f"data.manifests=[{manifest}]", f"out={tmp_path / 'run'}") == 3
    skipped = json.loads((tmp_path / "run/skipped.json").read_text())
    assert [entry["study"] for entry in skipped] == [broken["id"]]
    assert str(image) in skipped[0]["reason"]


def test_a_constant_volume_is_skipped_like_any_broken_one(run: Run, cohort: Path, tmp_path: Path) -> None:
    shutil.copytree(cohort.parent, tmp_path / "cohort")
    image = next(iter(read_manifest(tmp_path / "cohort/manifest.json").studies)).series[0].path
    volume = read_volume(image)
    write_volume(image, type(volume)(np.full_like(volume.array, 7), volume.grid))
    manifest = tmp_path / "cohort/manifest.json"
    content = json.loads(manifest.read_text())
    for series in (s for study in content["studies"] for s in study["series"]):
        series.pop("sha256", None)
    manifest.write_text(json.dumps(content))
    assert run("train", *TINY, f"data.manifests=[{manifest}]", f"out={tmp_path / 'run'}") == 3


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("planes=[coronal]",), "planes=['coronal']"),
        (("planes=[]",), "name some of"),
        (("data.manifests=[nowhere.json]",), "nowhere.json does not exist"),
        (("init=nowhere",), "is no run folder"),
        (("rule=best",), "use max_f1"),
        (("rule=init",), "init= is not given"),
        (("criterion.iou=2",), "criterion.iou=2"),
        (("nonsense=1",), "nonsense"),
        (("+experiment=nonsense",), "nonsense"),
        (("seed=lots",), "seed"),
        (("trainer.devices=many",), "use a number, -1 for all, or auto"),
        (("trainer=ddp", "trainer.devices=2", "trainer.num_nodes=2"), "start the command with srun or torchrun"),
    ],
)
def test_wrong_words_are_refused_with_one_clear_message(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str], words: tuple[str, ...], message: str
) -> None:
    assert run("train", "data=smoke", f"out={tmp_path / 'run'}", *words) == 2
    told = capsys.readouterr().err
    assert message in told
    assert "Traceback" not in told


def test_a_full_disk_is_met_before_training(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=1 << 20))
    assert run("train", *TINY, f"out={tmp_path / 'run'}") == 2
    assert "MiB left" in capsys.readouterr().err
    assert not (tmp_path / "run/cohort").exists()


def test_a_folder_that_cannot_be_made_is_refused(run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").write_text("in the way")
    assert run("train", *TINY, f"out={tmp_path / 'file/run'}") == 2
    assert "cannot be made" in capsys.readouterr().err


def test_a_killed_run_goes_on_and_says_from_where(cohort: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    words = [sys.executable, "-m", "spinedet.train", "+experiment=smoke", "planes=[sagittal]", f"out={out}"]
    words += [f"data.manifests=[{cohort}]", "trainer.max_epochs=400", "trainer.validate_every=1000"]
    first = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    checkpoint = out / "checkpoints/sagittal/last.ckpt"
    deadline = time.monotonic() + 400
    while not checkpoint.exists() and time.monotonic() < deadline:
        assert first.poll() is None
        time.sleep(0.02)
    os.kill(first.pid, signal.SIGKILL)
    first.wait()
    epoch = torch.load(checkpoint, weights_only=True)["epoch"]
    assert not (out / "report.html").exists()

    words[-2:] = [f"trainer.max_epochs={epoch + 3}", "trainer.validate_every=1000", "resume=true"]
    second = subprocess.run(words, capture_output=True, text=True, timeout=400, check=False)
    assert second.returncode == 0, second.stderr
    assert f"goes on after epoch {epoch + 1}" in second.stderr
    assert torch.load(checkpoint, weights_only=True)["epoch"] == epoch + 2
    assert (out / "report.html").exists()


def test_a_killed_run_leaves_no_process_behind(cohort: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    words = [sys.executable, "-m", "spinedet.train", "+experiment=smoke", f"out={out}", "workers=2"]
    words += [f"data.manifests=[{cohort}]", "trainer.max_epochs=400", "trainer.validate_every=1000"]
    command = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
    deadline = time.monotonic() + 400
    while len(list(out.glob("checkpoints/*/last.ckpt"))) < 2 and time.monotonic() < deadline:
        assert command.poll() is None
        time.sleep(0.05)
    os.kill(command.pid, signal.SIGKILL)
    command.wait()
    deadline = time.monotonic() + 60
    while (left := session(command.pid)) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert left == []


def session(leader: int) -> list[str]:
    """Living processes of the session that a process leads; see proc(5) for the fields."""
    found = []
    for file in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            state, _, _, owner = file.read_text().rpartition(")")[2].split()[:4]
            found += [file.parent.name] if int(owner) == leader and state != "Z" else []
    return found


def test_a_run_killed_after_its_training_ends_with_the_same_weights(run: Run, cohort: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    words = (*TINY, f"data.manifests=[{cohort}]", f"out={out}")
    assert run("train", *words) == 0
    before = load_file(out / "model/weights.safetensors")
    (out / "report.html").unlink()
    shutil.rmtree(out / "model")
    assert run("train", *words, "resume=true") == 0
    after = load_file(out / "model/weights.safetensors")
    assert all(torch.equal(before[name], after[name]) for name in before)


def test_an_unfinished_run_goes_on_only_as_it_began(
    run: Run, cohort: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "run"
    assert run("train", *TINY, f"data.manifests=[{cohort}]", f"out={out}") == 0
    (out / "report.html").unlink()
    assert run("train", *TINY, f"data.manifests=[{cohort}]", f"out={out}", "resume=true", "recipe.lr=0.5") == 2
    assert "recipe.lr" in capsys.readouterr().err
