"""What every command shares: Hydra underneath, one clear message on wrong input, the exit status of the contract."""

from __future__ import annotations

import errno
import gc
import math
import os
import sys
import traceback
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures.process import BrokenProcessPool
from contextlib import ExitStack, contextmanager
from importlib import import_module
from pathlib import Path
from pkgutil import resolve_name
from tempfile import TemporaryDirectory, gettempdir
from typing import Any

import hydra
from hydra.core.config_store import ConfigStore
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import MissingMandatoryValue, OmegaConfBaseException

from spinedet.cli import tracking
from spinedet.cli.console import console, show_labelled
from spinedet.cli.exit_status import Status, worst
from spinedet.cli.help import help_page
from spinedet.cli.output_folder import timestamp
from spinedet.cli.overrides import read_words
from spinedet.cli.sweep_jobs import SweepJob, died_elsewhere, job_number, read_ledger
from spinedet.core.errors import InputError
from spinedet.core.files import write_json
from spinedet.training.preemption import Preempted

# A disk that cannot take more: full, over its quota, or become read-only.
_DISK_FAULTS = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)

# How to go on after a stop, for commands that have `resume=` and for the others.
_RESUME = "continue with resume=true"
_AGAIN = "give the same command again, with another out= if it refuses the folder"

# Config groups of the command that was registered last.
_GROUPS: set[str] = set()

# What `_scratch` is in a job that a launcher sent elsewhere, where Hydra puts nothing.
OmegaConf.register_new_resolver("scratch", gettempdir, replace=True)


def conf_folder(command: str = "") -> Path:
    """The folder of a command's config: inside an installed package, or beside `src` in a checkout.

    The config of `radiograph.check` is `radiograph/check.yaml`, so that its groups are its own.
    """
    shipped = Path(__file__).parents[1] / "conf"
    root = shipped if shipped.is_dir() else Path(__file__).parents[3] / "conf"
    return root.joinpath(*command.split(".")[:-1])


# What the commands of a folder share with all others: `hydra.searchpath` of their configs.
OmegaConf.register_new_resolver("conf", lambda: str(conf_folder()), replace=True)


def register(schema: type, name: str, groups: Mapping[str, Mapping[str, Any]] | None = None) -> None:
    """Make a command's typed config, and the choices of its config groups, known to Hydra.

    Groups of a command that ran before in this process are forgotten: its group may be a plain setting here.
    """
    store = ConfigStore.instance()
    for group in _GROUPS:
        store.repo.pop(group, None)
    _GROUPS.clear()
    store.store(name=f"{name.replace('.', '_')}_schema", node=schema)
    for group, choices in {"logger": tracking.CONFIGS, **(groups or {})}.items():
        _GROUPS.add(group)
        for choice, node in choices.items():
            store.store(group=group, name=choice, node=node)


def run_as_script(command: str) -> None:
    """What `python -m spinedet.COMMAND` does.

    The module is imported by its name: launchers send its settings to other machines, and there is no `__main__` there.
    """
    import_module(f"spinedet.{command}").main()


def run_command(name: str, function: str, collect: str | None = None) -> None:
    """Run a function on the composed and checked settings, once or for each job of a multirun, then exit.

    The function is imported when the command line has been understood, so that `--help` and a misspelt setting cost no
    import of torch. One job of a sweep that fails leaves the others their results; the exit status is the worst of all.

    Args:
        name: of the command. function: does one job, as `module:name`.
        collect: gets the folder of a multirun and its jobs when all are over, as `module:name`.
    """
    gc.disable()  # until the function is imported: it takes a fifth of the time, and there is nothing to collect
    try:
        sys.argv[1:] = _understood(name, sys.argv[1:])
    except InputError as error:
        _report_error(str(error))
        sys.exit(Status.WRONG_INPUT)
    except KeyboardInterrupt:
        sys.exit(_ended(KeyboardInterrupt(), _AGAIN)[0])
    statuses, jobs, sweep = _run_jobs(name, function)
    if jobs and collect:
        resolve_name(collect)(sweep, jobs)
    gc.freeze()  # the end of the process need not be searched for what it could free
    sys.exit(worst(statuses))


def _understood(name: str, words: list[str]) -> list[str]:
    """The command line as Hydra takes it; `--help` is answered and ends the process."""
    if {"--help", "-h"} & set(words):
        print(help_page(name, conf_folder(name), [word for word in words if "=" in word]))  # a page, no message
        sys.exit(Status.DONE)
    return read_words(words, name, conf_folder(name))


def _run_jobs(name: str, function: str) -> tuple[list[Status], list[SweepJob], Path]:
    """How each job ended, and of a multirun, its jobs and folder."""
    statuses: list[Status] = []
    jobs: list[SweepJob] = []
    sweep = Path("runs") / name / timestamp()
    ledger = Path("runs/slurm").absolute() / f"ended-{sweep.name}"

    # A launcher may send this, with copies of the variables around it, to another machine.
    def job(config: DictConfig) -> int:
        nonlocal sweep
        if (number := job_number()) is not None:
            given: Any = OmegaConf.to_container(config, resolve=False)
            shared = "${" not in str(given["out"])
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
            folder, config_name = str(conf_folder(name)), name.rpartition(".")[2]
            hydra.main(version_base="1.3", config_path=folder, config_name=config_name)(job)()
    except SystemExit as stop:
        # Hydra exits with 1 when it cannot compose the config; argparse exits with 2 by itself.
        if not died_elsewhere(stop):
            sys.exit(Status.WRONG_INPUT if stop.code and not statuses else stop.code)
        _report_error("a job on another machine died or never began; its log is in runs/slurm")
        statuses.append(Status.FAILED)
    if elsewhere := read_ledger(ledger):
        jobs, sweep = elsewhere, elsewhere[0].folder.parent
        statuses += [one.status for one in jobs]
    return statuses, jobs, sweep


@contextmanager
def _scratch() -> Iterator[None]:
    """`${scratch:}` in the configs: where Hydra puts its own copy of a sweep's config, gone when all is over."""
    with ExitStack() as folders:

        def folder() -> str:
            return folders.enter_context(TemporaryDirectory(prefix="spinedet-"))

        OmegaConf.register_new_resolver("scratch", folder, replace=True)
        yield


def _guarded(function: str, config: DictConfig) -> tuple[Status, str]:
    """How it ended, and why when it did not end well."""
    try:
        settings = _settings(config)
        return _imported(function)(settings), ""
    except (Exception, KeyboardInterrupt) as error:
        return _ended(error, _RESUME if "resume" in config else _AGAIN)


def _imported(function: str) -> Callable[[Any], Status]:
    """The function of this name, when the collector goes on again: it need not search what imports have made, which
    stays to the end.
    """
    try:
        found: Callable[[Any], Status] = resolve_name(function)
        return found
    finally:
        gc.freeze()
        gc.enable()


def _ended(error: BaseException, remedy: str) -> tuple[Status, str]:
    """Exit status and message, one sentence where the cause is known; `remedy` is how to go on."""
    match error:
        case InputError():
            return Status.WRONG_INPUT, _report_error(str(error))
        case OSError() if error.errno in _DISK_FAULTS:
            what = f"{error.filename or 'a file'} cannot be written ({error.strerror}); free the disk"
            return Status.WRONG_INPUT, _report_error(f"{what}, then {remedy}: finished work is kept")
        case BrokenProcessPool():
            what = "a worker process died (it was killed, ran out of memory, or printed the reason)"
            return Status.FAILED, _report_error(f"{what}; {remedy}, with fewer workers= if memory was short")
        case Preempted():
            console.print("preempted; the training is saved, continue with resume=true")
            return Status.FAILED, "preempted"
        case KeyboardInterrupt():
            console.print(f"interrupted; finished work is kept; {remedy}")
            return Status.INTERRUPTED, "interrupted"
    console.print(traceback.format_exc())
    return Status.FAILED, f"{type(error).__name__}: {error}"


def _report_error(message: str) -> str:
    show_labelled("error:", message, "bold red")
    return message


def _settings(config: DictConfig) -> Any:
    try:
        _refuse_numbers(OmegaConf.to_container(config, resolve=True))
        return OmegaConf.to_object(config)
    except MissingMandatoryValue as error:
        raise InputError(f"{error.full_key}= is needed; pass it on the command line (see --help)") from None
    except (OmegaConfBaseException, ValueError) as error:
        raise InputError(f"the config cannot be used: {str(error).splitlines()[0]}") from None


def _refuse_numbers(value: Any, name: str = "") -> None:
    """Refuse what is no finite number in any setting, and seeds and numbers of processes below 0.

    Raises:
        InputError: names the setting.
    """
    if isinstance(value, float) and not math.isfinite(value):
        raise InputError(f"{name}={value}: use a finite number")
    if name == "workers" and isinstance(value, int) and value < 0:
        raise InputError(f"workers={value}: use 1 or more, or leave it out for one process on each core")
    if name.rpartition(".")[2] == "seed" and isinstance(value, int) and value < 0:
        raise InputError(f"{name}={value}: use 0 or more")
    parts = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, part in parts:
        _refuse_numbers(part, f"{name}.{key}" if name else str(key))
