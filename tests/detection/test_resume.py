"""An interrupted training goes on as if nothing had happened, from the newest checkpoint that is whole."""

from __future__ import annotations

import io
import signal
import zlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from spinedet.core.errors import InputError
from spinedet.detection.trainer import train_plane
from spinedet.training.checkpoints import BEFORE, LAST, AtomicCheckpointIO, newest_checkpoint
from spinedet.training.preemption import Preempted, StopSignal, listening_for_signals
from spinedet.training.samplers import Position

from .conftest import MakeStudy
from .tiny import plan, settings

Weights = dict[str, torch.Tensor]


class AfterSteps(StopSignal):
    """Asks to leave when it has been looked at so many times: Lightning looks after each of the steps and epochs."""

    def __init__(self, looks: int) -> None:
        super().__init__()
        self.looks = looks

    def __bool__(self) -> bool:
        self.looks -= 1
        return self.looks <= 0


@pytest.fixture
def studies(make_study: MakeStudy) -> list[Any]:
    return [make_study(f"s{n}", seed=n) for n in range(5)]


def same(one: Weights, two: Weights) -> bool:
    return one.keys() == two.keys() and all(torch.equal(one[name], two[name]) for name in one)


def test_a_training_interrupted_at_any_step_ends_with_the_same_weights(studies: list[Any], tmp_path: Path) -> None:
    whole = train_plane(plan(studies, tmp_path / "whole"), settings()).network.state_dict()
    folder, stops, left = tmp_path / "broken", [], True
    while left:
        start = newest_checkpoint(folder / "checkpoints")
        stops += [start.position] if start else []
        try:
            # Three looks an epoch's two steps and its end: the first of the epoch, and the end, in turn.
            done = train_plane(plan(studies, folder, start=start, stop=AfterSteps(1)), settings())
            left = False
        except Preempted:
            assert len(stops) < 10
    assert stops == [Position(0, 1), Position(1), Position(1, 1), Position(2), Position(2, 1), Position(3)]
    assert same(done.network.state_dict(), whole)


def test_a_damaged_checkpoint_falls_back_to_the_one_before(studies: list[Any], tmp_path: Path) -> None:
    whole = train_plane(plan(studies, tmp_path / "run"), settings()).network.state_dict()
    folder = tmp_path / "run/checkpoints"
    last = folder / LAST
    content = bytearray(last.read_bytes())
    content[len(content) // 2] ^= 1  # one bit of one weight
    last.write_bytes(content)
    start = newest_checkpoint(folder)
    assert start is not None
    assert (start.path.name, start.position, start.damaged) == (BEFORE, Position(2), (last,))
    again = train_plane(plan(studies, tmp_path / "run", start=start), settings()).network.state_dict()
    assert same(again, whole)
    for path in (last, folder / BEFORE):
        path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(InputError, match=r"no checkpoint in .* is whole"):
        newest_checkpoint(folder)


def test_a_folder_without_checkpoints_starts_anew(tmp_path: Path) -> None:
    assert newest_checkpoint(tmp_path) is None


def test_a_checkpoint_that_runs_code_is_none(tmp_path: Path) -> None:
    torch.save({"position": {"epoch": 0, "steps": 0}, "code": Path("x")}, tmp_path / LAST)
    with pytest.raises(InputError, match="is whole"):
        newest_checkpoint(tmp_path)


def test_what_a_killed_writer_left_is_swept_away(tmp_path: Path) -> None:
    write(tmp_path, 1)
    (tmp_path / ".next.ckpt.abc").write_bytes(b"half")
    assert newest_checkpoint(tmp_path) is not None
    assert sorted(file.name for file in tmp_path.iterdir()) == [LAST]


def write(folder: Path, epoch: int) -> None:
    AtomicCheckpointIO().save_checkpoint({"position": {"epoch": epoch, "steps": 0}}, folder / LAST)


def test_the_checkpoint_before_is_kept(tmp_path: Path) -> None:
    for epoch in (1, 2, 3):
        write(tmp_path, epoch)
    (tmp_path / LAST).unlink()  # a kill between the two renames
    start = newest_checkpoint(tmp_path)
    assert start is not None
    assert start.position == Position(2)


def test_a_disk_that_refuses_says_so_and_keeps_what_is_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, 1)

    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("spinedet.training.checkpoints.write_bytes", full)
    with pytest.raises(InputError, match=r"No space left on device.*resume=true"):
        write(tmp_path, 2)
    assert newest_checkpoint(tmp_path) is not None


def test_a_loss_that_is_no_number_names_its_batch(studies: list[Any], tmp_path: Path) -> None:
    training = plan(studies, tmp_path)
    spoilt = training.train[1]
    content = io.BytesIO()
    np.save(content, np.full_like(np.load(spoilt.file), np.nan))
    spoilt.file.write_bytes(content.getvalue())
    scans = [replace(spoilt, checksum=zlib.crc32(content.getvalue())) if s is spoilt else s for s in training.train]
    with pytest.raises(InputError, match="s1/sag"):
        train_plane(replace(training, train=scans), settings())


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
