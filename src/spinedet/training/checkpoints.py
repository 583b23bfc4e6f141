"""Checkpoints on disk: written atomically, with the previous one kept in case the last is damaged."""

from __future__ import annotations

import io
import os
import zipfile
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from pytorch_lightning.plugins.io import TorchCheckpointIO

from spinedet.core.errors import InputError
from spinedet.core.files import write_bytes
from spinedet.training.samplers import Position

LAST, BEFORE, NEXT = "last.ckpt", "previous.ckpt", "next.ckpt"


@dataclass(frozen=True, slots=True)
class Saved:
    """The checkpoint to resume from, and newer ones that are damaged."""

    path: Path
    position: Position
    damaged: tuple[Path, ...] = ()


def newest_checkpoint(folder: Path) -> Saved | None:
    """The newest whole checkpoint of a folder; None when it holds none.

    Raises:
        InputError: it holds checkpoints and none of them is whole.
    """
    for leftover in folder.glob(f".{NEXT}.*"):  # of a process that was killed while it wrote
        leftover.unlink(missing_ok=True)
    damaged: list[Path] = []
    for path in (folder / LAST, folder / BEFORE):
        if path.exists():
            if content := _content(path):
                return Saved(path, Position(**content["position"]), tuple(damaged))
            damaged.append(path)
    if damaged:
        raise InputError(f"no checkpoint in {folder} is whole; remove the folder to train anew, or restore it")
    return None


def _content(path: Path) -> dict[str, Any] | None:
    """Content of the checkpoint, or None when it is damaged; no code in it is run."""
    try:
        with zipfile.ZipFile(path) as archive:
            if archive.testzip() is not None:  # torch writes checksums and does not verify them
                return None
        content = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
    except Exception:  # a damaged file can raise anything
        return None
    return content if isinstance(content, dict) and "position" in content else None


class AtomicCheckpointIO(TorchCheckpointIO):
    """Lightning's checkpoints as `last.ckpt`, the one before as `previous.ckpt`: a kill leaves one of them whole."""

    def save_checkpoint(self, checkpoint: dict[str, Any], path: Any, storage_options: Any = None) -> None:
        """Write to the folder of `path`, flushed to the disk before the last one is moved aside.

        Raises:
            InputError: the disk is full or has become read-only; the checkpoints before are kept.
        """
        content, folder = io.BytesIO(), Path(path).parent
        torch.save(checkpoint, content)
        try:
            write_bytes(folder / NEXT, content.getvalue())
            with suppress(FileNotFoundError):
                os.replace(folder / LAST, folder / BEFORE)
            os.replace(folder / NEXT, folder / LAST)
            _flush(folder)
        except OSError as error:
            raise InputError(
                f"no checkpoint can be written to {folder} ({error.strerror}); "
                "free the disk and go on with resume=true: the one before is kept"
            ) from None


def _flush(folder: Path) -> None:
    """Make renames in a folder last through a power cut."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
