"""What accompanies training: averaged weights, checkpoints that are whole, a score on the tuning split."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import Callback, Checkpoint, WeightAveraging
from torch import Tensor

from spinedet.detection.batch import Detections
from spinedet.detection.module import spent

LAST = "last.ckpt"


class RampedEma(WeightAveraging):
    """Exponential moving average of weights and batch-norm statistics; its memory grows over the first steps."""

    def __init__(self, decay: float) -> None:
        super().__init__(multi_avg_fn=_ramped(decay))


def _ramped(decay: float) -> Callable[[list[Tensor], list[Tensor], Tensor | int], None]:
    @torch.no_grad()
    def update(averaged: list[Tensor], current: list[Tensor], count: Tensor | int) -> None:
        steps = float(count)
        keep = min(decay, (1 + steps) / (10 + steps))
        for mean, new in zip(averaged, current, strict=True):
            if mean.is_floating_point():
                mean.lerp_(new, 1 - keep)
            else:
                mean.copy_(new)

    return update


class LastCheckpoint(Checkpoint):
    """Writes `last.ckpt` at the end of every epoch, to a temporary file first: a kill leaves the previous one."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Write, flush to disk, then rename."""
        self.folder.mkdir(parents=True, exist_ok=True)
        temporary = self.folder / f".{LAST}.{os.getpid()}"
        trainer.save_checkpoint(temporary)
        if trainer.is_global_zero:
            with temporary.open("rb") as stream:
                os.fsync(stream.fileno())
            os.replace(temporary, self.folder / LAST)


@dataclass(frozen=True, slots=True)
class Pulse:
    """How far a training is: share of its budget, last loss, and the last F1 on the tuning split (NaN before one)."""

    share: float
    loss: float
    tuning_f1: float


class Pulses(Callback):
    """Tells how far training is, about twice a second."""

    def __init__(self, tell: Callable[[Pulse], None]) -> None:
        self.tell = tell
        self.last = 0.0

    def on_train_batch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule, *_: Any, **__: Any) -> None:
        """After a step, unless it was told just now."""
        if time.monotonic() - self.last > 0.5:
            self.last = time.monotonic()
            self._pulse(trainer, spent(trainer))

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """The end, whichever limit came first."""
        self._pulse(trainer, 1.0)

    def _pulse(self, trainer: pl.Trainer, share: float) -> None:
        loss, f1 = (float(trainer.callback_metrics.get(name, math.nan)) for name in ("loss", "tuning_f1"))
        self.tell(Pulse(share, loss, f1))


class TuningScore(Callback):
    """Logs how well the averaged weights find the tuning lesions, after each validation."""

    def __init__(self, score: Callable[[list[Detections]], float]) -> None:
        self.score = score
        self.detections: list[Detections] = []

    def on_validation_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Start afresh."""
        self.detections = []

    def on_validation_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, *_: Any, **__: Any
    ) -> None:
        """Keep what was found, in the order of the scans."""
        self.detections += outputs["detections"]

    def on_validation_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Score all scans at once."""
        pl_module.log("tuning_f1", self.score(self.detections))
