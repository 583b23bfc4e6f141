"""Worker processes that do whole studies, or prepare for the network and write behind it, with results in order."""

from __future__ import annotations

import multiprocessing
import pickle
import signal
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import contextmanager
from functools import partial
from typing import Any, TypeAlias

import torch

from spinedet.training.distributed import end_with_parent

# Fewer tasks are done sooner by this process itself: each pool takes seconds to start.
LEAST_TASKS = 16

# Like `map` of one function: gives results in the order of the items, which are taken only as they are needed.
OrderedMap: TypeAlias = Callable[[Iterable[Any]], Iterator[Any]]

# In a worker: what it was started to do.
_functions: tuple[Callable[[Any], Any], ...] = ()


@contextmanager
def worker_processes(
    workers: int, tasks: int, module: str, functions: tuple[Callable[[Any], Any], ...], ahead: int | None = None
) -> Iterator[tuple[OrderedMap, ...]]:
    """A `map` of each function that works in worker processes; in this one, when it is needed, where tasks are few.

    A worker gets the functions once, with all that they hold, such as a network, and has one thread.

    Args:
        workers: processes. tasks: about how many items there will be.
        module: that holds the functions, imported once for all processes.
        ahead: never more than `workers + ahead` items of one `map` are under way or wait to be used. So many that no
            worker waits for an item that takes several times as long as others when None; fewer, where results are
            large.
    """
    if workers < 2 or tasks < LEAST_TASKS:
        yield tuple(partial(map, function) for function in functions)
        return
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([module])
    # Packed here: multiprocessing's own way moves tensors to shared memory, of which a container has next to none.
    packed = pickle.dumps(functions)
    most = workers + (3 * workers if ahead is None else ahead)
    with ProcessPoolExecutor(min(workers, tasks), context, _start, (packed,)) as pool:
        try:
            yield tuple(partial(_in_order, pool, most, number) for number in range(len(functions)))
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _start(packed: bytes) -> None:
    """Ctrl-C is for the process that owns the pool; when that is killed, the worker ends too."""
    global _functions
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    end_with_parent()
    torch.set_num_threads(1)
    _functions = pickle.loads(packed)  # noqa: S301  # written by this command's own process


def _call(number: int, item: Any) -> Any:
    return _functions[number](item)


def _in_order(pool: ProcessPoolExecutor, most: int, number: int, items: Iterable[Any]) -> Iterator[Any]:
    """At most one result for each new item until there are no more: workers never run dry while others are used."""
    waiting: deque[Future[Any]] = deque()
    for item in items:
        waiting.append(pool.submit(_call, number, item))
        if len(waiting) >= most or waiting[0].done():
            yield waiting.popleft().result()
    while waiting:
        yield waiting.popleft().result()
