"""What every command shares: Hydra underneath, one clear message on wrong input, the exit status of the contract."""

from __future__ import annotations

import errno
import json
import os
import shutil
import sys
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures.process import BrokenProcessPool
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from enum import IntEnum
from pathlib import Path
from tempfile import TemporaryDirectory, gettempdir
from typing import Any, TypeVar

import hydra
from hydra.core.config_store import ConfigStore
from hydra.core.hydra_config import HydraConfig
from omegaconf import MISSING, DictConfig, OmegaConf
from omegaconf.errors import MissingMandatoryValue, OmegaConfBaseException
from rich.console import Console

from spinedet.cli import tracking
from spinedet.core.errors import InputError
from spinedet.core.files import claim_folder, write_json
from spinedet.training.preemption import Preempted

console = Console(stderr=True, highlight=False, soft_wrap=True)
# Tables are results: they go to standard output, messages and progress to standard error.
results = Console(highlight=False, soft_wrap=True)

# Of tables of long sentences where there is no terminal.
_PIPE_WIDTH = 160

Settings = TypeVar("Settings")

# A disk that cannot take more: full, over its quota, or become read-only.
_DISK_FAULTS = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)

# What `_scratch` is in a job that a launcher sent elsewhere, where Hydra puts nothing.
OmegaConf.register_new_resolver("scratch", gettempdir, replace=True)


class Status(IntEnum):
    """Exit statuses of every command."""

    DONE = 0
    FAILED = 1
    WRONG_INPUT = 2
    SKIPPED = 3


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


@dataclass(frozen=True)
class Skipped:
    """Studies that could not be used, with the reason for each."""

    reasons: dict[str, str] = field(default_factory=dict)

    def report(self, folder: Path) -> Status:
        """List them in `skipped.json` and on the console; the status says whether there were any."""
        if not self.reasons:
            return Status.DONE
        write_json(folder / "skipped.json", [{"study": s, "reason": r} for s, r in self.reasons.items()])
        for study, reason in self.reasons.items():
            console.print(f"[yellow]skipped[/] {_escaped(study)}: {_escaped(reason)}")
        return Status.SKIPPED


def wide(to: Console) -> Console:
    """A console for tables of long sentences: as wide as the terminal, or 160 columns where there is none."""
    return Console(file=to.file, width=to.width if to.is_terminal else _PIPE_WIDTH, highlight=False)


def conf_folder() -> Path:
    """The composed configs: inside an installed package, or beside `src` in a checkout."""
    shipped = Path(__file__).parents[1] / "conf"
    return shipped if shipped.is_dir() else Path(__file__).parents[3] / "conf"


def register(schema: type, name: str, groups: Mapping[str, Mapping[str, Any]] | None = None) -> None:
    """Make a command's typed config, and the choices of its config groups, known to Hydra."""
    store = ConfigStore.instance()
    store.store(name=f"{name}_schema", node=schema)
    for group, choices in {"logger": tracking.CONFIGS, **(groups or {})}.items():
        for choice, node in choices.items():
            store.store(group=group, name=choice, node=node)


@dataclass(frozen=True)
class SweepJob:
    """One job of a multirun: its overrides, its folder, and how it ended and why."""

    words: tuple[str, ...]
    folder: Path
    status: Status
    reason: str = ""

    @property
    def record(self) -> dict[str, Any]:
        """For a file."""
        return {"words": self.words, "folder": str(self.folder), "status": self.status, "reason": self.reason}

    @classmethod
    def parse(cls, record: Mapping[str, Any]) -> SweepJob:
        """The job of a record."""
        return cls(tuple(record["words"]), Path(record["folder"]), Status(record["status"]), record["reason"])


def run_command(
    name: str, function: Callable[[Any], Status], collect: Callable[[Path, Sequence[SweepJob]], None] | None = None
) -> None:
    """Run `function` on the composed and checked config, once or for each job of a multirun, then exit.

    One job of a sweep that fails leaves the others their results; the exit status is the worst of all.

    Args:
        name: of the command. function: does one job.
        collect: is told the folder of a multirun and its jobs when all are over.
    """
    statuses: list[Status] = []
    jobs: list[SweepJob] = []
    sweep = Path("runs") / name / _now()
    ledger = Path("runs/slurm").absolute() / f"ended-{sweep.name}"

    # A launcher may send this, with copies of the variables around it, to another machine.
    def job(config: DictConfig) -> int:
        nonlocal sweep
        if (number := _job_number()) is not None:
            said: Any = OmegaConf.to_container(config, resolve=False)
            shared = "${" not in str(said["out"])
            if not jobs:
                sweep = Path(config.out or sweep) if shared else Path(config.out).parent
            config.out = str(sweep / f"job-{number}") if shared else config.out
        status, reason = _guarded(function, config)
        statuses.append(status)
        if number is not None:
            ended = SweepJob(tuple(HydraConfig.get().overrides.task), Path(config.out), status, reason)
            jobs.append(ended)
            if "SUBMITIT_EXECUTOR" in os.environ:
                ledger.mkdir(parents=True, exist_ok=True)
                write_json(ledger / f"{number}.json", ended.record)
        return int(status)

    try:
        with _scratch():
            hydra.main(version_base="1.3", config_path=str(conf_folder()), config_name=name)(job)()
    except SystemExit as stop:
        # Hydra exits with 1 when it cannot compose the config; argparse exits with 2 by itself.
        if not _died_elsewhere(stop):
            sys.exit(Status.WRONG_INPUT if stop.code and not statuses else stop.code)
        _told("a job that was sent to other machines died or never began; its log lies in runs/slurm")
        statuses.append(Status.FAILED)
    if elsewhere := _read(ledger):
        jobs, sweep = elsewhere, elsewhere[0].folder.parent
        statuses += [job.status for job in jobs]
    if jobs and collect:
        collect(sweep, jobs)
    sys.exit(_worst(statuses))


@contextmanager
def _scratch() -> Iterator[None]:
    """`${scratch:}` in the configs: where Hydra puts its own copy of a sweep's config, gone when all is over."""
    with ExitStack() as folders:

        def folder() -> str:
            return folders.enter_context(TemporaryDirectory(prefix="spinedet-"))

        OmegaConf.register_new_resolver("scratch", folder, replace=True)
        yield


def _read(ledger: Path) -> list[SweepJob]:
    """How jobs on other machines ended, in the sweep's order; what they wrote down is removed."""
    files = sorted(ledger.glob("*.json"), key=lambda file: int(file.stem))
    jobs = [SweepJob.parse(json.loads(file.read_text())) for file in files]
    shutil.rmtree(ledger, ignore_errors=True)
    return jobs


def _died_elsewhere(stop: SystemExit) -> bool:
    """Whether Hydra gave up because of a job that a launcher had sent away, and not because of the config."""
    from submitit.core.utils import FailedSubmissionError, UncompletedJobError  # only a sweep needs it

    return isinstance(stop.__context__, FailedSubmissionError | UncompletedJobError)


def _job_number() -> int | None:
    """Of this job within a multirun; None outside of one."""
    job = OmegaConf.create({"job": HydraConfig.get().job})
    return OmegaConf.select(job, "job.num", throw_on_missing=False)


def _guarded(function: Callable[[Any], Status], config: DictConfig) -> tuple[Status, str]:
    """How it ended, and why when it did not end well."""
    try:
        return function(_settings(config)), ""
    except (Exception, KeyboardInterrupt) as error:
        return _ended(error)


def _ended(error: BaseException) -> tuple[Status, str]:
    """What the user is told, in one sentence where the cause is known."""
    match error:
        case InputError():
            return Status.WRONG_INPUT, _told(str(error))
        case OSError() if error.errno in _DISK_FAULTS:
            what = f"{error.filename or 'a file'} cannot be written ({error.strerror}); free the disk"
            return Status.WRONG_INPUT, _told(f"{what}, then go on with resume=true: what was finished is kept")
        case BrokenProcessPool():
            what = "a process that this one works with died (it was killed, out of memory, or says why)"
            return Status.FAILED, _told(f"{what}; go on with resume=true, on fewer workers= if memory was short")
        case Preempted():
            console.print("[yellow]asked to leave[/]; the training is saved, go on with resume=true")
            return Status.FAILED, "asked to leave"
        case KeyboardInterrupt():
            console.print("[yellow]interrupted[/]; what was finished is kept")
            return Status.FAILED, "interrupted"
    console.print(_escaped(traceback.format_exc()))
    return Status.FAILED, f"{type(error).__name__}: {error}"


def _told(message: str) -> str:
    console.print(f"[bold red]error:[/] {_escaped(message)}")
    return message


def _settings(config: DictConfig) -> Any:
    try:
        return OmegaConf.to_object(config)
    except MissingMandatoryValue as error:
        raise InputError(f"{error.full_key}= is needed; pass it on the command line (see --help)") from None
    except (OmegaConfBaseException, ValueError) as error:
        raise InputError(f"the config cannot be used: {str(error).splitlines()[0]}") from None


def _worst(statuses: list[Status]) -> Status:
    severity = [Status.DONE, Status.SKIPPED, Status.WRONG_INPUT, Status.FAILED]
    return max(statuses, key=severity.index, default=Status.DONE)


def _escaped(text: str) -> str:
    return text.replace("[", r"\[")


def output_folder(config: CommonConfig, command: str) -> Path:
    """`out`, or a new folder under runs/; claimed by nobody yet."""
    return Path(config.out) if config.out else Path("runs") / command / _moment()


def requeued() -> bool:
    """Whether Slurm has started this job again: what it has done lies in its folder."""
    return int(os.environ.get("SLURM_RESTART_COUNT", 0)) > 0


def claim_output(config: CommonConfig, command: str, free_bytes: int = 16 << 20) -> Path:
    """Make the output folder this command's own and say where it is.

    Raises:
        InputError: the folder holds another run, cannot be written, or its disk is nearly full.
    """
    folder = output_folder(config, command)
    claim_folder(folder, free_bytes)
    console.print(f"writing to [bold]{_escaped(str(folder))}[/]")
    return folder


def _moment() -> str:
    number = _job_number()
    return _now() if number is None else f"{_now()}-{number}"


def _now() -> str:
    # A job that Slurm starts again has to find what it has done.
    slurm = os.environ.get("SLURM_JOB_ID")
    return f"slurm-{slurm}" if slurm else f"{datetime.now():%Y%m%d-%H%M%S-%f}"
