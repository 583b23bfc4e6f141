"""Settings that every command takes."""

from __future__ import annotations

import os
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


def check_min_score(value: float, name: str) -> None:
    """Refuse a score that no finding, or every box of a detector, reaches.

    Raises:
        InputError: it is not between 0 and 1.
    """
    if not 0 <= value <= 1:
        raise InputError(f"{name}={value}: scores lie between 0 and 1; 0.01 is usual")
