"""Trainings of equal numbers of steps, and the predictions of their detectors."""

from __future__ import annotations

import logging
import tempfile
import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch

from spinedet.core.types import Finding, Findings, Manifest, Study, StudyFindings
from spinedet.detection.batch import Detections
from spinedet.detection.dataset import Scan
from spinedet.detection.model_files import PlaneDetector
from spinedet.detection.models import Detector, ModelConfig
from spinedet.detection.postprocess import findings
from spinedet.detection.settings import RecipeConfig
from spinedet.detection.trainer import PlanePlan, Settings, train_network
from spinedet.imaging.planes import PlaneSpec
from spinedet.imaging.settings import AugmentConfig
from spinedet.pipelines.splits import only
from spinedet.scoring import IouCriterion, max_f1
from spinedet.training.settings import TrainerConfig

# Of a hit, where thresholds are chosen.
IOU = 0.1


@dataclass(frozen=True, eq=False)
class Training:
    """What one training needs.

    Attributes:
        manifest: the reference of all scans. train, tune: prepared scans of one plane.
        steps: of optimisation. every: about so many steps between scores on the tuning scans.
        initial: the detector whose weights are the start.
    """

    manifest: Manifest
    train: Sequence[Scan]
    tune: Sequence[Scan]
    spec: PlaneSpec
    config: ModelConfig
    recipe: RecipeConfig
    steps: int
    every: int
    seed: int
    initial: PlaneDetector | None = None
    augment: AugmentConfig = field(default_factory=AugmentConfig)


@dataclass(frozen=True, eq=False)
class Trained:
    """A detector, the best F1 on the tuning scans after so many steps (of several planes the mean), and what it took.

    Attributes:
        cpu_seconds: of the whole training, scores on the tuning scans included.
    """

    detector: PlaneDetector
    curve: list[tuple[int, float]]
    steps: int
    cpu_seconds: float


class TuningCurve(pl.Callback):
    """Keeps the F1 of every validation with the steps before it, and the number of steps."""

    def __init__(self) -> None:
        self.points: list[tuple[int, float]] = []
        self.steps = 0

    def on_validation_end(self, trainer: Any, pl_module: pl.LightningModule) -> None:
        """After `TuningScore`."""
        self.points.append((trainer.global_step, float(trainer.callback_metrics["tuning_f1"])))

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Count the steps."""
        self.steps = trainer.global_step


def train(training: Training) -> Trained:
    """A detector that has taken its steps."""
    (trained,) = train_together([training])
    return trained


def train_together(trainings: Sequence[Training]) -> list[Trained]:
    """One network for the planes of all trainings, alike in all else, that has taken the steps of all of them."""
    first, curve = trainings[0], TuningCurve()
    steps = sum(len(one.train) // first.recipe.scans_a_step(processes=1) for one in trainings)
    trainer = TrainerConfig(
        max_steps=sum(one.steps for one in trainings),
        accelerator="cpu",
        deterministic=True,
        validate_every=max(1, round(first.every / max(1, steps))),
        checkpoint_minutes=float("inf"),
    )
    began = time.process_time()
    with tempfile.TemporaryDirectory() as folder:
        plans = [_plan(one, Path(folder), curve) for one in trainings]
        detectors = train_network(plans, Settings(first.config, first.recipe, first.augment, trainer))
    used = time.process_time() - began
    return [Trained(detector, curve.points, curve.steps, used) for detector in detectors]


def _plan(one: Training, folder: Path, curve: TuningCurve) -> PlanePlan:
    return PlanePlan(
        spec=one.spec,
        categories=one.manifest.categories,
        train=one.train,
        tune=one.tune,
        score=_tuning_score(one),
        folder=folder,
        seed=one.seed,
        initial=one.initial,
        callbacks=(curve,),
    )


def _tuning_score(one: Training) -> Callable[[list[Detections]], float]:
    reference, plane = only(one.manifest, studies_of(one.manifest, one.tune)), one.spec.plane.value
    found = partial(as_findings, one.manifest, one.tune, plane=plane)
    return lambda detections: max_f1(reference, found(detections), IouCriterion(iou=IOU))[plane].f1 or 0.0


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


def predict_scans(network: Detector, scans: Sequence[Scan]) -> tuple[list[Detections], list[float]]:
    """What is detected in whole scans, and the CPU seconds that each took."""
    detections, seconds = [], []
    for scan in scans:
        image = scan.image()[None].contiguous(memory_format=torch.channels_last_3d)
        began = time.process_time()
        with torch.inference_mode():
            detections += network.detect(image)
        seconds.append(time.process_time() - began)
    return detections, seconds


def quiet() -> None:
    """One thread, and none of Lightning's advice."""
    torch.set_num_threads(1)
    logging.getLogger("pytorch_lightning").setLevel(logging.WARNING)
    warnings.filterwarnings("ignore")
