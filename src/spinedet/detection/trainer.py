"""Training a detector with Lightning, of one plane or shared by several, from prepared scans to averaged weights."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from itertools import islice
from pathlib import Path
from statistics import fmean
from typing import Any

import pytorch_lightning as pl
import torch
from lightning_fabric.plugins.environments.torchelastic import TorchElasticEnvironment
from pytorch_lightning.callbacks import Callback
from pytorch_lightning.strategies import DDPStrategy
from torch import nn
from torch.utils.data import DataLoader

from spinedet.core.errors import InputError
from spinedet.core.files import write_json
from spinedet.core.grades import SCALES
from spinedet.detection.batch import Detections, Targets
from spinedet.detection.batch_loader import TrainingBatches, batch_maker, workers_for
from spinedet.detection.boxes import typical_sizes
from spinedet.detection.dataset import Augmented, Scan, SeveralPlanes, TrainingScans, TuningScans, collate
from spinedet.detection.lightning_module import DetectionModule
from spinedet.detection.model_files import PlaneDetector
from spinedet.detection.models import Detector, ModelCard, ModelConfig, SharedDetector, TrainableModel, build
from spinedet.detection.models.pretrained import load_backbone
from spinedet.detection.settings import DenseConfig, GradedConfig, RecipeConfig
from spinedet.detection.tuning_score import TuningScore
from spinedet.imaging.planes import PlaneSpec
from spinedet.imaging.settings import AugmentConfig
from spinedet.training.callbacks import (
    FiniteLoss,
    LastCheckpoint,
    ProgressReports,
    RampedEma,
    StepSeed,
)
from spinedet.training.checkpoints import AtomicCheckpointIO
from spinedet.training.distributed import processes_here, rank, share_batch_norm, world_size
from spinedet.training.length import write_length
from spinedet.training.lightning_trainer import TrainingJob, silence_advice, threads_for, trainer_for
from spinedet.training.samplers import PlaneTurns, Pool, Position, Share
from spinedet.training.schedule import training_length
from spinedet.training.settings import TrainerConfig

# Sizes that stand for those of all lesions; more of them hardly fit better (benchmarks/experiments/detector.py).
TYPICAL = 4


@dataclass(frozen=True)
class PlanePlan(TrainingJob):
    """All that one plane's training needs.

    Attributes:
        train, tune: prepared scans. score: F1 of the detections in the tuning scans, in their order.
        initial: the detector whose weights are the start. callbacks: of Lightning, after the training's own.
        weights: how often an epoch draws a scan on average, by study id; once where there is none.
    """

    spec: PlaneSpec
    categories: tuple[str, ...]
    train: Sequence[Scan]
    tune: Sequence[Scan]
    score: Callable[[list[Detections]], float]
    initial: PlaneDetector | None = None
    callbacks: Sequence[Callback] = ()
    weights: Mapping[str, float] = field(default_factory=dict)

    @property
    def pool(self) -> Pool:
        """What an epoch draws from."""
        weights = tuple(self.weights.get(scan.study, 1.0) for scan in self.train)
        return Pool(len(self.train), weights if any(weight != 1 for weight in weights) else None)


@dataclass(frozen=True)
class Settings:
    """The configurable part of training."""

    model: ModelConfig
    recipe: RecipeConfig
    augment: AugmentConfig
    trainer: TrainerConfig


def train_plane(plan: PlanePlan, settings: Settings) -> PlaneDetector:
    """Train a plane's own network; see `train_network`."""
    (detector,) = train_network([plan], settings)
    return detector


def train_network(plans: Sequence[PlanePlan], settings: Settings) -> list[PlaneDetector]:
    """Train one network for the planes of all plans, or resume from their checkpoint.

    Where several processes train together, each of them calls this.

    Args:
        plans: alike but for their planes, scans, scores and initial weights.

    Raises:
        InputError: there is no training scan with a lesion, a lesion's severity is beyond the model's, the
            scans of a step cannot be shared evenly among the processes, a loss is not finite, an image was changed, or
            the disk is full.
        Preempted: the process was signalled to stop, and wrote a checkpoint.
        BrokenProcessPool: a process that made batches was killed.
    """
    # Norms need no syncing, strides of 1 x 1 x 1 weights are as good, and the score is gathered.
    silence_advice("forward_sync_buffers", "Grad strides", "self.log\\('tuning_f1'")
    plan = plans[0]
    _refuse_other_grades([scan for each in plans for scan in each.train], settings.model)
    pl.seed_everything(plan.seed, verbose=False)
    graded = isinstance(settings.model, GradedConfig)
    cards = [model_card_for(each, graded=graded) for each in plans]
    network = _combined([_initialised(each, settings, card) for each, card in zip(plans, cards, strict=True)], plans)
    module = DetectionModule(network, settings.recipe)
    share = batch_share_for(min(plans, key=lambda each: each.pool.draws), settings.recipe)
    position = plan.start.position if plan.start else Position()
    sampler = PlaneTurns([each.pool for each in plans], plan.seed, share, position)
    average = RampedEma(settings.recipe.ema)
    trainer = _trainer(plan, settings, [average, *_callbacks(plans, settings.trainer, sampler)])
    on_gpu = trainer.strategy.root_device.type == "cuda"
    if world_size() > 1:
        share_batch_norm(network, on_gpu=on_gpu)
    path = plan.start.path if plan.start else None
    scans = SeveralPlanes([_training_scans(each, settings) for each in plans])
    with batch_maker(workers_for(settings.trainer.loader_workers, on_gpu), plan.stop) as made:
        batches = TrainingBatches(scans, sampler, made, pinned=on_gpu)
        with threads_for(trainer, settings.trainer):
            trainer.fit(module, batches, _tuning_loader(plans), ckpt_path=path, weights_only=True)
    if rank() == 0:
        write_length(plan.folder, training_length(trainer))
    networks = [build(settings.model, card) for card in cards]
    _combined(networks, plans).load_state_dict(average.averaged())
    finished = zip(cards, networks, strict=True)
    return [PlaneDetector(settings.model, card, network.eval()) for card, network in finished]


def _refuse_other_grades(scans: Sequence[Scan], model: ModelConfig) -> None:
    """Where grades are learned, a lesion's severity must be one of them or unknown."""
    highest = model.severity if isinstance(model, DenseConfig) else 0
    for study, lesion in ((scan.study, one) for scan in scans if highest for one in scan.lesions if not one.ignore):
        stated = lesion.attributes.get("severity")
        if stated is not None and not 0 <= lesion.severity <= highest:
            raise InputError(
                f"study {study!r}, lesion {lesion.id!r}, attributes.severity: {stated!r} is no grade from 0 to "
                f"{highest}; correct the manifest, set model.severity to the highest grade, or leave it out"
            )


def _initialised(plan: PlanePlan, settings: Settings, card: ModelCard) -> Detector:
    """The network with the weights that it starts from."""
    network = build(settings.model, card)
    if settings.recipe.backbone is not None:
        transfer = load_backbone(network, Path(settings.recipe.backbone))
        write_json(plan.folder / "backbone.json", asdict(transfer))
    if plan.initial is not None:
        copy_matching_weights(network, plan.initial.network)
    return network


def _combined(networks: Sequence[Detector], plans: Sequence[PlanePlan]) -> TrainableModel:
    """What is trained: one network itself, several with the weights of the first."""
    if len(networks) == 1:
        return networks[0]
    return SharedDetector({plan.spec.plane: network for plan, network in zip(plans, networks, strict=True)})


def batch_share_for(plan: PlanePlan, recipe: RecipeConfig) -> Share:
    """The scans of each step that this process takes of those of all processes, at most all training scans.

    Raises:
        InputError: they cannot be shared evenly.
    """
    requested = recipe.scans_a_step(world_size())
    batch = min(requested, plan.pool.draws)
    if batch % world_size():
        raise InputError(
            f"{batch} scans a step (recipe.batch={requested}, {plan.pool.draws} draws an epoch) cannot be shared "
            f"evenly among {world_size()} processes; set recipe.batch to a multiple of it, or use fewer devices"
        )
    return Share(batch, rank(), world_size())


@dataclass(frozen=True, slots=True)
class Reuse:
    """Which of a network's tensors are taken from another by name and shape, and which are initialised.

    Attributes:
        share: of all numbers in the network that are reused.
    """

    reused: tuple[str, ...]
    fresh: tuple[str, ...]
    share: float


def reusable_weights(network: nn.Module, source: nn.Module) -> Reuse:
    """Which tensors of `source` fit `network`."""
    own, theirs = network.state_dict(), source.state_dict()
    fits = {name: name in theirs and theirs[name].shape == tensor.shape for name, tensor in own.items()}
    numbers = sum(own[name].numel() for name, fit in fits.items() if fit)
    return Reuse(
        reused=tuple(name for name, fit in fits.items() if fit),
        fresh=tuple(name for name, fit in fits.items() if not fit),
        share=numbers / max(1, sum(tensor.numel() for tensor in own.values())),
    )


def copy_matching_weights(network: nn.Module, source: nn.Module) -> Reuse:
    """Copy every tensor whose name and shape fit."""
    reuse, theirs = reusable_weights(network, source), source.state_dict()
    network.load_state_dict({name: theirs[name] for name in reuse.reused}, strict=False)
    return reuse


def model_card_for(plan: PlanePlan, *, graded: bool = False) -> ModelCard:
    """The facts about the training data that the network is built for.

    Copied weights regress boxes relative to the sizes that they were trained with, so those are kept.

    Args:
        graded: whether the network separates structures from lesions, where the training data do: sizes are
            then those of all structures.

    Raises:
        InputError: no training scan of this plane holds a lesion.
    """
    facts = _facts_of(plan) if graded else {"caudal": plan.spec.caudal}
    boxes = [_sized(scan.targets(plan.categories), every=bool(facts.get("structures"))) for scan in plan.train]
    sizes = torch.cat([*boxes, torch.empty(0, 6)])[:, 3:]
    if not len(sizes):
        raise InputError(f"no {plan.spec.plane.value} training scan has a lesion; add studies or leave the plane out")
    if plan.initial is not None and plan.initial.card.spacing == plan.spec.spacing:
        return replace(plan.initial.card, categories=plan.categories, **facts)
    (mean,) = _extents(sizes.log().mean(0, keepdim=True).exp())
    return ModelCard(plan.categories, plan.spec.spacing, mean, _extents(typical_sizes(sizes, TYPICAL)), **facts)


def _facts_of(plan: PlanePlan) -> dict[str, Any]:
    """Whether the training scans have sound structures, the scales that they are graded on, and how the spine runs."""
    structures = any(scan.negatives for scan in plan.train)
    attributes = [place.attributes for scan in plan.train for place in scan.lesions]
    attributes += [place.attributes for scan in plan.train for place in scan.negatives]
    graded = (name for name, scale in SCALES.items() if any(not math.isnan(scale.of(each)) for each in attributes))
    return {"structures": structures, "grades": tuple(graded) if structures else (), "caudal": plan.spec.caudal}


def _sized(targets: Targets, *, every: bool) -> torch.Tensor:
    """The boxes of a scan's lesions that count, or of all its structures that do."""
    if not every or targets.structures is None:
        return targets.certain.boxes
    return targets.structures.boxes[~targets.structures.ignore]


def _extents(sizes: torch.Tensor) -> tuple[tuple[float, float, float], ...]:
    return tuple((thick, high, wide) for thick, high, wide in sizes.tolist())


def _tuning_loader(plans: Sequence[PlanePlan]) -> DataLoader[Any]:
    # Every process needs a scan to take part in the validation; a surplus one is not counted.
    tune = [scan for plan in plans for scan in plan.tune]
    own = tune[rank() :: world_size()] or tune[:1]
    return DataLoader(TuningScans(own, plans[0].categories), batch_size=1, collate_fn=collate)


def _training_scans(plan: PlanePlan, settings: Settings) -> TrainingScans:
    return TrainingScans(plan.train, plan.categories, Augmented(plan.spec, settings.augment, plan.seed))


def _callbacks(plans: Sequence[PlanePlan], config: TrainerConfig, sampler: PlaneTurns) -> list[Callback]:
    plan, scans = plans[0], [scan for each in plans for scan in each.train]

    def name(at: Position) -> list[str]:
        return [f"{scans[draw.index].study}/{scans[draw.index].series}" for draw in sampler.step(at)]

    return [
        StepSeed(plan.seed),
        FiniteLoss(name),
        TuningScore(partial(_mean_score, plans), sum(len(each.tune) for each in plans)),
        LastCheckpoint(plan.folder, plan.stop, config.checkpoint_minutes),
        ProgressReports(plan.on_progress),
        *plan.callbacks,
    ]


def _mean_score(plans: Sequence[PlanePlan], detections: list[Detections]) -> float:
    """The planes' scores of their tuning scans, averaged."""
    rest = iter(detections)
    return fmean(plan.score(list(islice(rest, len(plan.tune)))) for plan in plans)


def _trainer(plan: PlanePlan, settings: Settings, callbacks: list[Callback]) -> pl.Trainer:
    config, several = settings.trainer, world_size() > 1
    distributed: dict[str, Any] = {
        "devices": processes_here(),
        "num_nodes": world_size() // processes_here(),
        # Norms see all processes' scans, so their statistics are equal without being sent around.
        "strategy": DDPStrategy(broadcast_buffers=False, gradient_as_bucket_view=True),
        "plugins": [TorchElasticEnvironment(), AtomicCheckpointIO()],
    }
    more = {"check_val_every_n_epoch": config.validate_every, **(distributed if several else {})}
    return trainer_for(plan, config, settings.recipe.clip, callbacks, **more)
