"""What `benchmarks/detector.py` makes of its command line, and its clock."""

from __future__ import annotations

import time
from collections.abc import Callable
from types import ModuleType

import pytest

from spinedet.core.anatomy import Plane


@pytest.fixture(scope="module")
def bench(benchmark_named: Callable[[str], ModuleType]) -> ModuleType:
    return benchmark_named("detector")


def test_settings_after_the_colon_reach_the_model_and_the_recipe(bench: ModuleType) -> None:
    config, recipe = bench.Job("retinanet:negatives=focal,lr=0.0005,levels=fine+coarse", Plane.AXIAL, 0).settings
    assert (config.name, config.negatives, config.levels) == ("retinanet", "focal", ["fine", "coarse"])
    assert recipe.lr == 0.0005


def test_every_ablation_changes_the_model_and_has_a_folder_of_its_own(bench: ModuleType) -> None:
    jobs = [bench.Job(model, Plane.SAGITTAL, 0) for model in bench.ABLATIONS]
    assert len({job.name for job in jobs}) == len({str(job.settings) for job in jobs}) == len(bench.ABLATIONS)


def test_the_clock_stands_still_while_the_tuning_split_is_scored(
    benchmark_named: Callable[[str], ModuleType],
) -> None:
    clock = benchmark_named("budget").CpuBudget(1000)
    clock.on_train_start(None, None)
    clock.on_validation_start(None, None)
    before = time.process_time()
    while time.process_time() < before + 0.1:
        pass
    clock.on_validation_end(None, None)
    assert clock.time_elapsed() < 0.1 <= clock.uncounted
    assert clock.time_remaining() > 999
