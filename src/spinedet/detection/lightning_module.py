"""The thin Lightning module around any detector: one training step, one optimiser."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytorch_lightning as pl
import torch
from torch import Tensor

from spinedet.core.errors import InputError
from spinedet.detection.batch import Batch, Detections
from spinedet.detection.models import Learner
from spinedet.detection.models.backbone import BEHIND, Backbone, depth_of
from spinedet.training.distributed import of_first
from spinedet.training.schedule import rate, spent

# Scans a step where nobody asks for more: small steps learn most from few scans and little time.
FEW_SCANS = 2


@dataclass
class RecipeConfig:
    """How a detector is trained.

    Attributes:
        lr, weight_decay: of AdamW. warmup: the share of the budget over which the rate rises; it then falls as a
            cosine to nothing at the end of the budget, whether epochs or `trainer.max_time` end it first.
        clip: largest gradient norm. ema: decay of the averaged weights that are kept.
        batch: scans per step, over all processes; null is two, or one for each process where there are more.
        backbone: file of published ResNet18 weights to begin with, such as MedicalNet's; needs model.width=64.
        layer_decay: learning rate of each stage of the backbone as a share of the next deeper one's; at 1 all learn
            alike, at 0 the backbone stays as it is, its normalisation included.
    """

    lr: float = 1e-3
    weight_decay: float = 0.02
    warmup: float = 0.08
    clip: float = 5.0
    ema: float = 0.99
    batch: int | None = None
    backbone: str | None = None
    layer_decay: float = 1.0

    def __post_init__(self) -> None:
        if not 0 <= self.layer_decay <= 1:
            raise InputError(f"recipe.layer_decay={self.layer_decay} must be from 0 (backbone frozen) to 1")
        if self.batch is not None and self.batch < 1:
            raise InputError(f"recipe.batch={self.batch} must be at least 1, or null for a number that fits")

    def scans_a_step(self, processes: int) -> int:
        """Of so many processes together."""
        return self.batch or max(FEW_SCANS, processes)


class DetectionModule(pl.LightningModule):
    """Trains `detector` by `recipe`."""

    def __init__(self, detector: Learner, recipe: RecipeConfig) -> None:
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
        told = {f"train/{name}": value.detach() for name, value in losses.items()} | {"loss": total.detach()}
        self.log_dict(told, batch_size=len(batch.images), sync_dist=True)
        return total

    def validation_step(self, batch: Batch, index: int) -> dict[str, list[Detections]]:
        """What is found; `TuningScore` judges it. (Lightning passes on any mapping, whatever its stub says.)"""
        return {"detections": self.detector.answer(batch)}

    def configure_optimizers(self) -> Any:
        """AdamW over `parameter_groups`."""
        optimizer = torch.optim.AdamW(parameter_groups(self.detector, self.recipe), lr=self.recipe.lr)
        schedule = torch.optim.lr_scheduler.LambdaLR(
            optimizer, lambda _: rate(of_first(spent(self.trainer)), self.recipe.warmup)
        )
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}


def parameter_groups(detector: Learner, recipe: RecipeConfig) -> list[dict[str, Any]]:
    """Trainable parameters by depth; matrices decay, biases, norms and learned fall-offs do not."""
    groups: dict[tuple[int, bool], dict[str, Any]] = {}
    for name, parameter in detector.named_parameters():
        if parameter.requires_grad:
            depth, decays = depth_of(name), parameter.ndim > 1
            lr = recipe.lr * recipe.layer_decay ** (BEHIND - depth)
            fresh = {"params": [], "lr": lr, "weight_decay": recipe.weight_decay * decays}
            groups.setdefault((depth, decays), fresh)["params"].append(parameter)
    return list(groups.values())
