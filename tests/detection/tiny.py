"""A training so small that it takes a second: four scans of noise with a bright block, a network of width 4."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from spinedet.core.anatomy import Plane
from spinedet.core.types import Study
from spinedet.detection.batch import Batch, Detections
from spinedet.detection.dataset import prepare_scans
from spinedet.detection.models import Detector
from spinedet.detection.settings import RecipeConfig, TwoStageDetrConfig
from spinedet.detection.trainer import PlanePlan, Settings
from spinedet.imaging.planes import SAGITTAL
from spinedet.imaging.settings import AugmentConfig
from spinedet.training.preemption import StopSignal
from spinedet.training.settings import TrainerConfig

Weights = dict[str, Tensor]

SPEC = replace(SAGITTAL, field_of_view=(24.0, 64.0, 48.0))
MODEL = TwoStageDetrConfig(width=4, channels=24, heads=2, decoder_layers=1, queries=6)


def settings(**trainer: Any) -> Settings:
    """Three epochs of two steps, step-bounded and deterministic."""
    words: dict[str, Any] = {"max_epochs": 3, "validate_every": 2, "precision": "32-true", "deterministic": True}
    config = TrainerConfig(**words | {"accelerator": "cpu"} | trainer)
    return Settings(MODEL, RecipeConfig(warmup=0.3), AugmentConfig(), config)


def plan(studies: Sequence[Study], folder: Path, **more: Any) -> PlanePlan:
    """All but the last study are trained on."""
    prepared = prepare_scans(studies, SPEC, folder / "cache", 1)
    assert not prepared.skipped
    score: Callable[[Any], float] = len
    scans = prepared.scans
    words: dict[str, Any] = {"spec": SPEC, "categories": ("degeneration",), "train": scans[:-1], "tune": scans[-1:]}
    return PlanePlan(**words | {"score": score, "folder": folder / "checkpoints"} | more)


def turned(made: PlanePlan) -> PlanePlan:
    """The same scans as if they were of the other plane, with crops of another shape."""
    spec = replace(made.spec, plane=Plane.AXIAL, field_of_view=(32.0, 48.0, 56.0))
    train, tune = ([replace(scan, plane=Plane.AXIAL) for scan in scans] for scans in (made.train, made.tune))
    return replace(made, spec=spec, train=train, tune=tune)


class AfterSteps(StopSignal):
    """Asks to leave when it has been looked at so many times: Lightning looks after each of the steps and epochs."""

    def __init__(self, looks: int) -> None:
        super().__init__()
        self.looks = looks

    def __bool__(self) -> bool:
        self.looks -= 1
        return self.looks <= 0


def same(one: Weights, two: Weights) -> bool:
    return one.keys() == two.keys() and all(torch.equal(one[name], two[name]) for name in one)


class Bright(Detector):
    """Says that every voxel above 0 is the middle of a lesion, as surely as it is bright."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[tuple[int, ...]] = []

    def losses(self, batch: Batch) -> dict[str, Tensor]:
        raise NotImplementedError

    def detect(self, images: Tensor) -> list[Detections]:
        self.seen.append(tuple(images.shape[2:]))
        places = images[0, 0].nonzero()
        spacing = torch.tensor(SAGITTAL.spacing)
        boxes = torch.cat([(places + 0.5) * spacing, torch.tensor([[20.0, 10, 20]]).expand(len(places), -1)], dim=1)
        return [Detections(boxes, images[0, 0][tuple(places.T)][:, None])]
