"""Lightning's trainer as every training uses it, in one place."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
from lightning_fabric.plugins.environments.lightning import LightningEnvironment
from pytorch_lightning.callbacks import Callback
from pytorch_lightning.loggers import Logger

from spinedet.training.callbacks import TrainingProgress
from spinedet.training.checkpoints import AtomicCheckpointIO, Saved
from spinedet.training.determinism import one_thread
from spinedet.training.precision import precision_for
from spinedet.training.preemption import StopSignal
from spinedet.training.schedule import seconds
from spinedet.training.settings import TrainerConfig

# The sampler resumes, so that the loader need not; a single task under Slurm is meant.
_ADVICE = ("does not have many workers", "number of training batches", "LeafSpec", "log_every_n", "resumable", "srun")


@dataclass(frozen=True, kw_only=True)
class TrainingJob:
    """What every training of one network needs beside its data.

    Attributes:
        folder: for checkpoints. start: the checkpoint to resume from. stop: whether the process was signalled to stop.
        on_progress: called about twice a second.
    """

    folder: Path
    seed: int = 0
    start: Saved | None = None
    stop: StopSignal = field(default_factory=StopSignal)
    loggers: Sequence[Logger] = ()
    on_progress: Callable[[TrainingProgress], None] = lambda progress: None


def trainer_for(
    job: TrainingJob, config: TrainerConfig, clip: float, callbacks: Sequence[Callback], **more: Any
) -> pl.Trainer:
    """A trainer of one process that writes atomic checkpoints.

    Args:
        clip: the largest norm of a gradient. more: arguments of Lightning's trainer, before those set here.
    """
    standard: dict[str, Any] = {
        "devices": 1,
        "plugins": [LightningEnvironment(), AtomicCheckpointIO()],
        "max_epochs": config.epochs,
        "max_steps": config.max_steps or -1,
        "max_time": seconds(config.max_time),
        "accelerator": config.accelerator,
        "precision": precision_for(config),
        "gradient_clip_val": clip,
        "deterministic": config.deterministic,
        "callbacks": list(callbacks),
        "logger": list(job.loggers) or False,
        "default_root_dir": job.folder,
        "enable_progress_bar": False,
        "enable_checkpointing": True,
        "enable_model_summary": False,
        "num_sanity_val_steps": 0,
        "use_distributed_sampler": False,
        "log_every_n_steps": 10,
    }
    return pl.Trainer(**standard | more)


def threads_for(trainer: pl.Trainer, config: TrainerConfig) -> AbstractContextManager[None]:
    """One thread where the same weights are wanted again from a CPU."""
    on_gpu = trainer.strategy.root_device.type == "cuda"
    return one_thread() if config.deterministic and not on_gpu else nullcontext()


def silence_advice(*more: str) -> None:
    """Hide Lightning's advice on cores and loggers; our own warnings stay.

    Args:
        more: parts of further messages to hide, as regular expressions.
    """
    logging.getLogger("pytorch_lightning").setLevel(logging.WARNING)
    for text in (*_ADVICE, *more):
        warnings.filterwarnings("ignore", f"(?s).*{text}.*")
