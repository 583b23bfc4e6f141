"""Requests to stop: a signal is noted at once and obeyed after the current step."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any, Protocol

# Slurm sends the first two before a time limit or a preemption (`--signal`, submitit), and SIGTERM when it is late.
SIGNALS = (signal.SIGUSR1, signal.SIGUSR2, signal.SIGTERM)


class Preempted(Exception):  # noqa: N818  # nothing went wrong
    """A training stopped because its process was signalled to stop; its state is on disk."""


class Flag(Protocol):
    """An event that several processes share, such as a `multiprocessing.Event`."""

    def is_set(self) -> bool:
        """Whether another process was signalled to stop."""


class StopSignal:
    """Whether this process, or with `flag` another one of the same run, was signalled to stop."""

    def __init__(self, flag: Flag | None = None) -> None:
        self.flag = flag
        self.signal: int | None = None
        self._before: dict[int, Any] = {}

    def __bool__(self) -> bool:
        return self.signal is not None or (self.flag is not None and self.flag.is_set())

    def listen(self) -> None:
        """Handle signals from now on, also where others have replaced the handlers."""
        if threading.current_thread() is threading.main_thread():
            for number in SIGNALS:
                before = signal.signal(number, self._note)
                self._before.setdefault(number, before)

    def restore(self) -> None:
        """Handlers as they were before `listen`."""
        while self._before:
            number, before = self._before.popitem()
            signal.signal(number, before if before is not None else signal.SIG_DFL)

    def _note(self, number: int, frame: FrameType | None) -> None:
        self.signal = number


@contextmanager
def listening_for_signals() -> Iterator[StopSignal]:
    """Note signals inside; one that stopped a training is raised again for the handler before.

    So a shell sees a process that ended by that signal, and submitit requeues its job.
    """
    stop = StopSignal()
    stop.listen()
    try:
        yield stop
    except Preempted:
        stop.restore()
        if stop.signal is not None:
            signal.raise_signal(stop.signal)
        raise
    finally:
        stop.restore()
