"""Where metrics go: nowhere, a CSV file, or Weights & Biases; the only file that imports wandb."""

from __future__ import annotations

import json
import os
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from PIL import Image

if TYPE_CHECKING:
    from pytorch_lightning.loggers import Logger

    from spinedet.scoring import Scores

# How long a network that does not answer may hold a run up before it goes on offline, and how long at its end, when all
# is on disk and only the upload is left.
NETWORK_SECONDS, UPLOAD_SECONDS = 20.0, 120.0


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


@dataclass(frozen=True)
class Lines:
    """Curves for one panel: by name, what stands on both axes."""

    title: str
    x_name: str
    lines: Mapping[str, tuple[Sequence[float], Sequence[float]]]


@dataclass(frozen=True)
class Rows:
    """A table for one panel."""

    columns: tuple[str, ...]
    rows: Sequence[Sequence[str | float | bool]]


@dataclass(frozen=True)
class Results:
    """What a command logs to a tracker when it is done; whoever makes it keeps names of patients and files out.

    Attributes:
        facts: settings and hashes. metrics: headline numbers. pictures: PNG by name.
        model: files that rebuild the detector, by the names they get in the artifact.
        scores: all numbers of a test, for an artifact of their own.
    """

    facts: Mapping[str, Any]
    metrics: Mapping[str, float]
    lines: Mapping[str, Lines] = field(default_factory=dict)
    tables: Mapping[str, Rows] = field(default_factory=dict)
    pictures: Mapping[str, bytes] = field(default_factory=dict)
    model: Mapping[str, Path] = field(default_factory=dict)
    scores: Mapping[str, Any] = field(default_factory=dict)


@contextmanager
def open_loggers(config: LoggerConfig, folder: Path, job: str) -> Iterator[list[Logger]]:
    """Lightning loggers for one job (`sagittal`, say) of a run, closed at the end whatever happens."""
    match config:
        case NoLoggerConfig():
            yield []
        case CsvLoggerConfig():
            from pytorch_lightning.loggers import CSVLogger  # brings torch, which scoring does without

            yield [CSVLogger(folder, name="logs", version=job)]
        case WandbLoggerConfig():
            from pytorch_lightning.loggers import WandbLogger

            with _wandb_run(config, folder, job) as run:
                yield [WandbLogger(experiment=run)]


def log_results(config: LoggerConfig, folder: Path, results: Results) -> None:
    """Log what a command found, once."""
    match config:
        case NoLoggerConfig():
            return
        case CsvLoggerConfig():
            with open_loggers(config, folder, "result") as (logger,):
                logger.log_metrics(dict(results.metrics))
                logger.finalize("success")
        case WandbLoggerConfig():
            with _wandb_run(config, folder, "result") as run:
                _fill(run, results)


def log_metrics(config: LoggerConfig, folder: Path, metrics: Mapping[str, float]) -> None:
    """Log a command's numbers once."""
    log_results(config, folder, Results({}, metrics))


@contextmanager
def _wandb_run(config: WandbLoggerConfig, folder: Path, job: str) -> Iterator[Any]:
    """One W&B run, on disk when this ends.

    W&B writes from a process of its own, and `finish` returns before that is through with an offline log: a job that is
    killed, or leaves without its exit hooks, within that moment would lose its records. `teardown` waits for it.
    """
    import wandb  # importing it costs a second that the other loggers need not pay

    run = _begin(config, folder, job, _offline(config))
    try:
        yield run
    finally:
        run.finish()
        wandb.teardown()


def _begin(config: WandbLoggerConfig, folder: Path, job: str, offline: bool) -> Any:
    import wandb

    # What W&B would gather by itself names the machine, its user and paths on it; none of that may leave.
    private = wandb.Settings(
        x_disable_meta=True,
        x_disable_stats=True,
        x_disable_machine_info=True,
        disable_git=True,
        disable_code=True,
        console="off",
        silent=True,
        init_timeout=NETWORK_SECONDS,
        finish_timeout=UPLOAD_SECONDS,
    )
    group = config.group or f"run-{sha256(str(folder.absolute()).encode()).hexdigest()[:8]}"
    where: dict[str, Any] = {"project": config.project, "group": group, "dir": str(folder)}
    try:
        mode: Literal["online", "offline"] = "offline" if offline else "online"
        return wandb.init(name=job, mode=mode, reinit="create_new", settings=private, **where)
    except (wandb.errors.Error, OSError) as error:
        if offline:
            raise
        warnings.warn(f"Weights & Biases cannot be reached ({type(error).__name__}); logging offline", stacklevel=2)
        return _begin(config, folder, job, offline=True)


def _fill(run: Any, results: Results) -> None:
    import wandb

    run.config.update(dict(results.facts))
    content: dict[str, Any] = dict(results.metrics)
    for name, panel in results.lines.items():
        keys = list(panel.lines)
        across, upright = ([list(panel.lines[key][axis]) for key in keys] for axis in (0, 1))
        content[name] = wandb.plot.line_series(across, upright, keys, panel.title, panel.x_name)
    for name, table in results.tables.items():
        content[name] = wandb.Table(columns=list(table.columns), data=[list(row) for row in table.rows])
    for name, picture in results.pictures.items():
        content[name] = wandb.Image(Image.open(BytesIO(picture)))
    run.log(content)
    if results.model:
        artifact = wandb.Artifact("model", "model", metadata=dict(results.facts))
        for name, path in results.model.items():
            artifact.add_file(str(path), name)
        run.log_artifact(artifact)
    if results.scores:
        artifact = wandb.Artifact("scores", "scores", metadata=dict(results.facts))
        with artifact.new_file("scores.json", encoding="utf-8") as file:
            json.dump(results.scores, file)
        run.log_artifact(artifact)


def _offline(config: WandbLoggerConfig) -> bool:
    if config.mode == "auto":
        return not os.environ.get("WANDB_API_KEY")
    return config.mode == "offline"


def headlines(scores: Scores) -> dict[str, float]:
    """`<plane>/<centre>/<number>` -> value, undefined ones left out."""
    return {
        "/".join((*map(str, group.by.values()), name)): estimate.value
        for group in scores.groups
        for name in ("precision", "recall", "f1", "fp_per_scan", "ap", "cpm")
        if (estimate := getattr(group, name)).value is not None
    }
