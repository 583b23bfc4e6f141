"""`train` as torchrun starts it gives what one process gives."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file

from spinedet.core.findings import read_findings

from .conftest import Run

# Without denoising, whose noise each process draws for its own scans.
WORDS = ("+experiment=smoke", "planes=[sagittal]", "trainer.max_epochs=1", "model.denoising=0", "workers=1")
WORDS += ("trainer.accelerator=cpu", "trainer.precision=32-true", "test.cases=0")
TORCHRUN = (sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2", "-m")


def test_two_processes_of_torchrun_train_as_one(run: Run, cohort: Path, tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    words = (*WORDS, f"data.manifests=[{cohort}]")
    assert run("train", *words, f"out={one}") == 0
    command = [*TORCHRUN, "spinedet.train", *words, f"out={two}"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=800, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("report:") == 1  # the first process writes, the other one helps
    before, after = (load_file(folder / "model/weights.safetensors") for folder in (one, two))
    differences = [after[name] - before[name] for name in before]
    one_size, apart = (np.linalg.norm([np.linalg.norm(a) for a in part]) for part in (before.values(), differences))
    assert apart < 1e-4 * one_size
    studies = [read_findings(folder / "findings.json").studies for folder in (one, two)]
    scores = [[finding.score for study in answer for finding in study.findings] for answer in studies]
    assert scores[0]
    assert np.allclose(*scores, atol=1e-3)
    assert json.loads((two / "run.json").read_text())["splits"] == json.loads((one / "run.json").read_text())["splits"]
