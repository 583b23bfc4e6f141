"""The same seed gives the same numbers whatever else runs on the machine."""

from __future__ import annotations

import json
import multiprocessing
import time
from pathlib import Path
from typing import Any

import pytest
import torch

from spinedet.detection.lightning_module import DetectionModule

from .conftest import Run

WORDS = ("+experiment=smoke", "workers=1", "trainer.deterministic=true", "trainer.max_steps=3", "model.queries=8")
NUMBERS = ("scores.json", "operating_point.json", "findings.json")


def busy() -> None:
    """Uses a core until it is ended."""
    while True:
        torch.rand(300, 300) @ torch.rand(300, 300)


def test_two_runs_under_different_load_give_identical_numbers(
    run: Run, cohort: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = (*WORDS, f"data.manifests=[{cohort}]")
    assert run("train", *words, f"out={tmp_path / 'quiet'}") == 0
    step = DetectionModule.training_step

    def late(self: DetectionModule, *arguments: Any) -> Any:
        time.sleep(0.5)
        return step(self, *arguments)

    monkeypatch.setattr(DetectionModule, "training_step", late)
    others = [multiprocessing.get_context("spawn").Process(target=busy, daemon=True) for _ in range(2)]
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        for other in others:
            other.start()
        assert run("train", *words, "trainer.max_time=00:01:00:00", f"out={tmp_path / 'busy'}") == 0
    finally:
        torch.set_num_threads(before)
        for other in others:
            other.terminate()
    for name in NUMBERS:
        assert (tmp_path / "busy" / name).read_bytes() == (tmp_path / "quiet" / name).read_bytes(), name
    records = [json.loads((tmp_path / name / "run.json").read_text()) for name in ("quiet", "busy")]
    for key in ("trainings", "tuning_ap"):
        assert records[0][key] == records[1][key]
    assert records[0]["trainings"]["sagittal"] == {"steps": 3, "planned": 3, "stopped_by_time": False}
