"""The search for a recipe: its budget, its patients, its order, and what it refuses."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from spinedet.core.errors import InputError
from spinedet.radiograph import recipe_search
from spinedet.radiograph.recipe_search import Found, check_search, hold_out, search_recipe
from spinedet.radiograph.settings import InvertedConfig, LearningConfig, LinearConfig, SearchConfig, VariationConfig
from spinedet.radiograph.trainer import PartPlan, Recipe
from spinedet.training.settings import TrainerConfig
from tests.commands.conftest import run_command
from tests.radiograph.cohorts import FRACTURES, cohort

PATIENTS = [f"p{number // 2}" for number in range(16)]


def recipe(steps: int | None = 12) -> Recipe:
    trainer = TrainerConfig(max_steps=steps, accelerator="cpu", deterministic=True)
    return Recipe(InvertedConfig(), VariationConfig(), LearningConfig(batch=4), trainer)


def plan(folder: Path, seed: int = 0) -> PartPlan:
    pixels = np.random.default_rng(0).random((16, 32, 32)).astype(np.float16)
    reference = np.array([number // 2 % 2 for number in range(16)])
    names = tuple(f"{patient}/{row}" for row, patient in enumerate(PATIENTS))
    return PartPlan(labels=("none", "fresh"), pixels=pixels, reference=reference, names=names, folder=folder, seed=seed)


@pytest.fixture
def losses(monkeypatch: pytest.MonkeyPatch) -> list[Recipe]:
    """The recipes that were tried; the lower the learning rate the better."""
    tried: list[Recipe] = []

    def loss(_plan: PartPlan, one: Recipe, _held_out: np.ndarray, _number: int) -> float:
        tried.append(one)
        return one.learning.lr

    monkeypatch.setattr(recipe_search, "_loss", loss)
    return tried


def searched(folder: Path, seed: int = 0) -> Found:
    return search_recipe(plan(folder, seed), PATIENTS, recipe(), SearchConfig(trials=5))


def test_trials_and_the_last_training_share_the_steps(tmp_path: Path, losses: list[Recipe]) -> None:
    found = searched(tmp_path)
    assert [one.trainer.max_steps for one in losses] == [1] * 5
    assert found.steps + (found.recipe.trainer.max_steps or 0) == 12
    assert losses[0].learning.lr == LearningConfig().lr
    assert found.recipe.learning.lr == min(one.learning.lr for one in losses) < losses[0].learning.lr
    assert len({one.learning.lr for one in losses}) == 5


def test_an_interrupted_search_goes_on_as_it_would_have(tmp_path: Path, losses: list[Recipe]) -> None:
    whole = searched(tmp_path / "whole")
    assert searched(tmp_path / "other", seed=1).trials != whole.trials
    record = tmp_path / "whole" / recipe_search.RECORD
    record.write_text(json.dumps(json.loads(record.read_text())[:3]))
    losses.clear()
    assert searched(tmp_path / "whole") == whole
    assert len(losses) == 2


def test_patients_are_held_out_whole_and_of_every_label() -> None:
    reference = np.array([number // 2 % 2 for number in range(16)])
    held = hold_out(PATIENTS, reference, 0.25, 0)
    assert held.sum() == 4
    assert sorted(reference[held].tolist()) == [0, 0, 1, 1]
    for patient in set(PATIENTS):
        assert len({bool(held[row]) for row, one in enumerate(PATIENTS) if one == patient}) == 1
    assert not np.array_equal(held, hold_out(PATIENTS, reference, 0.25, 1))
    # A label with one patient stays where it can be learnt.
    assert not hold_out(["a", "b", "c", "d", "e"], np.array([0, 0, 0, 0, 1]), 0.9, 0)[4]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (recipe(None), "search.trials=5 needs trainer.max_steps="),
        (recipe(8), "trainer.max_steps=8 leaves less than a step for each of search.trials=5"),
        (replace(recipe(), network=LinearConfig()), "this network is not trained by steps"),
    ],
)
def test_searches_that_cannot_be(given: Recipe, message: str) -> None:
    check_search(SearchConfig(), given)
    with pytest.raises(InputError, match=message):
        check_search(SearchConfig(trials=5), given)


def test_without_optuna_the_remedy_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(InputError, match=r"search\.trials= needs Optuna; install it: pip install 'spinedet\[search\]'"):
        check_search(SearchConfig(trials=5), recipe())


@pytest.mark.parametrize("words", [{"trials": -1}, {"share": 1.0}, {"held_out": 0.0}])
def test_wrong_settings(words: dict[str, float]) -> None:
    with pytest.raises(InputError, match=f"search.{next(iter(words))}="):
        SearchConfig(**words)  # type: ignore[arg-type]


def test_a_run_counts_and_states_its_search(tmp_path: Path) -> None:
    manifest = cohort(tmp_path / "A", FRACTURES, {"train": 8, "tune": 4, "test": 4})
    words = (f"data.manifests=[{manifest}]", "input.pixels=32", "network=lite0", "trainer.max_steps=4", "workers=1")
    quick = ("test.bootstrap.samples=50", "test.pictures=0", "trainer.accelerator=cpu", "trainer.deterministic=true")
    run = tmp_path / "run"
    assert run_command("radiograph.train", *words, *quick, "search.trials=2", f"out={run}") == 0
    trainings = json.loads((run / "run.json").read_text())["trainings"]
    assert {name: one["steps"] for name, one in trainings.items()} == {"lateral": 2, "lateral, search": 2}
    assert (
        "2 trials of 1 steps with Optuna, compared on 2 held-out training patients" in (run / "report.html").read_text()
    )
    assert len(json.loads((run / "checkpoints/lateral/search.json").read_text())) == 2
