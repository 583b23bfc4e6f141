"""Where metrics go: nowhere, a CSV file, or Weights & Biases; the only file that imports wandb."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from pytorch_lightning.loggers import Logger

    from spinedet.scoring import Scores


@dataclass
class NoLoggerConfig:
    """Metrics are shown, not kept."""

    name: str = "none"


@dataclass
class CsvLoggerConfig:
    """Metrics go to `logs/<plane>/metrics.csv` in the run's folder."""

    name: str = "csv"


@dataclass
class WandbLoggerConfig:
    """Metrics go to Weights & Biases; offline, into the run's folder, unless a key is at hand.

    Attributes:
        project, group: as W&B shows them. mode: online, offline, or auto.
    """

    name: str = "wandb"
    project: str = "spinedet"
    group: str | None = None
    mode: str = "auto"


LoggerConfig: TypeAlias = NoLoggerConfig | CsvLoggerConfig | WandbLoggerConfig
CONFIGS: dict[str, type[LoggerConfig]] = {"none": NoLoggerConfig, "csv": CsvLoggerConfig, "wandb": WandbLoggerConfig}


def make_loggers(config: LoggerConfig, folder: Path, job: str) -> list[Logger]:
    """Lightning loggers for one job (`sagittal`, say) of a run."""
    match config:
        case NoLoggerConfig():
            return []
        case CsvLoggerConfig():
            from pytorch_lightning.loggers import CSVLogger  # brings torch, which scoring does without

            return [CSVLogger(folder, name="logs", version=job)]
        case WandbLoggerConfig():
            return [_wandb(config, folder, job)]


def _wandb(config: WandbLoggerConfig, folder: Path, job: str) -> Logger:
    import wandb  # importing it costs a second that the other loggers need not pay
    from pytorch_lightning.loggers import WandbLogger

    # What W&B would gather by itself names the machine, its user and paths on it; none of that may leave.
    private = wandb.Settings(
        x_disable_meta=True,
        x_disable_stats=True,
        x_disable_machine_info=True,
        disable_git=True,
        console="off",
        silent=True,
    )
    return WandbLogger(
        name=job,
        project=config.project,
        group=config.group,
        save_dir=folder,
        offline=_offline(config),
        settings=private,
    )


def _offline(config: WandbLoggerConfig) -> bool:
    if config.mode == "auto":
        return not os.environ.get("WANDB_API_KEY")
    return config.mode == "offline"


def log_metrics(config: LoggerConfig, folder: Path, metrics: Mapping[str, float]) -> None:
    """Log a command's numbers once."""
    for logger in make_loggers(config, folder, "result"):
        logger.log_metrics(dict(metrics))
        logger.finalize("success")


def headlines(scores: Scores) -> dict[str, float]:
    """`<plane>/<centre>/<number>` -> value, undefined ones left out."""
    return {
        "/".join((*map(str, group.by.values()), name)): estimate.value
        for group in scores.groups
        for name in ("precision", "recall", "f1", "fp_per_scan", "ap", "cpm")
        if (estimate := getattr(group, name)).value is not None
    }
