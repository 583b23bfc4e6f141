"""One of each drill that needs a command of its own; `tests/faults/repeat_drills.py` runs all of them many times."""

from __future__ import annotations

import socket
import sys
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from random import Random
from typing import Any

import hydra
import pytest
from omegaconf import OmegaConf
from submitit.core.utils import FailedSubmissionError, UncompletedJobError

import spinedet.train
from spinedet.cli import app, tracking
from spinedet.cli.app import _guarded
from spinedet.cli.exit_status import Status
from spinedet.runs.claimed_folder import RunFolder, claim_run

from .drills import DRILLS, Ground, NotHereError


@pytest.fixture(scope="module")
def ground(tmp_path_factory: pytest.TempPathFactory) -> Ground:
    return Ground(tmp_path_factory.mktemp("ground"))


@pytest.mark.parametrize(
    "name",
    [
        "kill -9 of train",
        "kill -9 of predict",
        "kill -9 of score",
        "SIGUSR1 to train",
        "the disk fills up under train",
        "the disk fills up under predict",
        "the output is read-only for train",
        "an image of an archive holds NaN",
    ],
)
def test_nothing_is_lost(ground: Ground, name: str) -> None:
    try:
        DRILLS[name](ground, Random(1))  # noqa: S311  # no secret
    except NotHereError as error:
        pytest.skip(str(error))


@pytest.mark.parametrize("silent", [True, False])
def test_a_tracker_that_cannot_be_reached_holds_nothing_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, silent: bool
) -> None:
    monkeypatch.setattr(tracking, "NETWORK_SECONDS", 1.0)
    monkeypatch.setenv("WANDB_API_KEY", "0" * 40)
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        if silent:
            server.listen()
        monkeypatch.setenv("WANDB_BASE_URL", f"http://127.0.0.1:{server.getsockname()[1]}")
        with pytest.warns(UserWarning, match="logging offline"):
            tracking.log_metrics(tracking.WandbLoggerConfig(mode="online"), tmp_path, {"f1": 0.5})
    assert list(tmp_path.glob("wandb/offline-run-*/run-*.wandb"))


def refusing(error: BaseException) -> Any:
    def command(config: Any) -> Status:
        raise error

    return command


@pytest.mark.parametrize(
    ("error", "status", "words"),
    [
        (OSError(28, "No space left on device", "out/scores.json"), 2, ("out/scores.json", "free the disk")),
        (OSError(30, "Read-only file system"), 2, ("a file cannot be written", "resume=true")),
        (BrokenProcessPool(), 1, ("died", "resume=true")),
    ],
)
def test_what_happens_to_a_machine_is_told_in_one_sentence(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    error: BaseException,
    status: int,
    words: tuple[str, ...],
) -> None:
    monkeypatch.setattr(app, "resolve_name", lambda name: refusing(error))
    assert _guarded("a:command", OmegaConf.create({"resume": False}))[0] == status
    told = capsys.readouterr().err
    assert all(word in told for word in words)
    assert "Traceback" not in told
    # A command that cannot resume does not say that it can.
    assert _guarded("a:command", OmegaConf.create({}))[0] == status
    told = capsys.readouterr().err
    assert "resume=true" not in told
    assert words[0] in told


def test_a_run_killed_before_it_began_can_begin(tmp_path: Path) -> None:
    (tmp_path / ".lock").touch()
    assert claim_run(tmp_path, resume=True).root == tmp_path
    assert claim_run(tmp_path, resume=False).root == tmp_path


def test_a_run_without_its_record_is_not_finished(tmp_path: Path) -> None:
    run = RunFolder(tmp_path)
    run.report.touch()
    assert not run.finished
    run.record.touch()
    assert run.finished


@pytest.mark.parametrize(
    ("cause", "status"), [(UncompletedJobError("killed"), 1), (FailedSubmissionError("no sbatch"), 1), (KeyError(), 2)]
)
def test_jobs_that_die_before_they_say_anything_have_failed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, cause: Exception, status: int
) -> None:
    def give_up() -> None:  # as Hydra does
        try:
            raise cause
        except Exception:
            sys.exit(1)

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["train"])
    monkeypatch.setattr(hydra, "main", lambda **_: lambda job: give_up)
    with pytest.raises(SystemExit) as stop:
        spinedet.train.main()
    assert stop.value.code == status
