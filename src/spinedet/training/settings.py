"""Settings of any training: hardware, duration, checkpoints; importable without torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from spinedet.core.errors import InputError


@dataclass
class TrainerConfig:
    """Where and how long to train; the rest of the names are Lightning's.

    Attributes:
        max_epochs: passes over the training scans; with 0 nothing is learned, with -1 a limit of time is the budget.
        max_steps: optimisation steps of each network, in the place of `max_epochs` but where that is 0; or null.
        accelerator: auto, cpu or gpu.
        num_nodes: machines that train together.
        deterministic: bit-identical weights for a seed, whatever else runs: on a CPU with one thread for each network,
            and in fp32 unless `precision` names another.
        max_time: DD:HH:MM:SS for each network, or null; each plane has one unless it is shared. Beside a budget of
            epochs or steps a safety net alone: the learning rate does not follow it, and reaching it is reported.
        devices: processes on each node, one for each GPU; auto is what torchrun or srun started, or one; -1 is all.
        precision: `auto` takes bf16 where the hardware multiplies it faster.
        validate_every: epochs between scores on the tuning split.
        checkpoint_minutes: between checkpoints within an epoch; there is one after every epoch anyway.
        loader_workers: processes that make the batches of each training process, which makes them itself with 0; null
            is 0 on a CPU, and on a GPU its share of this machine's cores less one, at most 8.
    """

    max_epochs: int = 100
    max_steps: int | None = None
    max_time: str | None = None
    accelerator: str = "auto"
    devices: Any = "auto"
    num_nodes: int = 1
    precision: str = "auto"
    validate_every: int = 10
    deterministic: bool = False
    checkpoint_minutes: float = 10.0
    loader_workers: int | None = None

    def __post_init__(self) -> None:
        if self.loader_workers is not None and self.loader_workers < 0:
            raise InputError(f"trainer.loader_workers={self.loader_workers} must be 0 or more, or null to choose")
        if self.max_steps is not None and self.max_steps < 1:
            raise InputError(f"trainer.max_steps={self.max_steps} must be at least 1, or null to count in epochs")

    @property
    def epochs(self) -> int:
        """The limit of epochs that applies; -1 is none."""
        return self.max_epochs if self.max_steps is None or not self.max_epochs else -1


# The choices of `trainer=`.
TRAINERS = {"single": TrainerConfig(), "ddp": TrainerConfig(devices=-1)}
