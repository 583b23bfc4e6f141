"""Metadata, rim and 32 x 32 pixels of simulated radiographs do not tell the label, unless a leak is asked for."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from spinedet.simulation.radiograph.settings import RadiographCohort, RadiographGroup

Named = Callable[[str], ModuleType]


def groups(train: int, test: int) -> list[RadiographGroup]:
    return [RadiographGroup("A", "train", train), RadiographGroup("A", "test", test)]


@pytest.mark.parametrize(("task", "train"), [("fractures", 36), ("implants", 25)])
def test_labels_are_told_no_better_than_by_guessing(
    benchmark_named: Named, task: str, train: int, tmp_path: Path
) -> None:
    cohort = RadiographCohort(task=task, groups=groups(train, train), pixels=96)
    for name, result in benchmark_named("radiograph_shortcuts").guess(cohort, tmp_path).items():
        low, _ = result.interval
        assert low <= result.chance, name


def test_a_leak_is_told_from_the_rim(benchmark_named: Named, tmp_path: Path) -> None:
    cohort = RadiographCohort(task="fractures", groups=groups(50, 30), pixels=96, leak=1.0)
    result = benchmark_named("radiograph_shortcuts").guess(cohort, tmp_path)["rim"]
    assert result.right / result.n > 0.8
    assert result.interval[0] > result.chance


def test_the_regression_separates_what_can_be_separated(benchmark_named: Named) -> None:
    rng = np.random.default_rng(0)
    x = rng.standard_normal((80, 3))
    y = (x[:, 1] > 0).astype(float)
    weights = benchmark_named("radiograph_shortcuts").fitted(x, y, 0.3)
    assert ((x @ weights[:-1] + weights[-1] > 0) == (y > 0)).mean() > 0.95
    assert abs(weights[1]) > 3 * max(abs(weights[0]), abs(weights[2]))
