"""A training's budget in CPU seconds."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from spinedet.detection.trainer import train_plane
from spinedet.training.callbacks import TrainingProgress
from spinedet.training.cpu_budget import CpuBudget
from tests.detection.conftest import MakeStudy, make_study
from tests.detection.tiny import plan, settings

__all__ = ["make_study"]


def test_the_clock_stands_still_while_the_tuning_split_is_scored() -> None:
    clock = CpuBudget(1000)
    clock.on_train_start(None, None)  # type: ignore[arg-type]  # it needs neither trainer nor module
    clock.on_validation_start(None, None)  # type: ignore[arg-type]  # likewise
    before = time.process_time()
    while time.process_time() < before + 0.1:
        pass
    clock.on_validation_end(None, None)  # type: ignore[arg-type]  # likewise
    assert clock.time_elapsed() < 0.1 <= clock.uncounted
    assert clock.time_remaining() > 999


def test_a_resumed_training_has_used_what_it_used_before() -> None:
    first, second = CpuBudget(1000), CpuBudget(1000)
    first.began -= 40
    second.load_state_dict(first.state_dict())
    second.on_train_start(None, None)  # type: ignore[arg-type]  # it needs neither trainer nor module
    assert second.time_elapsed() == pytest.approx(40, abs=1)


def test_a_training_ends_when_its_seconds_are_used(make_study: MakeStudy, tmp_path: Path) -> None:
    reports: list[TrainingProgress] = []
    studies = [make_study(f"s{n}", seed=n) for n in range(5)]
    began = time.process_time()
    train_plane(plan(studies, tmp_path, on_progress=reports.append), settings(max_epochs=-1, max_cpu_seconds=0.5))
    assert time.process_time() - began < 60
    assert reports[-1].share == 1.0
