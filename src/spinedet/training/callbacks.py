"""Lightning callbacks of every training: averaged weights, checkpoints, a finite loss, progress."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import Callback, Checkpoint, WeightAveraging
from torch import Tensor

from spinedet.core.errors import InputError
from spinedet.training.checkpoints import LAST
from spinedet.training.distributed import any_process
from spinedet.training.preemption import Preempted, StopSignal
from spinedet.training.samplers import Position, seed_for
from spinedet.training.schedule import budget_used


class RampedEma(WeightAveraging):
    """Exponential moving average of weights and batch-norm statistics; its memory grows over the first steps.

    Attributes:
        part: the name under which the Lightning module holds the network.
    """

    def __init__(self, decay: float, part: str = "detector") -> None:
        super().__init__(multi_avg_fn=_ramped(decay))
        self.part = part

    def averaged(self) -> dict[str, Tensor]:
        """The averaged weights of the network, also of a training that was over when it was taken up again."""
        assert self._average_model is not None  # noqa: S101  # Lightning makes it before the first step
        weights: dict[str, Tensor] = self._average_model.get_submodule(f"module.{self.part}").state_dict()
        return weights


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
    """Saves at the end of every epoch, every few minutes, and before it stops a run that was signalled to stop.

    Lightning's `ModelCheckpoint` saves by metric, step or time at points of its own, without a position in the epoch,
    and keeps no previous file; see docs/detector.md."""

    def __init__(self, folder: Path, stop: StopSignal, minutes: float) -> None:
        self.folder, self.stop, self.minutes = folder, stop, minutes
        self.saved = time.monotonic()
        self.position = Position()

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Install the signal handlers again, which Lightning has just replaced."""
        self.stop.listen()

    def on_train_batch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule, *_: Any, **__: Any) -> None:
        """Within an epoch; its last step is followed by `on_train_epoch_end`."""
        if trainer.is_last_batch:
            return
        leave = any_process(bool(self.stop))
        if leave or any_process((time.monotonic() - self.saved) / 60 > self.minutes):
            steps = trainer.fit_loop.epoch_loop.batch_idx + 1
            self._save(trainer, Position(trainer.current_epoch, steps), leave)

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """After the epoch's validation."""
        self._save(trainer, Position(trainer.current_epoch + 1), any_process(bool(self.stop)))

    def on_save_checkpoint(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Position in the data; with the seed it determines which scans come next."""
        checkpoint["position"] = asdict(self.position)

    def _save(self, trainer: pl.Trainer, position: Position, leave: bool) -> None:
        self.position, self.saved = position, time.monotonic()
        trainer.save_checkpoint(self.folder / LAST)
        if leave:
            raise Preempted(f"saved after {trainer.global_step} steps")


class StepSeed(Callback):
    """Makes a step's random numbers depend on seed, step and process only: a resumed run draws the same."""

    def __init__(self, seed: int) -> None:
        self.seed = seed

    def on_train_batch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule, *_: Any, **__: Any) -> None:
        """Before the step; nothing draws from the global stream between steps."""
        torch.manual_seed(seed_for(self.seed, trainer.global_step, trainer.global_rank))


class FiniteLoss(Callback):
    """Ends a training whose loss is not finite, before it reaches the weights.

    Attributes:
        name: gives the names of the scans of a step.
    """

    def __init__(self, name: Callable[[Position], list[str]]) -> None:
        self.name = name

    def on_before_backward(self, trainer: pl.Trainer, pl_module: pl.LightningModule, loss: Tensor) -> None:
        """Between the loss and its gradients.

        Raises:
            InputError: names the batch.
        """
        if any_process(not torch.isfinite(loss)):  # all processes stop together, none waits for another's gradients
            at = Position(trainer.current_epoch, trainer.fit_loop.epoch_loop.batch_idx)
            raise InputError(
                f"the loss of step {trainer.global_step} (epoch {at.epoch}) is {loss.item()} on "
                f"{', '.join(self.name(at))}; look at these scans, or lower recipe.lr, and go on with resume=true: "
                "the last checkpoint is sound"
            )


@dataclass(frozen=True, slots=True)
class TrainingProgress:
    """Share of the training budget used, last loss, and last F1 on the tuning split (NaN before the first)."""

    share: float
    loss: float
    tuning_f1: float


class ProgressReports(Callback):
    """Reports the progress of a training about twice a second."""

    def __init__(self, on_progress: Callable[[TrainingProgress], None]) -> None:
        self.on_progress = on_progress
        self.last = 0.0

    def on_train_batch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule, *_: Any, **__: Any) -> None:
        """After a step, unless it was reported just now."""
        if time.monotonic() - self.last > 0.5:
            self.last = time.monotonic()
            self._report(trainer, budget_used(trainer))

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """The end, whichever limit was reached."""
        self._report(trainer, 1.0)

    def _report(self, trainer: pl.Trainer, share: float) -> None:
        loss, f1 = (float(trainer.callback_metrics.get(name, math.nan)) for name in ("loss", "tuning_f1"))
        self.on_progress(TrainingProgress(share, loss, f1))
