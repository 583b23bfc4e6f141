"""Checkpoints survive kills and full disks; the newest one that is whole is taken."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from spinedet.core.errors import InputError
from spinedet.training.checkpoints import LAST, AtomicCheckpointIO, newest_checkpoint
from spinedet.training.samplers import Position


def test_a_folder_without_checkpoints_starts_anew(tmp_path: Path) -> None:
    assert newest_checkpoint(tmp_path) is None


def test_a_checkpoint_that_runs_code_is_none(tmp_path: Path) -> None:
    torch.save({"position": {"epoch": 0, "steps": 0}, "code": Path("x")}, tmp_path / LAST)
    with pytest.raises(InputError, match="is whole"):
        newest_checkpoint(tmp_path)


def write(folder: Path, epoch: int) -> None:
    AtomicCheckpointIO().save_checkpoint({"position": {"epoch": epoch, "steps": 0}}, folder / LAST)


def test_what_a_killed_writer_left_is_swept_away(tmp_path: Path) -> None:
    write(tmp_path, 1)
    (tmp_path / ".next.ckpt.abc").write_bytes(b"half")
    assert newest_checkpoint(tmp_path) is not None
    assert sorted(file.name for file in tmp_path.iterdir()) == [LAST]


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
