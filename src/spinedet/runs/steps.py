"""Commands run as steps of a study: finished ones are kept, a broken one leaves the others whole."""

from __future__ import annotations

import multiprocessing
import os
import shutil
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import asdict, dataclass
from importlib import import_module
from multiprocessing import connection
from pathlib import Path
from typing import Any

from spinedet.cli.console import console
from spinedet.cli.exit_status import Status
from spinedet.cli.settings import CommonConfig
from spinedet.core.files import write_json
from spinedet.runs.claimed_folder import RunFolder
from spinedet.runs.provenance import read_run_record

KEPT, DONE, FAILED, LEFT_OUT = "kept", "done", "failed", "left out"
# Commands that go on with an unfinished run by `resume=true`.
RESUMED = ("train", "radiograph.train")


@dataclass(frozen=True)
class Step:
    """One command of a study.

    Attributes:
        name: of its folder below `steps`. words: its overrides but `out=`. needs: steps whose results it uses.
    """

    name: str
    command: str
    words: tuple[str, ...]
    needs: tuple[str, ...] = ()

    @property
    def shown(self) -> str:
        """As it would be typed; values with brackets or blanks are quoted."""
        words = (f"'{word}'" if set(word) & set("[]{} ") else word for word in self.words)
        return " ".join((f"python -m spinedet.{self.command}", *words))


@dataclass(frozen=True)
class Outcome:
    """How a step ended: `kept` from before, `done`, `failed` or `left out`, with the reason for the latter two.

    Attributes:
        seconds: wall time; of a step that is kept, what its run recorded.
    """

    step: Step
    state: str
    seconds: float = 0.0
    reason: str = ""

    @property
    def good(self) -> bool:
        """Whether its results are there."""
        return self.state in (KEPT, DONE)


def take_steps(steps: Sequence[Step], folder: Path, at_once: int = 1) -> list[Outcome]:
    """Run every step that is not finished yet in a process of its own.

    Args:
        steps: each stands behind those that it needs. folder: of their results.
        at_once: so many run side by side; of those whose needs are met, the first ones.
    """
    outcomes: dict[str, Outcome] = {}
    waiting, running = list(enumerate(steps, 1)), dict[Future[Outcome], int]()
    with ThreadPoolExecutor(at_once) as threads:
        while waiting or running:
            for number, step in list(waiting):
                if not outcomes.keys() >= set(step.needs):
                    continue
                if (outcome := _without_running(step, outcomes, folder)) is not None:
                    outcomes[step.name] = outcome
                    _report(number, steps, _ended(outcome))
                elif len(running) < at_once:
                    _report(number, steps, f"{step.command} ...")
                    running[threads.submit(_taken, step, folder)] = number
                else:
                    continue
                waiting.remove((number, step))
            for future in wait(running, return_when=FIRST_COMPLETED).done if running else ():
                outcome, number = future.result(), running.pop(future)
                outcomes[outcome.step.name] = outcome
                _report(number, steps, _ended(outcome))
    return [outcomes[step.name] for step in steps]


def words_of_every_step(config: CommonConfig, at_once: int, group: str | None = None) -> tuple[str, ...]:
    """The options that all steps of a study share: the processes of each, and to log as the study does.

    Args:
        at_once: so many steps run side by side. group: of the logger that has groups, where the study names none.
    """
    settings: dict[str, Any] = asdict(config.logger)
    words = [f"logger={settings.pop('name')}"]
    workers = 1 if at_once > 1 else config.workers
    words += [] if workers is None else [f"workers={workers}"]
    if "group" in settings:
        settings["group"] = settings["group"] or group
    return (*words, *(f"logger.{key}={value}" for key, value in settings.items() if value is not None))


def write_outcomes(folder: Path, outcomes: Sequence[Outcome]) -> None:
    """`steps.json`: how every step ended, with its command as it would be typed."""
    write_json(folder / "steps.json", [{**asdict(one), "command": one.step.shown} for one in outcomes])


def _without_running(step: Step, outcomes: Mapping[str, Outcome], folder: Path) -> Outcome | None:
    """The outcome of a step that need not run (finished before) or cannot (what it needs failed)."""
    missing = [name for name in step.needs if not outcomes[name].good]
    if missing:
        return Outcome(step, LEFT_OUT, reason=f"it needs {', '.join(missing)}")
    if not finished(folder / step.name):
        return None
    return Outcome(step, KEPT, read_run_record(RunFolder(folder / step.name).record).wall_seconds or 0.0)


def _report(number: int, steps: Sequence[Step], what: str) -> None:
    console.print(f"step {number} of {len(steps)}, {steps[number - 1].name}: {what}")


def _ended(outcome: Outcome) -> str:
    if outcome.state == LEFT_OUT:
        return f"left out, because {outcome.reason}"
    if outcome.state == KEPT:
        return "finished before"
    return f"{outcome.state} in {outcome.seconds:.0f} s{f': {outcome.reason}' if outcome.reason else ''}"


def finished(folder: Path) -> bool:
    """Whether a command came to its end in this folder; `run.json` is what it writes last."""
    return RunFolder(folder).record.is_file()


def _taken(step: Step, folder: Path) -> Outcome:
    begun, log = time.perf_counter(), folder / f"{step.name}.log"
    words = (*step.words, f"out={folder / step.name}", *_going_on(step, RunFolder(folder / step.name)))
    folder.mkdir(parents=True, exist_ok=True)
    process = multiprocessing.get_context("spawn").Process(target=_run, args=(step.command, words, log))
    process.start()
    process.join()
    seconds = time.perf_counter() - begun
    good = process.exitcode in (Status.DONE, Status.SKIPPED) and finished(folder / step.name)
    return Outcome(step, DONE if good else FAILED, seconds, "" if good else _last_words(log, process.exitcode))


def _going_on(step: Step, run: RunFolder) -> tuple[str, ...]:
    """The folder of an interrupted attempt: resumed by a training, removed by any other command."""
    if step.command in RESUMED and run.config.is_file():
        return ("resume=true",)
    shutil.rmtree(run.root, ignore_errors=True)
    return ()


def _last_words(log: Path, status: int | None) -> str:
    if not log.is_file():
        return f"it ended before it wrote anything (exit status {status})"
    lines = [line.strip() for line in log.read_text(encoding="utf-8", errors="replace").splitlines() if line.strip()]
    errors = [line for line in lines if line.startswith("error:")]
    message = (errors or lines or ["no output"])[-1].removeprefix("error: ")
    return f"{message} (exit status {status}; see {log.name})"


def _run(command: str, words: Sequence[str], log: Path) -> None:
    """A command in this process, which ends when its parent does; what it prints goes to the log."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_end_with, args=(parent.sentinel,), daemon=True).start()
    with log.open("a", buffering=1) as stream:
        os.dup2(stream.fileno(), 1)
        os.dup2(stream.fileno(), 2)
        sys.argv = [command, *words]
        import_module(f"spinedet.{command}").main()


def _end_with(sentinel: int) -> None:
    # A killed study must not leave a training behind that writes into the folder while another one resumes there.
    connection.wait([sentinel])
    os._exit(1)
