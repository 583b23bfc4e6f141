"""Training one plane's detector with Lightning, from prepared scans to averaged weights."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import Callback
from pytorch_lightning.loggers import Logger
from torch import nn
from torch.utils.data import DataLoader

from spinedet.core.errors import InputError
from spinedet.core.files import write_json
from spinedet.detection.batch import Detections
from spinedet.detection.boxes import typical_sizes
from spinedet.detection.callbacks import LAST, LastCheckpoint, Pulse, Pulses, RampedEma, TuningScore
from spinedet.detection.data import Augmented, EpochSampler, Scan, TrainingScans, TuningScans, collate
from spinedet.detection.models import Card, ModelConfig, build
from spinedet.detection.module import DetectionModule, RecipeConfig, seconds
from spinedet.detection.pretrained import load_backbone
from spinedet.detection.store import PlaneDetector
from spinedet.imaging.augment import AugmentConfig
from spinedet.imaging.planes import PlaneSpec

# Sizes that stand for those of all lesions; more of them hardly fit better (benchmarks/detector.py).
TYPICAL = 4


@dataclass
class TrainerConfig:
    """Where and how long to train; the rest of the names are Lightning's.

    Attributes:
        max_time: DD:HH:MM:SS for each plane, or null.
        precision: `auto` takes bf16 where the hardware multiplies it faster.
        validate_every: epochs between scores on the tuning split.
    """

    max_epochs: int = 100
    max_time: str | None = None
    accelerator: str = "auto"
    devices: Any = "auto"
    num_nodes: int = 1
    precision: str = "auto"
    validate_every: int = 10
    deterministic: bool = False


@dataclass(frozen=True)
class PlanePlan:
    """All that one plane's training needs.

    Attributes:
        train, tune: prepared scans. score: how well the tuning scans' detections are, in their order.
        folder: for checkpoints; a last one there is gone on from. initial: whose weights are the start.
        tell: is told how far training is.
    """

    spec: PlaneSpec
    categories: tuple[str, ...]
    train: Sequence[Scan]
    tune: Sequence[Scan]
    score: Callable[[list[Detections]], float]
    folder: Path
    seed: int = 0
    loggers: Sequence[Logger] = ()
    initial: PlaneDetector | None = None
    tell: Callable[[Pulse], None] = lambda pulse: None


@dataclass(frozen=True)
class Settings:
    """The configurable part of training."""

    model: ModelConfig
    recipe: RecipeConfig
    augment: AugmentConfig
    trainer: TrainerConfig
    loader_workers: int = 0


def train_plane(plan: PlanePlan, settings: Settings) -> PlaneDetector:
    """Train, or go on from `plan.folder`'s last checkpoint when there is one.

    Raises:
        InputError: there is no training scan with a lesion, or the checkpoint belongs to another model.
    """
    _quiet()
    pl.seed_everything(plan.seed, verbose=False)
    card = card_of(plan)
    network = build(settings.model, card)
    if settings.recipe.backbone is not None:
        transfer = load_backbone(network, Path(settings.recipe.backbone))
        write_json(plan.folder / "backbone.json", asdict(transfer))
    if plan.initial is not None:
        take_over(network, plan.initial.network)
    module = DetectionModule(network, settings.recipe).to(memory_format=torch.channels_last_3d)
    last = plan.folder / LAST
    trainer = _trainer(plan, settings)
    trainer.fit(module, *_loaders(plan, settings), ckpt_path=last if last.exists() else None, weights_only=True)
    return PlaneDetector(settings.model, card, module.detector.cpu().eval())


def epochs_done(folder: Path) -> int | None:
    """How many epochs the last checkpoint in `folder` has behind it; None without one."""
    last = folder / LAST
    if not last.exists():
        return None
    return int(torch.load(last, map_location="cpu", weights_only=True)["epoch"]) + 1


@dataclass(frozen=True, slots=True)
class Reuse:
    """Which of a network's tensors fit another's by name and shape, and which have to start anew.

    Attributes:
        share: of all numbers in the network that are reused.
    """

    reused: tuple[str, ...]
    fresh: tuple[str, ...]
    share: float


def reuse_of(network: nn.Module, source: nn.Module) -> Reuse:
    """What `network` can take over from `source`."""
    own, theirs = network.state_dict(), source.state_dict()
    fits = {name: name in theirs and theirs[name].shape == tensor.shape for name, tensor in own.items()}
    numbers = sum(own[name].numel() for name, fit in fits.items() if fit)
    return Reuse(
        reused=tuple(name for name, fit in fits.items() if fit),
        fresh=tuple(name for name, fit in fits.items() if not fit),
        share=numbers / max(1, sum(tensor.numel() for tensor in own.values())),
    )


def take_over(network: nn.Module, source: nn.Module) -> Reuse:
    """Copy every tensor whose name and shape fit."""
    reuse, theirs = reuse_of(network, source), source.state_dict()
    network.load_state_dict({name: theirs[name] for name in reuse.reused}, strict=False)
    return reuse


def card_of(plan: PlanePlan) -> Card:
    """The facts about the training data that the network is built on.

    Weights that are taken over answer relative to the sizes that they learned with, so those come along.

    Raises:
        InputError: no training scan of this plane holds a lesion.
    """
    boxes = [scan.targets(plan.categories).certain.boxes for scan in plan.train]
    sizes = torch.cat([*boxes, torch.empty(0, 6)])[:, 3:]
    if not len(sizes):
        raise InputError(f"no {plan.spec.plane.value} training scan has a lesion; add studies or leave the plane out")
    if plan.initial is not None and plan.initial.card.spacing == plan.spec.spacing:
        return replace(plan.initial.card, categories=plan.categories)
    (mean,) = _extents(sizes.log().mean(0, keepdim=True).exp())
    return Card(plan.categories, plan.spec.spacing, mean, _extents(typical_sizes(sizes, TYPICAL)))


def _extents(sizes: torch.Tensor) -> tuple[tuple[float, float, float], ...]:
    return tuple((thick, high, wide) for thick, high, wide in sizes.tolist())


def _loaders(plan: PlanePlan, settings: Settings) -> tuple[DataLoader[Any], DataLoader[Any]]:
    augmented = Augmented(plan.spec, settings.augment, plan.seed)
    common: dict[str, Any] = {"collate_fn": collate, "num_workers": settings.loader_workers}
    train = DataLoader(
        TrainingScans(plan.train, plan.categories, augmented),
        batch_size=min(settings.recipe.batch, len(plan.train)),
        sampler=EpochSampler(len(plan.train), plan.seed),
        drop_last=True,
        persistent_workers=settings.loader_workers > 0,
        **common,
    )
    return train, DataLoader(TuningScans(plan.tune, plan.categories), batch_size=1, **common)


def _trainer(plan: PlanePlan, settings: Settings) -> pl.Trainer:
    config = settings.trainer
    callbacks: list[Callback] = [RampedEma(settings.recipe.ema), TuningScore(plan.score), LastCheckpoint(plan.folder)]
    return pl.Trainer(
        max_epochs=config.max_epochs,
        max_time=seconds(config.max_time),
        accelerator=config.accelerator,
        devices=config.devices,
        num_nodes=config.num_nodes,
        precision=precision_for(config),
        gradient_clip_val=settings.recipe.clip,
        check_val_every_n_epoch=config.validate_every,
        deterministic=config.deterministic,
        callbacks=[*callbacks, Pulses(plan.tell)],
        enable_progress_bar=False,
        logger=list(plan.loggers) or False,
        enable_checkpointing=True,
        enable_model_summary=False,
        num_sanity_val_steps=0,
        use_distributed_sampler=False,
        log_every_n_steps=10,
        default_root_dir=plan.folder,
    )


def precision_for(config: TrainerConfig) -> Any:
    """Lightning's precision flag: bf16 where the device multiplies it natively, else fp32."""
    if config.precision != "auto":
        return config.precision
    if config.accelerator in ("auto", "gpu", "cuda") and torch.cuda.is_available():
        return "bf16-mixed" if torch.cuda.is_bf16_supported() else "16-mixed"
    fast = config.accelerator in ("auto", "cpu") and torch.cpu._is_avx512_bf16_supported()
    return "bf16-mixed" if fast else "32-true"


def _quiet() -> None:
    """Keep Lightning's advice on cores and loggers out of the user's sight; warnings of ours stay."""
    logging.getLogger("pytorch_lightning").setLevel(logging.WARNING)
    for text in (".*does not have many workers.*", ".*number of training batches.*", ".*LeafSpec.*", ".*log_every_n.*"):
        warnings.filterwarnings("ignore", text)
