"""Learning-rate schedule over a training budget of epochs or time."""

from __future__ import annotations

import math
import re
from datetime import timedelta

import pytorch_lightning as pl
from pytorch_lightning.callbacks import Timer

from spinedet.core.errors import InputError


def rate(progress: float, warmup: float) -> float:
    """Learning rate as a share of its peak when `progress` of the budget is used: linear rise, cosine fall."""
    if progress < warmup:
        return max(progress / warmup, 0.01)
    return 0.5 * (1 + math.cos(math.pi * min(1.0, (progress - warmup) / (1 - warmup))))


def budget_used(trainer: pl.Trainer) -> float:
    """The share of the training budget that is used, by steps or by time, whichever is larger."""
    steps = trainer.estimated_stepping_batches
    shares = [trainer.global_step / steps if math.isfinite(steps) else 0.0]
    for timer in trainer.callbacks:  # type: ignore[attr-defined]  # Lightning adds `callbacks` through a connector
        if isinstance(timer, Timer) and timer._duration is not None:
            shares.append(timer.time_elapsed() / timer._duration)
    return min(1.0, max(shares))


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
    return timedelta(days=days, hours=hours, minutes=minutes, seconds=secs)
