"""The thin Lightning module around any detector: one training step, one optimiser."""

from __future__ import annotations

from typing import Any

import pytorch_lightning as pl
import torch
from torch import Tensor

from spinedet.detection.batch import Batch, Detections
from spinedet.detection.models import TrainableModel
from spinedet.detection.models.backbone import BEHIND, Backbone, depth_of
from spinedet.detection.settings import RecipeConfig
from spinedet.training.distributed import broadcast_from_first
from spinedet.training.schedule import budget_used, rate


class DetectionModule(pl.LightningModule):
    """Trains `detector` by `recipe`."""

    def __init__(self, detector: TrainableModel, recipe: RecipeConfig) -> None:
        super().__init__()
        self.detector, self.recipe = detector, recipe
        self.frozen = [part for part in detector.modules() if isinstance(part, Backbone) and not recipe.layer_decay]
        for part in self.frozen:
            part.requires_grad_(False)

    def train(self, mode: bool = True) -> DetectionModule:
        """Training mode, but for what is frozen."""
        super().train(mode)
        for part in self.frozen:
            part.eval()
        return self

    def training_step(self, batch: Batch, index: int) -> Tensor:
        """The sum of the detector's named losses."""
        losses = self.detector.losses(batch)
        total = torch.stack(list(losses.values())).sum()
        logged = {f"train/{name}": value.detach() for name, value in losses.items()} | {"loss": total.detach()}
        self.log_dict(logged, batch_size=len(batch.images), sync_dist=True)
        return total

    def validation_step(self, batch: Batch, index: int) -> dict[str, list[Detections]]:
        """Detections; `TuningScore` scores it. (Lightning passes on any mapping, whatever its stub says.)"""
        return {"detections": self.detector.predict(batch)}

    def configure_optimizers(self) -> Any:
        """AdamW over `parameter_groups`; one kernel for all of them on a GPU."""
        # Gradients that are scaled in fp16 cannot be clipped with it.
        fused = self.device.type == "cuda" and self.trainer.precision != "16-mixed"
        optimizer = torch.optim.AdamW(parameter_groups(self.detector, self.recipe), lr=self.recipe.lr, fused=fused)
        schedule = torch.optim.lr_scheduler.LambdaLR(
            optimizer, lambda _: rate(broadcast_from_first(budget_used(self.trainer)), self.recipe.warmup)
        )
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}


def parameter_groups(detector: TrainableModel, recipe: RecipeConfig) -> list[dict[str, Any]]:
    """Trainable parameters by depth; matrices decay, biases, norms and learned fall-offs do not."""
    groups: dict[tuple[int, bool], dict[str, Any]] = {}
    for name, parameter in detector.named_parameters():
        if parameter.requires_grad:
            depth, decays = depth_of(name), parameter.ndim > 1
            lr = recipe.lr * recipe.layer_decay ** (BEHIND - depth)
            fresh = {"params": [], "lr": lr, "weight_decay": recipe.weight_decay * decays}
            groups.setdefault((depth, decays), fresh)["params"].append(parameter)
    return list(groups.values())
