"""Against a real scheduler: an array of evaluations, and a training that is preempted twice."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

Environment = dict[str, str]
TINY = (
    "+experiment=smoke",
    "planes=[sagittal]",
    "workers=1",
    "trainer.deterministic=true",
    "trainer.precision=32-true",
)


def spinedet(command: str, *words: str) -> list[str]:
    return [sys.executable, "-m", f"spinedet.{command}", *words]


def call(words: list[str], folder: Path, environment: Environment) -> str:
    done = subprocess.run(words, cwd=folder, env=environment, capture_output=True, text=True, timeout=800, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="session")
def undisturbed(slurm: Environment, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A training that nobody interrupts, without Slurm."""
    folder = tmp_path_factory.mktemp("runs")
    call(spinedet("train", *TINY, "trainer.max_epochs=12", "trainer.validate_every=12", "out=whole"), folder, slurm)
    return folder / "whole"


def test_an_array_of_four_evaluations(slurm: Environment, undisturbed: Path, tmp_path: Path) -> None:
    words = [f"run={undisturbed}", f"data.manifests=[{undisturbed}/cohort/manifest.json]", "test.bootstrap.samples=20"]
    sweep = ["cluster=debug", "test.min_score=0.01,0.02,0.03,0.04", "out=sweep", "test.cases=0"]
    call(spinedet("evaluate", *words, *sweep), tmp_path, slurm)
    record = json.loads((tmp_path / "sweep/sweep.json").read_text())
    assert [(job["folder"], job["status"]) for job in record["jobs"]] == [(f"job-{n}", 0) for n in range(4)]
    assert [(tmp_path / f"sweep/job-{n}/scores.json").exists() for n in range(4)] == [True] * 4
    logs = {log.name.split("_")[0] for log in tmp_path.glob("runs/slurm/[0-9]*_*")}
    assert len(logs) == 1, "one job array"


def test_a_training_preempted_twice_ends_with_the_same_weights(
    slurm: Environment, undisturbed: Path, tmp_path: Path
) -> None:
    words = [f"data.manifests=[{undisturbed}/cohort/manifest.json]", "trainer.max_epochs=12"]
    job = spinedet("train", *TINY, *words, "trainer.validate_every=12", "out=broken", "cluster=debug")
    running = subprocess.Popen(job, cwd=tmp_path, env=slurm, stderr=subprocess.PIPE, text=True)
    saved = tmp_path / "broken/job-0/checkpoints/sagittal/last.ckpt"
    done = 0
    for interruption in range(2):
        wait_for(lambda least: steps(saved) > least, done, (running, slurm))
        subprocess.run(["/usr/bin/env", "scancel", "--signal=USR2", "--name=train"], env=slurm, check=True)
        wait_for(lambda least: told(tmp_path).count("this job is preempted") > least, interruption, (running, slurm))
        done = steps(saved)
    _, errors = running.communicate(timeout=600)
    assert running.returncode == 0, errors
    assert told(tmp_path).count("goes on after epoch") == 2
    one, two = (load_file(run / "model/weights.safetensors") for run in (undisturbed, tmp_path / "broken/job-0"))
    assert all(torch.equal(one[name], two[name]) for name in one)


def told(folder: Path) -> str:
    return "".join(log.read_text() for log in folder.glob("runs/slurm/*/*.err"))


def steps(checkpoint: Path) -> int:
    try:
        return int(torch.load(checkpoint, weights_only=True)["global_step"])
    except FileNotFoundError:
        return 0


def wait_for(reached: Callable[[int], bool], number: int, job: tuple[subprocess.Popen[str], Environment]) -> None:
    """Wait, as long as the command that submitted the job lives and the job is in the queue."""
    submitted, environment = job
    deadline, was_queued = time.monotonic() + 400, False
    while True:
        queue = subprocess.run(
            ["/usr/bin/env", "squeue", "-h", "--name=train"],
            env=environment,
            capture_output=True,
            text=True,
            check=True,
        )
        if reached(number):
            return
        assert submitted.poll() is None, submitted.communicate()[1]
        assert queue.stdout or not was_queued, "the job has left the queue"
        assert time.monotonic() < deadline
        was_queued = was_queued or bool(queue.stdout)
        time.sleep(0.1)
