"""What `benchmarks/experiments/detector.py` makes of its command line, and of shared networks."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest

from spinedet.core.anatomy import Plane, Region
from spinedet.core.types import Findings, Manifest
from spinedet.detection.settings import RecipeConfig
from spinedet.imaging.settings import AugmentConfig
from tests.detection.conftest import MakeStudy
from tests.detection.tiny import MODEL, plan, turned


@pytest.fixture(scope="module")
def bench(benchmark_named: Callable[[str], ModuleType]) -> ModuleType:
    return benchmark_named("detector")


def test_settings_after_the_colon_reach_model_recipe_and_augmentation(bench: ModuleType) -> None:
    words = "retinanet:negatives=focal,lr=0.0005,levels=fine+coarse,elastic_probability=0.5"
    config, recipe, augment = bench.Job(words, Plane.AXIAL, 0).settings
    assert (config.name, config.negatives, config.levels) == ("retinanet", "focal", ["fine", "coarse"])
    assert recipe.lr == 0.0005
    assert augment == AugmentConfig(elastic_probability=0.5)


def test_every_ablation_changes_the_model_and_has_a_folder_of_its_own(bench: ModuleType) -> None:
    jobs = [bench.Job(model, Plane.SAGITTAL, 0) for model in bench.ABLATIONS]
    assert len({job.name for job in jobs}) == len({str(job.settings) for job in jobs}) == len(bench.ABLATIONS)


def test_planes_that_share_a_network_pool_their_steps(
    benchmark_named: Callable[[str], ModuleType],
    make_study: MakeStudy,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    budget, scored = benchmark_named("budgeted_training"), []

    def score(reference: Manifest, found: Findings, criterion: object) -> dict[str, SimpleNamespace]:
        (plane,) = found.model["planes"]
        scored.append(plane)
        return {plane: SimpleNamespace(f1=0.5)}

    monkeypatch.setattr(budget, "max_f1", score)
    studies = (make_study("a"), make_study("b"))
    known = Manifest(name="c", region=Region.LUMBAR, categories=("degeneration",), studies=studies)
    sagittal = plan(studies, tmp_path)
    trainings = [
        budget.Training(known, each.train * 2, each.tune, each.spec, MODEL, RecipeConfig(), steps, 1, 0)
        for each, steps in ((sagittal, 2), (turned(sagittal), 3))
    ]
    one, other = budget.train_together(trainings)
    assert one.steps == other.steps == 5
    assert scored[:2] == ["sagittal", "axial"]
    assert one.curve == other.curve != []
    assert one.detector.network.dense.score.weight is other.detector.network.dense.score.weight


def test_a_shared_networks_results_lie_beside_those_of_each_planes_own(
    benchmark_named: Callable[[str], ModuleType], tmp_path: Path
) -> None:
    shared = benchmark_named("shared_network")
    bench = shared.Bench(SimpleNamespace(name="c"), None, 200, 100, tmp_path)
    jobs = [shared.Job(model, plane, 0) for model in (shared.ALONE, shared.SHARED) for plane in Plane]
    assert len({bench.folder(job) for job in jobs}) == 4
    done = bench.folder(jobs[0])
    done.mkdir(parents=True)
    (done / "result.json").write_text("{}")
    assert [job for job in jobs if not bench.finished(job)] == jobs[1:]
