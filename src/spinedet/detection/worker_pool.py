"""Worker processes that prepare ahead of the network and write behind it, results in order, memory bounded."""

from __future__ import annotations

import multiprocessing
import signal
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import contextmanager
from functools import partial
from typing import Any, TypeAlias

from spinedet.training.distributed import end_with_parent

# Fewer tasks are done sooner by this process itself: each pool takes seconds to start.
LEAST_TASKS = 16

# Like `map` with one iterable: gives results in the order of the items, which are taken only as they are needed.
OrderedMap: TypeAlias = Callable[[Callable[[Any], Any], Iterable[Any]], Iterator[Any]]


@contextmanager
def worker_processes(workers: int, tasks: int, module: str) -> Iterator[OrderedMap]:
    """A `map` whose function runs in worker processes; in this one, when it is needed, where tasks are few.

    Never more than `workers + 1` items of one `map` are under way or wait to be used.

    Args:
        workers: processes. tasks: about how many items there will be.
        module: that holds the functions, imported once for all processes.
    """
    if workers < 2 or tasks < LEAST_TASKS:
        yield map
        return
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([module])
    with ProcessPoolExecutor(min(workers, tasks), context, _start) as pool:
        try:
            yield partial(_in_order, pool, workers + 1)
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _start() -> None:
    """Ctrl-C is for the process that owns the pool; when that is killed, the worker ends too."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    end_with_parent()


def _in_order(
    pool: ProcessPoolExecutor, most: int, function: Callable[[Any], Any], items: Iterable[Any]
) -> Iterator[Any]:
    waiting: deque[Future[Any]] = deque()
    for item in items:
        waiting.append(pool.submit(function, item))
        while waiting and (len(waiting) >= most or waiting[0].done()):
            yield waiting.popleft().result()
    while waiting:
        yield waiting.popleft().result()
