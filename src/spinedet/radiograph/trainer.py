"""Training one network of a classification, by gradients with Lightning or as logistic regression."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from spinedet.core.errors import InputError
from spinedet.radiograph.batches import ImageBatch, TrainingBatches, TrainingImages
from spinedet.radiograph.models import begin, build, fits_without_gradients
from spinedet.radiograph.models.frozen import fit_logistic
from spinedet.radiograph.models.weights import Start, reuse_weights
from spinedet.radiograph.settings import (
    FrozenConfig,
    LearningConfig,
    LinearConfig,
    NetworkConfig,
    VariationConfig,
)
from spinedet.training.callbacks import (
    FiniteLoss,
    LastCheckpoint,
    ProgressReports,
    RampedEma,
    StepSeed,
)
from spinedet.training.determinism import one_thread
from spinedet.training.device import choose_device
from spinedet.training.length import TrainingLength, write_length
from spinedet.training.lightning_trainer import TrainingJob, silence_advice, threads_for, trainer_for
from spinedet.training.samplers import EpochSampler, Position, Share
from spinedet.training.schedule import budget_used, rate, training_length
from spinedet.training.settings import TrainerConfig

_FEATURE_BATCH = 32


@dataclass(frozen=True, slots=True, eq=False)
class InitialWeights:
    """Weights of a network of an earlier run, by name; `sha256` is of the run's weights file."""

    run: str
    sha256: str
    weights: Mapping[str, Tensor]


@dataclass(frozen=True, eq=False)
class PartPlan(TrainingJob):
    """All that one network's training needs.

    Attributes:
        labels: names. pixels: (n, side, side). reference: (n,) rows of labels. names: of the images, for messages.
        initial: what the network begins with, besides what its settings name.
    """

    labels: tuple[str, ...]
    pixels: NDArray[np.float16]
    reference: NDArray[np.int64]
    names: tuple[str, ...]
    initial: InitialWeights | None = None


@dataclass(frozen=True, slots=True)
class Recipe:
    """The configurable part of training."""

    network: NetworkConfig
    augment: VariationConfig
    learning: LearningConfig
    trainer: TrainerConfig


@dataclass(frozen=True, slots=True, eq=False)
class TrainedNetwork:
    """A network in inference mode, how long it was trained, and where its weights began."""

    network: nn.Module
    length: TrainingLength
    start: Start | None


class ClassifierModule(pl.LightningModule):
    """Trains `network` by cross-entropy."""

    def __init__(self, network: nn.Module, learning: LearningConfig, weight: Tensor) -> None:
        super().__init__()
        self.network, self.learning = network, learning
        self.register_buffer("weight", weight)

    def training_step(self, batch: ImageBatch, index: int) -> Tensor:
        """Weighted cross-entropy with smoothed labels."""
        loss = F.cross_entropy(
            self.network(batch.images),
            batch.labels,
            torch.as_tensor(self.weight),
            label_smoothing=self.learning.smoothing,
        )
        self.log("loss", loss.detach(), batch_size=len(batch.labels))
        return loss

    def configure_optimizers(self) -> Any:
        """AdamW; matrices decay, biases and norms do not. The rate rises, then falls with a cosine."""
        groups: dict[bool, list[nn.Parameter]] = {True: [], False: []}
        for parameter in self.network.parameters():
            groups[parameter.ndim > 1].append(parameter)
        listed = [{"params": own, "weight_decay": self.learning.weight_decay * many} for many, own in groups.items()]
        optimizer = torch.optim.AdamW(listed, lr=self.learning.lr)
        schedule = torch.optim.lr_scheduler.LambdaLR(
            optimizer, lambda _: rate(budget_used(self.trainer), self.learning.warmup)
        )
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}


def label_weights(reference: NDArray[np.int64], labels: Sequence[str], balance: float) -> Tensor:
    """Of the loss: a power of inverse frequency, one on average over images.

    Raises:
        InputError: a label has no training image.
    """
    counts = np.bincount(reference, minlength=len(labels))
    missing = [label for label, count in zip(labels, counts, strict=True) if not count]
    if missing:
        raise InputError(
            f"no training image has the label {missing[0]!r}; add some, or take the label out of the manifest's task"
        )
    weight = counts.astype(float) ** -balance
    return torch.tensor(weight / (weight * counts).sum() * counts.sum(), dtype=torch.float32)


def train_part(plan: PartPlan, recipe: Recipe) -> TrainedNetwork:
    """Train one network, or resume from its checkpoint.

    Raises:
        InputError: a label has no training image, the weights to start from do not fit, a loss is not finite, or the
            disk is full.
        Preempted: the process was asked to stop, and wrote a checkpoint.
    """
    pl.seed_everything(plan.seed, verbose=False)
    network = build(recipe.network, len(plan.labels))
    start = (
        reuse_weights(network, plan.initial.weights, plan.initial.run, plan.initial.sha256)
        if plan.initial
        else begin(recipe.network, network)
    )
    if fits_without_gradients(network):
        return TrainedNetwork(_fit(network, plan, recipe), TrainingLength(steps=0), start)
    return _learn(network, plan, recipe, start)


def reading_device(config: TrainerConfig) -> torch.device:
    """Where a network reads images before and after its training: where it is trained."""
    return choose_device("cpu" if config.accelerator == "cpu" else "auto")


def _fit(network: nn.Module, plan: PartPlan, recipe: Recipe) -> nn.Module:
    config = recipe.network
    penalty = config.penalty if isinstance(config, FrozenConfig | LinearConfig) else 0.0
    weight = label_weights(plan.reference, plan.labels, recipe.learning.balance)
    features = embed(network.to(reading_device(recipe.trainer)), plan.pixels)
    head: Any = network.cpu().head
    with one_thread() if recipe.trainer.deterministic else nullcontext():
        fit_logistic(head, features, torch.from_numpy(plan.reference), weight, penalty)
    return network.eval()


def _learn(network: nn.Module, plan: PartPlan, recipe: Recipe, start: Start | None) -> TrainedNetwork:
    silence_advice()
    learning = recipe.learning
    weight = label_weights(plan.reference, plan.labels, learning.balance)
    module = ClassifierModule(network, learning, weight)
    position = plan.start.position if plan.start else Position()
    batch = min(learning.batch, len(plan.reference))
    sampler = EpochSampler(len(plan.reference), plan.seed, Share(batch), position)
    batches = TrainingBatches(
        TrainingImages(plan.pixels, plan.reference, recipe.augment, plan.seed),
        sampler,
    )
    average = RampedEma(learning.ema, "network")
    trainer = _trainer(plan, recipe, average, sampler)
    path = plan.start.path if plan.start else None
    with threads_for(trainer, recipe.trainer):
        trainer.fit(module, batches, ckpt_path=path, weights_only=True)
    length = training_length(trainer)
    write_length(plan.folder, length)
    trained = build(recipe.network, len(plan.labels))
    trained.load_state_dict(average.averaged())
    return TrainedNetwork(trained.eval(), length, start)


def _trainer(plan: PartPlan, recipe: Recipe, average: RampedEma, sampler: EpochSampler) -> pl.Trainer:
    def names(at: Position) -> list[str]:
        return [plan.names[draw.index] for draw in sampler.step(at)]

    callbacks = [
        average,
        StepSeed(plan.seed),
        FiniteLoss(names),
        LastCheckpoint(plan.folder, plan.stop, recipe.trainer.checkpoint_minutes),
        ProgressReports(plan.on_progress),
    ]
    return trainer_for(plan, recipe.trainer, recipe.learning.clip, callbacks)


def device_of(network: nn.Module) -> torch.device:
    """Where the network lies."""
    return next(network.parameters()).device


def embed(network: nn.Module, pixels: NDArray[np.float16]) -> Tensor:
    """Features (n, width) of images (n, side, side), on the CPU wherever the network lies."""
    inside: Any = network.eval()
    device = device_of(network)
    with torch.no_grad():
        parts = [
            inside.embed(torch.from_numpy(pixels[row : row + _FEATURE_BATCH].astype(np.float32))[:, None].to(device))
            for row in range(0, len(pixels), _FEATURE_BATCH)
        ]
    return torch.cat(parts).cpu() if parts else torch.empty(0, int(inside.width))


def logits_of(network: nn.Module, features: Tensor) -> Tensor:
    """(n, labels) of features (n, width), both on the CPU."""
    inside: Any = network
    with torch.no_grad():
        logits: Tensor = inside.head(features.to(device_of(network))).cpu()
    return logits
