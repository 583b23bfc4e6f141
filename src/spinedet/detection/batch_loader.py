"""Training batches, prefetched by worker processes where an accelerator would wait for them."""

from __future__ import annotations

import multiprocessing
import os
import signal
import warnings
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice
from typing import NamedTuple, TypeAlias

import torch

from spinedet.detection.batch import Batch
from spinedet.detection.dataset import ExampleRequest, SeveralPlanes, collate
from spinedet.training.distributed import end_with_parent, processes_here
from spinedet.training.preemption import SIGNALS, StopSignal
from spinedet.training.samplers import PlaneTurns

# With more, what they hold ready outgrows the shared memory that a container has by default.
MOST_WORKERS = 8
# Batches requested ahead for each worker: one that it makes and one that is ready.
AHEAD = 2

# The examples of one step, and a function that makes the batches of many steps.
Step: TypeAlias = Sequence[ExampleRequest]
BatchMaker: TypeAlias = Callable[[Iterator[Step]], Iterator[Batch]]


def workers_for(requested: int | None, on_gpu: bool) -> int:
    """Processes that make the batches of one training process.

    By default none on a CPU, where they would take cores from the training itself, and on a GPU this process's share of
    the cores less one.
    """
    if requested is not None:
        return requested
    share = len(os.sched_getaffinity(0)) // processes_here()
    return min(MOST_WORKERS, max(0, share - 1)) if on_gpu else 0


@dataclass(frozen=True, eq=False)
class TrainingBatches:
    """The batches of each epoch in the sampler's order: all that Lightning needs of a loader.

    A position is counted in steps taken: batches that were prefetched and not used are made anew after a resume.

    Attributes:
        pinned: whether images are put into page-locked memory.
    """

    scans: SeveralPlanes
    sampler: PlaneTurns
    batch_maker: BatchMaker
    pinned: bool = False

    def __len__(self) -> int:
        """Steps of a whole epoch."""
        return len(self.sampler) // self.sampler.share.own

    def __iter__(self) -> Iterator[Batch]:
        for batch in self.batch_maker(self._steps()):
            yield replace(batch, images=batch.images.pin_memory()) if self.pinned else batch

    def _steps(self) -> Iterator[Step]:
        draws = iter(self.sampler)
        while step := [self.scans.request(draw) for draw in islice(draws, self.sampler.share.own)]:
            yield step


@contextmanager
def batch_maker(workers: int, stop: StopSignal) -> Iterator[BatchMaker]:
    """Makes batches with worker processes ahead of their use, or with none on demand."""
    if not workers:
        yield partial(map, _batch)
        return
    # Spawned: a process that has threads or a GPU cannot be forked safely.
    with ProcessPoolExecutor(workers, multiprocessing.get_context("spawn"), _begin) as pool:
        try:
            yield Prefetcher(pool, AHEAD * workers, stop)
        finally:
            pool.shutdown(cancel_futures=True)


@dataclass(frozen=True, eq=False)
class Prefetcher:
    """Batches made by a pool, `most` of them ahead; its errors and warnings are raised here.

    Attributes:
        stop: whether the process was signalled to stop.
    """

    pool: ProcessPoolExecutor
    most: int
    stop: StopSignal

    def __call__(self, steps: Iterator[Step]) -> Iterator[Batch]:
        """Their batches, in order.

        Raises:
            InputError: an image cannot be used any more.
            BrokenProcessPool: a worker was killed, and not by a request to stop.
        """
        waiting: deque[tuple[Step, Future[_Made]]] = deque()
        for step in steps:
            waiting.append((step, self._submitted(step)))
            if len(waiting) > self.most:
                yield self._made(*waiting.popleft())
        for one in waiting:
            yield self._made(*one)

    def _submitted(self, step: Step) -> Future[_Made]:
        try:
            return self.pool.submit(_make, step)
        except BrokenProcessPool as error:  # raised in its turn: the batches before are good
            lost: Future[_Made] = Future()
            lost.set_exception(error)
            return lost

    def _made(self, step: Step, future: Future[_Made]) -> Batch:
        try:
            made = future.result()
        except BrokenProcessPool:
            if not self.stop:
                raise
            return _batch(step)  # a signal to all processes of a job ends the workers before the step is saved
        for message in made.warnings:
            warnings.warn(message, stacklevel=2)
        return made.batch


class _Made(NamedTuple):
    """A batch, and the warnings on the way."""

    batch: Batch
    warnings: tuple[str, ...]


def _begin() -> None:
    """Prepare a worker: one thread, no reaction to signals that the training process handles, end with that."""
    torch.set_num_threads(1)
    for number in {signal.SIGINT, *SIGNALS} - {signal.SIGTERM}:  # the pool ends its workers with that one
        signal.signal(number, signal.SIG_IGN)
    end_with_parent()


def _make(step: Step) -> _Made:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        batch = _batch(step)
    return _Made(batch, tuple(str(one.message) for one in caught))


def _batch(step: Step) -> Batch:
    return collate([order.example() for order in step])
