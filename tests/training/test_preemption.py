"""A signal ends a training in order."""

from __future__ import annotations

import signal

import pytest

from spinedet.training.preemption import Preempted, listening_for_signals


def leave_on_a_signal(heard: list[int]) -> None:
    with listening_for_signals() as stop:
        assert not stop
        signal.raise_signal(signal.SIGUSR1)
        assert stop
        assert heard == []
        raise Preempted


def test_a_signal_is_heeded_then_handed_on() -> None:
    heard: list[int] = []
    before = signal.signal(signal.SIGUSR1, lambda number, _: heard.append(number))
    try:
        with pytest.raises(Preempted):
            leave_on_a_signal(heard)
        assert heard == [signal.SIGUSR1]
    finally:
        signal.signal(signal.SIGUSR1, before)
