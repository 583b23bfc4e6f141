"""Training a detector until it has used its CPU seconds on one thread, and looking with it."""

from __future__ import annotations

import logging
import time
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import islice
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import Timer
from torch.utils.data import DataLoader

from spinedet.core.types import Finding, Findings, Manifest, Study, StudyFindings
from spinedet.detection.batch import Detections
from spinedet.detection.batch_loader import TrainingBatches, batch_maker
from spinedet.detection.dataset import Augmented, Scan, SeveralPlanes, TrainingScans, TuningScans, collate
from spinedet.detection.lightning_module import DetectionModule
from spinedet.detection.model_files import PlaneDetector
from spinedet.detection.models import Detector, ModelCard, ModelConfig, SharedDetector, build
from spinedet.detection.postprocess import findings
from spinedet.detection.settings import RecipeConfig
from spinedet.detection.trainer import PlanePlan, copy_matching_weights, model_card_for, precision_for
from spinedet.imaging.planes import PlaneSpec
from spinedet.imaging.settings import AugmentConfig
from spinedet.pipelines.splits import only
from spinedet.scoring import IouCriterion, max_f1
from spinedet.training.callbacks import RampedEma
from spinedet.training.preemption import StopSignal
from spinedet.training.samplers import PlaneTurns, Share
from spinedet.training.settings import TrainerConfig

# Of a hit, where thresholds are chosen.
IOU = 0.1


@dataclass(frozen=True, eq=False)
class Training:
    """What one training needs.

    Attributes:
        manifest: the reference of all scans. train, tune: prepared scans of one plane.
        seconds: of CPU time. every: steps between scores on the tuning scans. initial: whose weights are the start.
    """

    manifest: Manifest
    train: Sequence[Scan]
    tune: Sequence[Scan]
    spec: PlaneSpec
    config: ModelConfig
    recipe: RecipeConfig
    seconds: float
    every: int
    seed: int
    initial: PlaneDetector | None = None
    augment: AugmentConfig = field(default_factory=AugmentConfig)


@dataclass(frozen=True, eq=False)
class Trained:
    """A detector, the best F1 on the tuning scans after so many CPU seconds, and the steps it took."""

    detector: PlaneDetector
    curve: list[tuple[float, float]]
    steps: int


class CpuBudget(Timer):
    """Ends training after so many CPU seconds of this process; scores the tuning split now and then, uncounted.

    Being a `Timer` it also drives the learning rate's schedule.
    """

    def __init__(self, seconds: float) -> None:
        super().__init__(timedelta(seconds=seconds), verbose=False)
        self.uncounted, self.paused, self.began = 0.0, 0.0, time.process_time()

    def start_time(self, stage: str = "train") -> float | None:
        """Of training, in CPU seconds."""
        return self.began

    def time_elapsed(self, stage: str = "train") -> float:
        """CPU seconds spent on training."""
        return time.process_time() - self.began - self.uncounted

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """The clock begins with the first step."""
        self.began, self.uncounted = time.process_time(), 0.0

    def on_validation_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Stop the clock."""
        self.paused = time.process_time()

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Go on."""
        self.uncounted += time.process_time() - self.paused


class Progress(pl.Callback):
    """The best F1 of the averaged weights on each training's tuning scans against CPU seconds."""

    def __init__(self, clock: CpuBudget, trainings: Sequence[Training]) -> None:
        self.clock, self.trainings = clock, trainings
        self.curves: list[list[tuple[float, float]]] = [[] for _ in trainings]
        self.detections: list[Detections] = []

    def on_validation_batch_end(self, trainer: pl.Trainer, module: pl.LightningModule, outputs: Any, *_: Any) -> None:
        """Keep what was found."""
        self.detections += outputs["detections"]

    def on_validation_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Score it."""
        spent = self.clock.paused - self.clock.began - self.clock.uncounted
        rest = iter(self.detections)
        for training, curve in zip(self.trainings, self.curves, strict=True):
            plane = training.spec.plane.value
            found = as_findings(training.manifest, training.tune, list(islice(rest, len(training.tune))), plane)
            reference = only(training.manifest, studies_of(training.manifest, training.tune))
            curve.append((round(spent, 1), max_f1(reference, found, IouCriterion(iou=IOU))[plane].f1 or 0.0))
        self.detections = []


def studies_of(manifest: Manifest, scans: Sequence[Scan]) -> list[Study]:
    """The studies that the scans are of."""
    names = {scan.study for scan in scans}
    return [study for study in manifest.studies if study.id in names]


def as_findings(manifest: Manifest, scans: Sequence[Scan], detections: Sequence[Detections], plane: str) -> Findings:
    """What was found in each scan, by study."""
    found: dict[str, tuple[Finding, ...]] = {scan.study: () for scan in scans}
    for scan, each in zip(scans, detections, strict=True):
        found[scan.study] += findings(
            each.scaled(scan.scale), scan.grid, scan.series, manifest.categories, min_score=0.01
        )
    studies = tuple(StudyFindings(id=study, findings=each) for study, each in found.items())
    return Findings(model={"planes": [plane]}, studies=studies)


def train(training: Training) -> Trained:
    """A detector that has used its CPU seconds."""
    (trained,) = train_together([training])
    return trained


def train_together(trainings: Sequence[Training]) -> list[Trained]:
    """One network for the planes of all trainings, alike in all else, that has used the CPU seconds of all of them."""
    first = trainings[0]
    pl.seed_everything(first.seed, verbose=False)
    cards = [model_card_for(_plan(one)) for one in trainings]
    networks = [_begun(one, card) for one, card in zip(trainings, cards, strict=True)]
    planes = [one.spec.plane for one in trainings]
    learner = SharedDetector(dict(zip(planes, networks, strict=True))) if len(planes) > 1 else networks[0]
    module = DetectionModule(learner, first.recipe)
    share = Share(first.recipe.scans_a_step(processes=1))
    sampler = PlaneTurns([len(one.train) for one in trainings], first.seed, share)
    held = [scan for one in trainings for scan in one.tune]
    tune = DataLoader(TuningScans(held, first.manifest.categories), collate_fn=collate)
    clock = CpuBudget(sum(one.seconds for one in trainings))
    progress = Progress(clock, trainings)
    trainer = _trainer(first, clock, progress)
    with batch_maker(0, StopSignal()) as made:
        batches = TrainingBatches(SeveralPlanes([_scans(one) for one in trainings]), sampler, made)
        trainer.fit(module, batches, tune)
    detectors = [
        PlaneDetector(first.config, card, network.eval()) for card, network in zip(cards, networks, strict=True)
    ]
    return [Trained(*one, trainer.global_step) for one in zip(detectors, progress.curves, strict=True)]


def _plan(one: Training) -> PlanePlan:
    known = (one.spec, one.manifest.categories, one.train, one.tune)
    return PlanePlan(*known, lambda _: 0.0, Path(), one.seed, initial=one.initial)


def _begun(one: Training, card: ModelCard) -> Detector:
    network = build(one.config, card)
    if one.initial is not None:
        copy_matching_weights(network, one.initial.network)
    return network


def _scans(one: Training) -> TrainingScans:
    return TrainingScans(one.train, one.manifest.categories, Augmented(one.spec, one.augment, one.seed))


def _trainer(training: Training, clock: CpuBudget, progress: Progress) -> pl.Trainer:
    return pl.Trainer(
        max_epochs=-1,
        accelerator="cpu",
        precision=precision_for(TrainerConfig(accelerator="cpu")),
        gradient_clip_val=training.recipe.clip,
        val_check_interval=training.every,
        check_val_every_n_epoch=None,
        callbacks=[RampedEma(training.recipe.ema), clock, progress],
        enable_progress_bar=False,
        enable_checkpointing=False,
        enable_model_summary=False,
        logger=False,
        num_sanity_val_steps=0,
        use_distributed_sampler=False,
    )


def quiet() -> None:
    """One thread, and none of Lightning's advice."""
    torch.set_num_threads(1)
    logging.getLogger("pytorch_lightning").setLevel(logging.WARNING)
    warnings.filterwarnings("ignore")


def look(network: Detector, scans: Sequence[Scan]) -> tuple[list[Detections], list[float]]:
    """What is detected in whole scans, and the CPU seconds that each took."""
    detections, seconds = [], []
    for scan in scans:
        image = scan.image()[None].contiguous(memory_format=torch.channels_last_3d)
        began = time.process_time()
        with torch.inference_mode():
            detections += network.detect(image)
        seconds.append(time.process_time() - began)
    return detections, seconds
