"""The learning rate's budget and the averaged weights."""

from __future__ import annotations

from datetime import timedelta
from types import SimpleNamespace

import pytest
import torch
from pytorch_lightning.callbacks import Timer

from spinedet.core.errors import InputError
from spinedet.detection.callbacks import _ramped
from spinedet.detection.module import rate, seconds, spent


def test_the_rate_rises_to_its_peak_then_falls_to_nothing() -> None:
    assert rate(0.05, warmup=0.1) == pytest.approx(0.5)
    assert rate(0.1, warmup=0.1) == pytest.approx(1)
    assert rate(0.55, warmup=0.1) == pytest.approx(0.5)
    assert rate(1.0, warmup=0.1) == pytest.approx(0)
    assert rate(0.0, warmup=0.1) > 0


def trainer(steps: float, done: int, *callbacks: Timer) -> SimpleNamespace:
    return SimpleNamespace(estimated_stepping_batches=steps, global_step=done, callbacks=list(callbacks))


def test_the_budget_is_spent_by_steps() -> None:
    assert spent(trainer(200, 50)) == 0.25  # type: ignore[arg-type]  # it needs no more of a trainer


def test_the_budget_is_spent_by_time_when_that_is_further() -> None:
    timer = Timer(timedelta(seconds=100))
    timer._offset = 60
    assert spent(trainer(float("inf"), 50, timer)) == pytest.approx(0.6)  # type: ignore[arg-type]  # likewise
    assert spent(trainer(60, 54, timer)) == pytest.approx(0.9)  # type: ignore[arg-type]  # likewise


def test_durations_are_read_as_lightning_writes_them() -> None:
    assert seconds("01:02:03:04") == timedelta(days=1, hours=2, minutes=3, seconds=4)
    assert seconds(None) is None
    with pytest.raises(InputError, match=r"trainer\.max_time=5 minutes"):
        seconds("5 minutes")


def test_the_average_forgets_its_first_steps() -> None:
    mean, new = [torch.zeros(3), torch.tensor(0)], [torch.ones(3), torch.tensor(7)]
    _ramped(0.99)(mean, new, 0)
    assert mean[0].tolist() == pytest.approx([0.9] * 3)  # keeps 1/10 at first
    assert mean[1].item() == 7  # counters are copied
    late = [torch.zeros(3)]
    _ramped(0.99)(late, [torch.ones(3)], 10_000)
    assert late[0].tolist() == pytest.approx([0.01] * 3)
