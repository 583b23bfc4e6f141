"""Steps of a study: kept, done, failed, left out."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest

from spinedet.experiments.transfer.plan import Sources, plan_study
from spinedet.experiments.transfer.sizes import SIZES
from spinedet.runs.steps import Outcome, Step, _last_words, take_steps

RECORD = '{"format": "spinedet-run", "version": 1, "command": "train", "wall_seconds": 12.5}'


def test_a_broken_step_is_reported_and_leaves_the_others_whole(tmp_path: Path) -> None:
    for name in ("before", "after"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "run.json").write_text(RECORD)
    steps = [
        Step("before", "train", ()),
        Step("broken", "train", ("data.manifests=[nowhere.json]",)),
        Step("depends", "evaluate", (), ("before", "broken")),
        Step("after", "train", (), ("before",)),
    ]
    outcomes = {one.step.name: one for one in take_steps(steps, tmp_path)}
    assert [one.state for one in outcomes.values()] == ["kept", "failed", "left out", "kept"]
    assert (outcomes["before"].seconds, outcomes["depends"].seconds) == (12.5, 0.0)  # as its run recorded
    assert "nowhere.json does not exist" in outcomes["broken"].reason
    assert "exit status 2" in outcomes["broken"].reason
    assert "it needs broken" in outcomes["depends"].reason
    assert not outcomes["depends"].good


@pytest.mark.parametrize("at_once", [1, 2, 3])
def test_steps_run_side_by_side_and_after_those_that_they_need(
    at_once: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    running, most, ended, lock = set[str](), [0], list[str](), threading.Lock()

    def taken(step: Step, folder: Path) -> Outcome:
        with lock:
            assert set(step.needs) <= set(ended)
            running.add(step.name)
            most.append(len(running))
        time.sleep(0.05)
        with lock:
            running.remove(step.name)
            ended.append(step.name)
        return Outcome(step, "done")

    monkeypatch.setattr("spinedet.runs.steps._taken", taken)
    needs: dict[str, tuple[str, ...]] = {"a": (), "b": ("a",), "c": ("a",), "d": (), "e": ("b", "c", "d")}
    outcomes = take_steps([Step(name, "train", (), of) for name, of in needs.items()], tmp_path, at_once)
    assert [one.step.name for one in outcomes] == list(needs)
    assert min(at_once, 2) <= max(most) <= at_once
    assert sorted(ended) == sorted(needs)


def test_a_step_starts_as_soon_as_what_it_needs_was_finished_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept/run.json").write_text(RECORD)
    both = threading.Barrier(2, timeout=20)

    def taken(step: Step, folder: Path) -> Outcome:
        both.wait()
        return Outcome(step, "done")

    monkeypatch.setattr("spinedet.runs.steps._taken", taken)
    steps = [Step("alone", "train", ()), Step("kept", "train", ()), Step("after", "train", (), ("kept",))]
    assert [one.state for one in take_steps(steps, tmp_path, 2)] == ["done", "kept", "done"]


def test_a_step_is_shown_as_it_is_typed() -> None:
    assert Step("a", "train", ("seed=1", "planes=[axial]")).shown == "python -m spinedet.train seed=1 'planes=[axial]'"


def test_every_size_plans_what_its_page_compares(tmp_path: Path) -> None:
    sources = Sources(tmp_path / "steps", tmp_path / "lumbar.json", tmp_path / "neck.json")
    for size in SIZES.values():
        plan = plan_study(size, sources, ("logger=none",), (0, 1))
        names = [step.name for step in plan.steps]
        assert names[0] == "lumbar"
        assert len(set(names)) == len(names)
        assert {*plan.trainings, *plan.kept.values()} <= set(names)
        assert len(names) == 2 * (2 + len(plan.trainings) + len(plan.kept))
        for name, training in plan.trainings.items():
            words = plan.steps[names.index(plan.of_seed(name, 1))].words
            assert {"seed=1", f"trainer.max_steps={training.steps}"} <= set(words)
            assert plan.name_of("scratch", training.patients, training.steps) in names
        for number, step in enumerate(plan.steps):
            assert set(step.needs) <= set(names[:number])
        assert f"data.train_patients={size.compared}" in plan.steps[names.index(f"full-{size.compared}")].words


def test_a_step_that_died_before_its_first_word_is_named(tmp_path: Path) -> None:
    assert _last_words(tmp_path / "none.log", -9) == "it ended before it wrote anything (exit status -9)"
