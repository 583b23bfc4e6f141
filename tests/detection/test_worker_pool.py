"""Worker processes give results in order, take items as they are needed, and are not started for a few tasks."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from concurrent.futures.process import BrokenProcessPool
from operator import length_hint, neg

import pytest
import torch
from torch import Tensor, nn

from spinedet.detection import worker_pool
from spinedet.detection.worker_pool import LEAST_TASKS, worker_processes

MODULE = worker_pool.__name__
PID, THREADS = "__import__('os').getpid()", "__import__('torch').get_num_threads()"
# Each ends the process that it is evaluated in.
DEATH = "__import__('os')._exit(9)"


@pytest.mark.parametrize(("workers", "tasks"), [(1, 100), (4, LEAST_TASKS - 1)])
def test_a_few_tasks_are_done_here(workers: int, tasks: int) -> None:
    with worker_processes(workers, tasks, MODULE, (eval,)) as (evaluated,):
        assert list(evaluated([PID])) == [os.getpid()]


@pytest.mark.parametrize(("ahead", "most"), [(0, 2), (3, 5), (None, 8)])
def test_many_are_done_elsewhere_in_order_and_not_far_ahead(ahead: int | None, most: int) -> None:
    taken: list[int] = []

    def items() -> Iterator[int]:
        for number in range(20):
            taken.append(number)
            yield number

    with worker_processes(2, 20, MODULE, (eval, neg, int), ahead) as (evaluated, negated, read):
        assert os.getpid() not in set(evaluated([PID] * 4))
        assert list(evaluated([THREADS])) == [1]
        for done, result in enumerate(negated(items()), start=1):
            assert result == -(done - 1)
            assert len(taken) < done + most
        with pytest.raises(ValueError, match="invalid literal"):
            list(read(["1", "one", "2"]))


def test_each_result_that_is_used_makes_room_for_a_new_item() -> None:
    """Though all that are under way may be done, the workers get new work before one of them is used."""
    items = iter([0.1] * 20)
    with worker_processes(2, 20, MODULE, (time.sleep,), ahead=2) as (slept,):
        results = slept(items)
        next(results)
        for left in range(length_hint(items) - 1, 9, -1):
            time.sleep(0.3)
            next(results)
            assert length_hint(items) == left


def test_a_worker_that_dies_is_no_result() -> None:
    with pytest.raises(BrokenProcessPool), worker_processes(2, 20, MODULE, (eval,)) as (evaluated,):
        list(evaluated([PID, DEATH, PID]))


def test_a_function_that_holds_a_network_gives_the_same_bits_elsewhere() -> None:
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv3d(1, 4, 3), nn.Flatten()).eval().requires_grad_(False)
    images = [torch.rand(1, 1, 5, 6, 7) for _ in range(4)]
    with worker_processes(2, 20, MODULE, (network,)) as (predicted,):
        found: list[Tensor] = list(predicted(images))
    with torch.inference_mode():
        assert all(torch.equal(network(image), one) for image, one in zip(images, found, strict=True))
