"""Settings that every command takes."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from typing import Any

from omegaconf import MISSING

from spinedet.core.errors import InputError


@dataclass
class CommonConfig:
    """Settings that every command takes.

    Attributes:
        out: the folder that the command fills; a new one under runs/ when null.
        seed: of everything random.
        workers: processes for reading and drawing; as many as there are cores when null.
        logger: where the command's numbers go besides its files: none, csv or wandb.
    """

    out: str | None = None
    seed: int = 0
    workers: int | None = None
    logger: Any = MISSING

    @property
    def processes(self) -> int:
        """`workers`, or one for each core that this process may use."""
        return self.workers or len(os.sched_getaffinity(0))


@dataclass
class InferenceConfig:
    """Where and how networks predict.

    Attributes:
        device: auto, cpu, cuda or cuda:N; auto takes a GPU where there is one, cpu and GPUs differ by rounding.
        batch: series of one shape that are predicted at once; 1 on a CPU and 8 on a GPU when null.
    """

    device: str = "auto"
    batch: int | None = None

    def check_inference(self) -> None:
        """Refuse a device that is written otherwise, and a batch of nothing.

        Raises:
            InputError: names the setting.
        """
        check_device(self.device)
        if self.batch is not None and self.batch < 1:
            raise InputError(f"batch={self.batch}: use 1 or more, or leave it out")


def check_device(name: str) -> None:
    """Refuse a device that is written otherwise.

    Raises:
        InputError: as said.
    """
    if not re.fullmatch(r"auto|cpu|cuda(:\d+)?", name):
        raise InputError(f"device={name}: use auto, cpu, cuda, or cuda:N for the GPU of number N")


def check_min_score(value: float, name: str) -> None:
    """Refuse a score that no finding, or every box of a detector, reaches.

    Raises:
        InputError: it is not between 0 and 1.
    """
    if not 0 <= value <= 1:
        raise InputError(f"{name}={value}: scores lie between 0 and 1; 0.01 is usual")
