"""Learning-rate schedule over a training budget of steps, or of time where steps are not limited."""

from __future__ import annotations

import math
import re
from datetime import timedelta

import pytorch_lightning as pl
from pytorch_lightning.callbacks import Timer

from spinedet.core.errors import InputError
from spinedet.training.length import TrainingLength


def rate(progress: float, warmup: float) -> float:
    """Learning rate as a share of its peak when `progress` of the budget is used: linear rise, cosine fall."""
    if progress < warmup:
        return max(progress / warmup, 0.01)
    return 0.5 * (1 + math.cos(math.pi * min(1.0, (progress - warmup) / (1 - warmup))))


def budget_used(trainer: pl.Trainer) -> float:
    """The share of the training budget that is used, by steps; by time only where no number of steps is planned."""
    planned = trainer.estimated_stepping_batches
    if math.isfinite(planned):
        return min(1.0, trainer.global_step / planned)
    return min(1.0, max(_time_used(trainer), default=0.0))


def training_length(trainer: pl.Trainer) -> TrainingLength:
    """How long a training was that has ended."""
    planned = trainer.estimated_stepping_batches if trainer.max_epochs else 0
    if not math.isfinite(planned):
        return TrainingLength(steps=trainer.global_step)
    stopped = trainer.global_step < planned and any(used >= 1 for used in _time_used(trainer))
    return TrainingLength(steps=trainer.global_step, planned=int(planned), stopped_by_time=stopped)


def _time_used(trainer: pl.Trainer) -> list[float]:
    """The share of each limit of time that is used."""
    timers: list[Timer] = [each for each in trainer.callbacks if isinstance(each, Timer)]  # type: ignore[attr-defined]  # Lightning adds `callbacks` through a connector
    return [timer.time_elapsed() / timer._duration for timer in timers if timer._duration is not None]


def seconds(duration: str | None) -> timedelta | None:
    """Parse DD:HH:MM:SS as Lightning writes it; null is no limit.

    Raises:
        InputError: it is written otherwise.
    """
    if duration is None:
        return None
    found = re.fullmatch(r"(\d+):(\d+):(\d+):(\d+)", duration)
    if not found:
        raise InputError(f"trainer.max_time={duration}: write it as DD:HH:MM:SS, such as 00:02:00:00 for two hours")
    days, hours, minutes, secs = map(int, found.groups())
    limit = timedelta(days=days, hours=hours, minutes=minutes, seconds=secs)
    if not limit:
        raise InputError(f"trainer.max_time={duration} is no time; trainer.max_epochs=0 learns nothing")
    return limit
