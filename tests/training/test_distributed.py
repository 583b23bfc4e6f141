"""Two processes train as one does: the same losses on the same scans, and every tuning scan scored once."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from spinedet.core.errors import InputError
from spinedet.core.types import Study
from spinedet.detection import trainer
from spinedet.detection.settings import RecipeConfig
from spinedet.training.samplers import EpochSampler, PlaneTurns, Pool, Position, Share, generator
from tests.detection.conftest import MakeStudy

ROOT = Path(__file__).parents[2]


def train_on(processes: int, studies: Path, folder: Path) -> dict[str, Any]:
    """What the first of so many processes tells; started as torchrun starts them."""
    words = [sys.executable, "-m", "tests.detection.one_process", str(studies), str(folder)]
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    meeting = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "TORCHELASTIC_RUN_ID": "test", "GROUP_RANK": "0"}
    sizes = {"WORLD_SIZE": str(processes), "LOCAL_WORLD_SIZE": str(processes)}
    team = [
        {**meeting, **sizes, "RANK": str(rank), "LOCAL_RANK": str(rank)} if processes > 1 else {}
        for rank in range(processes)
    ]
    started = [
        subprocess.Popen(words, cwd=ROOT, env={**os.environ, **who, "OMP_NUM_THREADS": "1"}, stdout=subprocess.PIPE)
        for who in team
    ]
    told = [process.communicate(timeout=900)[0] for process in started]
    assert [process.returncode for process in started] == [0] * processes
    found: dict[str, Any] = json.loads(told[0].splitlines()[-1])
    return found


def graded(study: Study, attributes: dict[str, Any]) -> Study:
    """The study with these attributes of its lesions: some processes know a grade where others know none."""
    lesions = tuple(lesion.model_copy(update={"attributes": attributes}) for lesion in study.lesions)
    return study.model_copy(update={"lesions": lesions})


def test_two_processes_train_as_one(make_study: MakeStudy, tmp_path: Path) -> None:
    studies = tmp_path / "studies"
    made = [graded(make_study(f"s{n}", seed=n), {"severity": n} if n < 3 else {}) for n in range(7)]
    studies.write_text("\n".join(study.model_dump_json() for study in made))
    told = [train_on(processes, studies, tmp_path / str(processes)) for processes in (1, 2)]
    for kind, planes in {"alone": 1, "shared": 2}.items():
        one, two = (each[kind] for each in told)
        assert len(one["losses"]) == 4 * 2 * planes  # four epochs over four scans of each plane, two at a step
        assert two["losses"] == pytest.approx(one["losses"], rel=1e-5)
        assert two["weights"] == pytest.approx(one["weights"], rel=1e-5)
        # Three tuning scans of each plane on two processes: none is scored twice, and they keep their order.
        assert [len(each) for each in two["scored"]] == [3, 3] * planes
        assert two["scored"][0] == pytest.approx(one["scored"][0], rel=1e-4)


@pytest.mark.parametrize(
    ("batch", "processes", "scans"), [(None, 1, 2), (None, 2, 2), (None, 3, 3), (None, 8, 8), (4, 1, 4), (4, 8, 4)]
)
def test_a_step_takes_what_is_asked_or_a_scan_for_every_process(batch: int | None, processes: int, scans: int) -> None:
    assert RecipeConfig(batch=batch).scans_a_step(processes) == scans


@pytest.mark.parametrize(("batch", "trained_on", "own"), [(None, 4, 1), (8, 8, 2), (8, 100, 2)])
def test_four_processes_share_a_step(
    monkeypatch: pytest.MonkeyPatch, batch: int | None, trained_on: int, own: int
) -> None:
    monkeypatch.setattr(trainer, "world_size", lambda: 4)
    monkeypatch.setattr(trainer, "rank", lambda: 3)
    plan = SimpleNamespace(pool=Pool(trained_on))
    assert trainer.batch_share_for(plan, RecipeConfig(batch=batch)) == Share(4 * own, 3, 4)


@pytest.mark.parametrize(("batch", "trained_on"), [(None, 3), (2, 100), (6, 100)])
def test_scans_that_four_processes_cannot_share_evenly_are_refused(
    monkeypatch: pytest.MonkeyPatch, batch: int | None, trained_on: int
) -> None:
    monkeypatch.setattr(trainer, "world_size", lambda: 4)
    with pytest.raises(InputError, match="cannot be shared evenly among 4 processes"):
        trainer.batch_share_for(SimpleNamespace(pool=Pool(trained_on)), RecipeConfig(batch=batch))


def test_no_scans_a_step_are_refused() -> None:
    with pytest.raises(InputError, match="batch=0 must be at least 1"):
        RecipeConfig(batch=0)


def test_processes_share_the_scans_of_each_step() -> None:
    whole = list(EpochSampler(11, 3, Share(4)))
    assert len(whole) == len(EpochSampler(11, 3, Share(4))) == 8  # two full batches; three scans wait
    first, second = (list(EpochSampler(11, 3, Share(4, rank, 2))) for rank in range(2))
    assert [*first[:2], *second[:2], *first[2:], *second[2:]] == whole


def test_planes_take_turns_in_proportion_to_their_scans() -> None:
    # Four steps of the first, two of the second.
    draws = [draw.index for draw in PlaneTurns([Pool(9), Pool(4)], 3, Share(2))]
    steps = [set(draws[step : step + 2]) for step in range(0, 12, 2)]
    planes = [["first" if index < 9 else "second" for index in step] for step in steps]
    assert planes == [[plane] * 2 for plane in ("first", "second", "first", "first", "second", "first")]
    assert len(set(draws)) == 12
    assert {9, 10, 11, 12} <= set(draws)


def test_one_plane_has_every_turn() -> None:
    assert list(PlaneTurns([Pool(11)], 3, Share(4))) == list(EpochSampler(11, 3, Share(4)))


def test_scans_are_drawn_as_often_as_they_weigh() -> None:
    weights = (1.0,) * 6 + (0.25,) * 8 + (2.0,) * 2
    pool = Pool(16, weights)
    assert pool.draws == 12
    counts = np.zeros(16)
    for epoch in range(400):
        sampler = PlaneTurns([pool], 3, Share(4))
        sampler.set_epoch(epoch)
        each = np.bincount([draw.index for draw in sampler], minlength=16)
        assert each.sum() == 12
        assert (each >= np.floor(weights)).all()
        assert (each <= np.ceil(weights)).all()
        counts += each
    np.testing.assert_allclose(counts / 400, weights, atol=0.07)


def test_equal_weights_draw_every_scan_once() -> None:
    assert sorted(Pool(11, (1.0,) * 11).order(generator(3, 0))) == list(range(11))


def test_a_resumed_epoch_goes_on_where_it_was() -> None:
    sampler = EpochSampler(11, 3, Share(4), Position(5, 1))
    whole = EpochSampler(11, 3, Share(4))
    whole.set_epoch(5)
    assert list(sampler) == list(whole)[4:]
    assert len(sampler) == len(whole)
    for each in (sampler, whole):
        each.set_epoch(6)
    assert list(sampler) == list(whole)
