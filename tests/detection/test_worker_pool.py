"""Worker processes give results in order, take items as they are needed, and are not started for a few tasks."""

from __future__ import annotations

import os
from collections.abc import Iterator
from operator import neg

import pytest

from spinedet.detection import worker_pool
from spinedet.detection.worker_pool import LEAST_TASKS, worker_processes

PID = "__import__('os').getpid()"


@pytest.mark.parametrize(("workers", "tasks"), [(1, 100), (4, LEAST_TASKS - 1)])
def test_a_few_tasks_are_done_here(workers: int, tasks: int) -> None:
    with worker_processes(workers, tasks, worker_pool.__name__) as ordered:
        assert list(ordered(eval, [PID])) == [os.getpid()]


def test_many_are_done_elsewhere_in_order_and_not_far_ahead() -> None:
    taken: list[int] = []

    def items() -> Iterator[int]:
        for number in range(20):
            taken.append(number)
            yield number

    with worker_processes(2, 20, worker_pool.__name__) as ordered:
        assert os.getpid() not in set(ordered(eval, [PID] * 4))
        for done, result in enumerate(ordered(neg, items()), start=1):
            assert result == -(done - 1)
            assert len(taken) <= done + 2
        with pytest.raises(ValueError, match="invalid literal"):
            list(ordered(int, ["1", "one", "2"]))
