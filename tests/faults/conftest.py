"""Small studies on disk, and the weights of a training on them that nobody disturbs."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from spinedet.core.types import Study
from spinedet.detection.trainer import train_plane
from tests.detection.conftest import MakeStudy, make_study
from tests.detection.tiny import plan, settings

__all__ = ["make_study"]

Weights = dict[str, torch.Tensor]
_KEPT: list[Weights] = []


@pytest.fixture
def studies(make_study: MakeStudy) -> list[Study]:
    return [make_study(f"s{n}", seed=n) for n in range(5)]


@pytest.fixture
def undisturbed(studies: list[Study], tmp_path: Path) -> Weights:
    """Trained once: the studies of all tests are alike."""
    if not _KEPT:
        _KEPT.append(train_plane(plan(studies, tmp_path / "undisturbed"), settings()).network.state_dict())
    return _KEPT[0]
