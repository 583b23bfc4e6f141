"""Lightning callback that scores the averaged weights on the tuning split after each validation."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytorch_lightning as pl
from pytorch_lightning.callbacks import Callback

from spinedet.detection.batch import Detections
from spinedet.training.distributed import broadcast_from_first, gather, rank


class TuningScore(Callback):
    """Logs the F1 of the averaged weights on the tuning split after each validation.

    Each process predicts its own scans; the first one scores all of them, each once.
    """

    def __init__(self, score: Callable[[list[Detections]], float], scans: int) -> None:
        self.score, self.scans = score, scans
        self.detections: list[Detections] = []

    def on_validation_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Start afresh."""
        self.detections = []

    def on_validation_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, *_: Any, **__: Any
    ) -> None:
        """Keep the detections, in the order of the scans."""
        self.detections += outputs["detections"]

    def on_validation_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Score all scans at once."""
        found = gather([each.cpu() for each in self.detections])
        pl_module.log("tuning_f1", broadcast_from_first(self.score(found[: self.scans]) if rank() == 0 else 0.0))
