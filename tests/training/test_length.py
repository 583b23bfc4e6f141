"""Trainings of a number of steps, and limits of time that are reported when they take effect."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest
import pytorch_lightning as pl
import torch

from spinedet.core.errors import InputError
from spinedet.detection.trainer import train_plane
from spinedet.training.length import TrainingLength, read_length
from spinedet.training.settings import TrainerConfig
from tests.detection.conftest import MakeStudy, make_study
from tests.detection.tiny import plan, same, settings

__all__ = ["make_study"]


@pytest.fixture
def studies(make_study: MakeStudy) -> list[Any]:
    return [make_study(f"s{n}", seed=n) for n in range(5)]


class Slow(pl.Callback):
    """A step that takes so many seconds, as on a busy machine."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds

    def on_train_batch_end(self, *_: Any, **__: Any) -> None:
        time.sleep(self.seconds)


def test_a_training_takes_the_steps_of_its_budget_and_no_other_number(studies: list[Any], tmp_path: Path) -> None:
    train_plane(plan(studies, tmp_path), settings(max_epochs=1, max_steps=5))
    length = read_length(tmp_path / "checkpoints")
    assert length == TrainingLength(steps=5, planned=5)
    assert not length.notes("sagittal")
    train_plane(plan(studies, tmp_path / "none"), settings(max_epochs=0, max_steps=5))
    assert read_length(tmp_path / "none/checkpoints").steps == 0


def test_a_training_that_time_stops_says_so(studies: list[Any], tmp_path: Path) -> None:
    late = plan(studies, tmp_path, callbacks=(Slow(1.1),))
    train_plane(late, settings(max_steps=50, max_time="00:00:00:02"))
    length = read_length(tmp_path / "checkpoints")
    assert length.stopped_by_time
    assert 0 < length.steps < 50
    (note,) = length.notes("sagittal")
    assert f"stopped by trainer.max_time after {length.steps} of 50 steps" in note


def test_time_without_a_budget_of_steps_is_the_budget(studies: list[Any], tmp_path: Path) -> None:
    train_plane(plan(studies, tmp_path), settings(max_epochs=-1, max_time="00:00:00:01"))
    length = read_length(tmp_path / "checkpoints")
    assert (length.planned, length.stopped_by_time) == (None, False)


def test_neither_threads_nor_delays_nor_a_far_limit_of_time_change_a_weight(studies: list[Any], tmp_path: Path) -> None:
    quiet = train_plane(plan(studies, tmp_path / "quiet"), settings(max_steps=4))
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        slow = plan(studies, tmp_path / "busy", callbacks=(Slow(0.3),))
        busy = train_plane(slow, settings(max_steps=4, max_time="00:00:05:00"))
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)
    assert same(busy.network.state_dict(), quiet.network.state_dict())


def test_no_step_at_all_is_refused() -> None:
    with pytest.raises(InputError, match=r"trainer\.max_steps=0"):
        TrainerConfig(max_steps=0)
