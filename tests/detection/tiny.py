"""A training so small that it takes a second: four scans of noise with a bright block, a network of width 4."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from spinedet.core.anatomy import Plane
from spinedet.core.types import Study
from spinedet.detection.dataset import prepare_scans
from spinedet.detection.settings import RecipeConfig, TwoStageDetrConfig
from spinedet.detection.trainer import PlanePlan, Settings
from spinedet.imaging.planes import SAGITTAL
from spinedet.imaging.settings import AugmentConfig
from spinedet.training.settings import TrainerConfig

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
