"""A training budget in CPU seconds, which other programs on the machine do not shorten."""

from __future__ import annotations

import time
from datetime import timedelta

import pytorch_lightning as pl
from pytorch_lightning.callbacks import Timer


class CpuBudget(Timer):
    """Ends a training after so many CPU seconds of this process; validation is not counted.

    A `Timer`, so the learning rate follows it (`schedule.budget_used`), and its state is part of every checkpoint.
    """

    def __init__(self, seconds: float) -> None:
        super().__init__(timedelta(seconds=seconds), verbose=False)
        self.began = self.paused = time.process_time()
        self.uncounted = 0.0

    def start_time(self, stage: str = "train") -> float | None:
        """Of training, in CPU seconds."""
        return self.began

    def time_elapsed(self, stage: str = "train") -> float:
        """CPU seconds spent on training, those before a resume included."""
        return time.process_time() - self.began - self.uncounted + self._offset

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Start the clock with the first step."""
        self.began, self.uncounted = time.process_time(), 0.0

    def on_validation_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Stop the clock."""
        self.paused = time.process_time()

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Go on."""
        self.uncounted += time.process_time() - self.paused
