"""Drawing many studies, in processes where several may run."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from typing import TypeVar

Job = TypeVar("Job")


def draw_each(draw: Callable[[Job], None], jobs: Sequence[Job], workers: int) -> Iterator[None]:
    """Draw every study; yields once per finished one, in the order in which they finish.

    Args:
        draw: draws one study; with several workers it must be picklable.
    """
    if workers <= 1 or len(jobs) <= 1:
        for job in jobs:
            draw(job)
            yield
        return
    # A fresh interpreter per worker: forking a process that runs torch's threads can hang.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(min(workers, len(jobs)), mp_context=context) as pool:
        for future in as_completed([pool.submit(draw, job) for job in jobs]):
            future.result()
            yield
