"""Settings that every command takes."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any

from omegaconf import MISSING


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
