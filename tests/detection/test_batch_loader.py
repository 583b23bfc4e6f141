"""Batches made by other processes are those that the training would have made, and so is what goes wrong."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Any

import pytest
import torch

from spinedet.core.errors import InputError
from spinedet.detection.batch import Batch
from spinedet.detection.batch_loader import Prefetcher, TrainingBatches, batch_maker, workers_for
from spinedet.detection.dataset import Augmented, SeveralPlanes, TrainingScans
from spinedet.detection.trainer import PlanePlan, train_plane
from spinedet.imaging.settings import AugmentConfig
from spinedet.training.checkpoints import newest_checkpoint
from spinedet.training.preemption import Preempted, StopSignal
from spinedet.training.samplers import PlaneTurns, Pool, Position, Share
from spinedet.training.settings import TrainerConfig
from tests.detection.conftest import MakeStudy
from tests.detection.tiny import SPEC, AfterSteps, plan, same, settings, turned


@pytest.mark.parametrize(
    ("asked", "on_gpu", "cores", "processes", "workers"),
    [
        (None, False, 16, 1, 0),
        (None, True, 16, 1, 8),
        (None, True, 16, 2, 7),
        (None, True, 16, 4, 3),
        (None, True, 2, 1, 1),
        (None, True, 1, 1, 0),
        (None, True, 3, 4, 0),
        (3, False, 2, 1, 3),
        (0, True, 16, 1, 0),
        (12, True, 16, 1, 12),
    ],
)
def test_a_gpu_has_its_share_of_the_cores_to_make_batches(
    monkeypatch: pytest.MonkeyPatch, asked: int | None, on_gpu: bool, cores: int, processes: int, workers: int
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(cores)))
    monkeypatch.setenv("LOCAL_WORLD_SIZE", str(processes))
    assert workers_for(asked, on_gpu) == workers


def test_less_than_no_workers_are_refused() -> None:
    with pytest.raises(InputError, match="loader_workers=-1 must be 0 or more"):
        TrainerConfig(loader_workers=-1)


@pytest.fixture
def made(make_study: MakeStudy, tmp_path: Path) -> PlanePlan:
    return plan([make_study(f"s{n}", seed=n) for n in range(5)], tmp_path)


@pytest.fixture(scope="module")
def ahead() -> Iterator[Prefetcher]:
    with batch_maker(1, StopSignal()) as one:
        assert isinstance(one, Prefetcher)
        yield one


def batches(made: PlanePlan, by: Callable[..., Iterator[Batch]]) -> TrainingBatches:
    """Two steps an epoch of each of two planes."""
    plans = [made, turned(made)]
    scans = [TrainingScans(p.train, p.categories, Augmented(p.spec, AugmentConfig(), 0)) for p in plans]
    return TrainingBatches(SeveralPlanes(scans), PlaneTurns([Pool(4), Pool(4)], 0, Share(2)), by)


def test_batches_made_elsewhere_are_the_same(made: PlanePlan, ahead: Prefetcher) -> None:
    there = batches(made, ahead)
    with batch_maker(0, StopSignal()) as by:
        here = batches(made, by)
    for epoch in (0, 1):
        for each in (here, there):
            each.sampler.set_epoch(epoch)
        pairs = list(zip(here, there, strict=True))
        assert len(pairs) == len(here) == len(there) == 4
        for one, other in pairs:
            assert one.plane is other.plane
            assert torch.equal(one.images, other.images)
            assert all(torch.equal(a.boxes, b.boxes) for a, b in zip(one.targets, other.targets, strict=True))
    assert {tuple(one.images.shape[2:]) for one, _ in pairs} == {SPEC.crop_shape, turned(made).spec.crop_shape}


def ears() -> list[Any]:
    return [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGUSR1, signal.SIGUSR2, signal.SIGTERM)]


def test_a_worker_has_one_thread_and_leaves_signals_to_the_training(ahead: Prefetcher) -> None:
    assert ahead.pool.submit(torch.get_num_threads).result() == 1
    assert ahead.pool.submit(ears).result() == [signal.SIG_IGN, signal.SIG_IGN, signal.SIG_IGN, signal.SIG_DFL]


def test_what_a_worker_warns_of_is_heard(made: PlanePlan, ahead: Prefetcher) -> None:
    for scan in made.train:
        scan.file.write_bytes(b"damaged")
    with pytest.warns(UserWarning, match="was damaged; it is made anew") as heard:
        assert len(list(batches(made, ahead))) == 4
    assert len(heard) == 4  # once for each scan: what was made anew is whole for the other plane


def test_what_goes_wrong_in_a_worker_is_told_as_it_is(made: PlanePlan, ahead: Prefetcher, tmp_path: Path) -> None:
    for scan in made.train:
        scan.file.unlink()
        (tmp_path / scan.study / "sag.nii.gz").unlink()
    with pytest.raises(
        InputError, match=r"^\S*sag\.nii\.gz does not exist.*resume=true: the last checkpoint is sound\)$"
    ):
        list(batches(made, ahead))


def test_a_training_with_workers_interrupted_in_mid_epoch_ends_with_the_weights_of_one_without(
    made: PlanePlan, make_study: MakeStudy, tmp_path: Path
) -> None:
    studies = [make_study(f"s{n}", seed=n) for n in range(5)]
    whole = train_plane(made, settings()).network.state_dict()
    folder = tmp_path / "broken"
    with pytest.raises(Preempted):
        train_plane(plan(studies, folder, stop=AfterSteps(1)), settings(loader_workers=2))
    start = newest_checkpoint(folder / "checkpoints")
    assert start is not None
    assert start.position == Position(0, 1)
    again = train_plane(plan(studies, folder, start=start), settings(loader_workers=1))
    assert same(again.network.state_dict(), whole)


def test_a_worker_that_dies_ends_the_training_unless_it_is_to_leave_anyway(made: PlanePlan, tmp_path: Path) -> None:
    class Asked(StopSignal):
        asked = False

        def __bool__(self) -> bool:
            return self.asked

    stop = Asked()
    with batch_maker(1, stop) as by:
        assert isinstance(by, Prefetcher)
        coming = iter(batches(made, by))
        next(coming)
        (worker,) = by.pool._processes
        os.kill(worker, signal.SIGKILL)
        stop.asked = True
        with pytest.raises(BrokenProcessPool):
            by.pool.submit(os.getpid).result()
        assert len(list(coming)) == 3
        stop.asked = False
        with pytest.raises(BrokenProcessPool):
            list(batches(made, by))
