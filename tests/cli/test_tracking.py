"""Where metrics go, and what must not go with them."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import wandb
from PIL import Image
from wandb.proto import wandb_internal_pb2

from spinedet.cli import tracking
from spinedet.cli.tracking import CsvLoggerConfig, Lines, NoLoggerConfig, Results, Rows, WandbLoggerConfig
from spinedet.core.manifest import read_manifest

from ..commands.conftest import run_command

BLOCK, HEADER = 32768, 7


def records(folder: Path) -> Iterator[wandb_internal_pb2.Record]:
    """Every record of the offline logs below a folder: LevelDB's log format, parts of long ones joined."""
    for file in sorted(folder.glob("wandb/offline-run-*/run-*.wandb")):
        content, place, whole = file.read_bytes(), HEADER, b""
        while place + HEADER <= len(content):
            if BLOCK - place % BLOCK < HEADER:
                place += BLOCK - place % BLOCK
                continue
            length, kind = int.from_bytes(content[place + 4 : place + 6], "little"), content[place + 6]
            whole += content[place + HEADER : place + HEADER + length]
            place += HEADER + length
            if kind in (1, 4):  # a whole record, or the last part of one
                record = wandb_internal_pb2.Record()
                record.ParseFromString(whole)
                yield record
                whole = b""


def logged(folder: Path) -> dict[str, str]:
    """Keys and values of the history."""
    items = [item for record in records(folder) for item in record.history.item]
    return {item.key or "/".join(item.nested_key): item.value_json for item in items}


def artifacts(folder: Path) -> set[str]:
    requests = (record.request for record in records(folder) if record.HasField("request"))
    logs = [request.log_artifact.artifact for request in requests if request.HasField("log_artifact")]
    return {one.name for one in [*logs, *(r.artifact for r in records(folder) if r.HasField("artifact"))]}


@pytest.fixture(autouse=True)
def _no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WANDB_API_KEY", raising=False)


def test_none_is_none(tmp_path: Path) -> None:
    with tracking.open_loggers(NoLoggerConfig(), tmp_path, "sagittal") as loggers:
        assert loggers == []


def test_csv_lies_in_the_run(tmp_path: Path) -> None:
    tracking.log_metrics(CsvLoggerConfig(), tmp_path, {"loss": 1.5})
    assert "1.5" in (tmp_path / "logs/result/metrics.csv").read_text()


def test_all_of_a_short_offline_run_is_there_when_it_ends(tmp_path: Path) -> None:
    picture = io.BytesIO()
    Image.new("L", (4, 4)).save(picture, "png")
    (tmp_path / "weights").write_bytes(b"w")
    results = Results(
        facts={"seed": 3},
        metrics={"f1": 0.75},
        lines={"froc/sagittal": Lines("FROC", "false positives per scan", {"A": ([0.0, 1.0], [0.5, 1.0])})},
        tables={"findings": Rows(("study", "score"), [("00ff", 0.5)])},
        pictures={"case": picture.getvalue()},
        model={"weights.safetensors": tmp_path / "weights"},
        scores={"f1": 0.75},
    )
    tracking.log_results(WandbLoggerConfig(), tmp_path, results)
    found = logged(tmp_path)
    assert json.loads(found["f1"]) == 0.75
    assert {"findings", "case"} <= {key.split("/")[0] for key in found}
    assert any(key.startswith("froc/sagittal") for key in found)
    kinds = [record.WhichOneof("record_type") for record in records(tmp_path)]
    assert {"run", "history", "exit"} <= set(kinds)
    assert {"model", "scores"} <= artifacts(tmp_path)


def test_two_jobs_of_one_command_are_two_runs_of_one_group(tmp_path: Path) -> None:
    for job in ("sagittal", "axial"):
        with tracking.open_loggers(WandbLoggerConfig(), tmp_path, job) as (logger,):
            logger.log_metrics({f"{job}/loss": 1.5}, step=1)
    runs = [record.run for record in records(tmp_path) if record.HasField("run")]
    assert {run.display_name for run in runs} == {"sagittal", "axial"}
    assert len({run.run_group for run in runs}) == 1
    assert {"sagittal/loss", "axial/loss"} <= set(logged(tmp_path))


def test_a_network_that_fails_does_not_stop_a_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    begin = wandb.init

    def broken(*, mode: str, **more: object) -> object:
        if mode == "online":
            raise wandb.errors.CommError("no route to host")
        return begin(mode=mode, **more)

    monkeypatch.setattr(wandb, "init", broken)
    with pytest.warns(UserWarning, match="logging offline"):
        tracking.log_metrics(WandbLoggerConfig(mode="online"), tmp_path, {"f1": 0.5})
    assert json.loads(logged(tmp_path)["f1"]) == 0.5


def test_a_test_s_log_has_its_panels_and_names_nobody(tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("tracked") / "run-of-patient-x"
    words = ("+experiment=smoke", "planes=[sagittal]", "trainer.max_epochs=10", "logger=wandb", "workers=1")
    assert run_command("train", *words, f"out={folder}") == 0
    found = logged(folder)
    assert {"loss", "findings"} <= {key.split("/")[0] for key in found}
    assert any(key.startswith("froc/sagittal") for key in found)
    assert any(key.startswith("precision_recall/sagittal") for key in found)
    assert {"model", "scores"} <= artifacts(folder)
    everything = b"".join(record.SerializeToString() for record in records(folder))
    everything += b"".join(file.read_bytes() for file in folder.glob("wandb/offline-run-*/files/**/*.json"))
    manifest = read_manifest(folder / "cohort/manifest.json")
    names = [name for study in manifest.studies for name in (study.id, study.patient)]
    files = [str(series.path) for study in manifest.studies for series in study.series]
    for secret in (*names, *files, str(folder), folder.name, "nii.gz", "manifest.json"):
        assert secret.encode() not in everything
