"""Developing the detectors of a run: a training for each plane, side by side where there are cores, or one for all."""

from __future__ import annotations

import math
import multiprocessing
import multiprocessing.queues
import multiprocessing.synchronize
import queue
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias

import torch
from rich.progress import (
    BarColumn,
    Progress,
    TaskID,
    TaskProgressColumn,
    TextColumn,
    TimeRemainingColumn,
)

from spinedet.cli import tracking
from spinedet.cli.console import console
from spinedet.core.anatomy import Plane
from spinedet.core.types import Finding, Findings, Manifest, StudyFindings
from spinedet.detection.batch import Detections
from spinedet.detection.dataset import Prepared, Scan, prepare_scans
from spinedet.detection.model_files import Model, PlaneDetector, load_model, save_model
from spinedet.detection.postprocess import findings
from spinedet.detection.trainer import PlanePlan, Settings, train_network
from spinedet.imaging.planes import SPECS
from spinedet.pipelines.launch import call_helpers
from spinedet.pipelines.splits import Splits, only
from spinedet.runs.claimed_folder import RunFolder
from spinedet.scoring import Criterion, max_f1
from spinedet.training.callbacks import TrainingProgress
from spinedet.training.checkpoints import Saved, newest_checkpoint
from spinedet.training.distributed import end_with_parent, world_size
from spinedet.training.length import TrainingLength, read_length
from spinedet.training.preemption import StopSignal, listening_for_signals
from spinedet.training.settings import TrainerConfig

# An event of a running training: a sentence, or its progress.
Event: TypeAlias = str | TrainingProgress
SendEvent: TypeAlias = Callable[[Event], None]
# Events of all trainings on their way to the command's process, each with its training's name.
EventQueue: TypeAlias = "multiprocessing.queues.Queue[tuple[str, Event]]"


@dataclass(frozen=True)
class Job:
    """What the planes' trainings have in common.

    Attributes:
        initial: a model whose weights are the start. criterion: of a hit, for the score on the tuning split.
        workers: processes that may run at once; with one the planes take turns.
        shared: whether the planes share one network.
    """

    settings: Settings
    run: RunFolder
    manifest: Manifest
    splits: Splits
    initial: Model | None
    criterion: Criterion
    logger: tracking.LoggerConfig
    seed: int
    workers: int
    shared: bool = False

    def training(self, plane: Plane) -> str:
        """The name of the training that a plane is part of."""
        return "shared" if self.shared else plane.value

    def length(self, plane: Plane) -> TrainingLength:
        """How long the training was that a plane was part of."""
        return read_length(self.run.checkpoints / self.training(plane))


@dataclass(frozen=True, eq=False)
class Trained:
    """One plane's detector, and why some studies could not be read for it."""

    detector: PlaneDetector
    skipped: dict[str, str]


def train_planes(job: Job, planes: Sequence[Plane]) -> dict[Plane, Trained]:
    """Train a detector for each plane, or one that they share.

    On a CPU each plane has a process and its share of the cores: small networks use several cores badly, and two of
    them use two cores fully.

    Raises:
        InputError: a plane has nothing to learn from.
        Preempted: the run was signalled to stop; every plane has left a checkpoint.
    """
    together = [tuple(planes)] if job.shared else [(plane,) for plane in planes]
    with training_bars([job.training(first) for first, *_ in together]) as bars, listening_for_signals() as stop:
        if len(together) > 1 and job.workers > 1 and _on_cpu(job.settings.trainer):
            return _side_by_side(job, planes, bars, stop)
        done = [train_one(job, each, bars[job.training(each[0])], stop) for each in together]
    return {plane: trained for each in done for plane, trained in each.items()}


def _on_cpu(trainer: TrainerConfig) -> bool:
    return world_size() == 1 and (
        trainer.accelerator == "cpu" or (trainer.accelerator == "auto" and not torch.cuda.is_available())
    )


def train_one(job: Job, planes: Sequence[Plane], send: SendEvent, stop: StopSignal) -> dict[Plane, Trained]:
    """Train the network of these planes, in this process and those that help it, or go on from its last checkpoint."""
    name, studies = job.training(planes[0]), (*job.splits.train, *job.splits.tune)
    prepared = {
        plane: prepare_scans(studies, SPECS[plane], job.run.cache / plane.value, job.workers) for plane in planes
    }
    start = newest_checkpoint(job.run.checkpoints / name)
    for plane, each in prepared.items():
        send(f"{plane.value}: {len(each.scans)} scans, {len(each.skipped)} studies skipped")
    if start:
        _report_start(name, start, send)
    call_helpers(partial(_help_train, job, prepared, start))
    plans = [_plan(job, plane, each, start, send, stop) for plane, each in prepared.items()]
    with tracking.open_loggers(job.logger, job.run.root, name) as loggers:
        detectors = train_network([replace(plan, loggers=loggers) for plan in plans], job.settings)
    for note in job.length(planes[0]).notes(name):
        send(note)
    done = zip(prepared.items(), detectors, strict=True)
    return {plane: Trained(detector, each.skipped) for (plane, each), detector in done}


def _report_start(name: str, start: Saved, send: SendEvent) -> None:
    for path in start.damaged:
        send(f"{name}: {path.name} is damaged; going on from the one before, {start.path.name}")
    at = start.position
    send(f"{name}: goes on after epoch {at.epoch}" + (f" and {at.steps} steps" if at.steps else ""))


def _help_train(job: Job, prepared: dict[Plane, Prepared], start: Saved | None) -> None:
    with listening_for_signals() as stop:
        plans = [_plan(job, plane, each, start, _say_nothing, stop) for plane, each in prepared.items()]
        train_network(plans, job.settings)


def _say_nothing(event: Event) -> None:
    """The first process speaks for all."""


def _plan(
    job: Job, plane: Plane, prepared: Prepared, start: Saved | None, send: SendEvent, stop: StopSignal
) -> PlanePlan:
    tuning = {study.id for study in job.splits.tune}
    tune = [scan for scan in prepared.scans if scan.study in tuning]
    return PlanePlan(
        spec=SPECS[plane],
        categories=job.manifest.categories,
        train=[scan for scan in prepared.scans if scan.study not in tuning],
        tune=tune,
        score=_tuning_score(job, plane, tune),
        folder=job.run.checkpoints / job.training(plane),
        seed=job.seed,
        start=start,
        stop=stop,
        initial=None if job.initial is None else source_of(job.initial, plane),
        on_progress=send,
        weights=job.splits.weights,
    )


def source_of(initial: Model, plane: Plane) -> PlaneDetector:
    """The initial model's detector of this plane, or of another plane when it has none."""
    return initial.detectors.get(plane) or next(iter(initial.detectors.values()))


def _tuning_score(job: Job, plane: Plane, scans: Sequence[Scan]) -> Callable[[list[Detections]], float]:
    """The best F1 that the detections of these scans reach, over all thresholds."""
    names = {scan.study for scan in scans}
    reference = only(job.manifest, (study for study in job.splits.tune if study.id in names))

    def score(detections: list[Detections]) -> float:
        found: dict[str, tuple[Finding, ...]] = dict.fromkeys(names, ())
        for scan, each in zip(scans, detections, strict=True):
            found[scan.study] += findings(
                each.scaled(scan.scale), scan.grid, scan.series, job.manifest.categories, min_score=0.01
            )
        answers = tuple(StudyFindings(id=name, findings=each) for name, each in found.items())
        best = max_f1(reference, Findings(model={"planes": [plane.value]}, studies=answers), job.criterion)
        return best[plane.value].f1 or 0.0

    return score


def _side_by_side(
    job: Job, planes: Sequence[Plane], bars: dict[str, SendEvent], stop: StopSignal
) -> dict[Plane, Trained]:
    context = multiprocessing.get_context("spawn")
    threads = 1 if job.settings.trainer.deterministic else max(1, job.workers // len(planes))
    events: EventQueue = context.Queue()
    leave = context.Event()
    with ProcessPoolExecutor(len(planes), context, _start, (threads, events, leave)) as pool:
        futures = {plane: pool.submit(_train_apart, job, plane) for plane in planes}
        for _ in _forward_events(events, list(futures.values()), bars):
            if stop:
                leave.set()
        done = {plane: future.result() for plane, future in futures.items()}
    return {
        plane: Trained(load_model(_folder(job, plane)).detectors[plane], skipped) for plane, skipped in done.items()
    }


def _forward_events(events: EventQueue, futures: list[Future[Any]], bars: dict[str, SendEvent]) -> Iterator[None]:
    """Pass the events of the processes on until all are done and none is left; yields now and then."""
    while True:
        over = all(future.done() for future in futures)
        try:
            name, event = events.get(timeout=0.2)
            bars[name](event)
        except queue.Empty:
            if over:
                return
        yield


# In a plane's process: the queue to the command's, and the event that asks to leave. They reach a process only while
# that is being started.
_inherited: list[tuple[EventQueue, multiprocessing.synchronize.Event]] = []


def _start(threads: int, events: EventQueue, leave: multiprocessing.synchronize.Event) -> None:
    """Prepare a plane's process: its share of the cores, and an end when the command's process ends."""
    torch.set_num_threads(threads)
    _inherited.append((events, leave))
    end_with_parent()


def _train_apart(job: Job, plane: Plane) -> dict[str, str]:
    """`train_one` in a process of its own; the weights are passed as files, safe however the process ends."""
    events, leave = _inherited[0]
    stop = StopSignal(leave)
    stop.listen()
    trained = train_one(job, (plane,), lambda event: events.put((plane.value, event)), stop)[plane]
    save_model(_folder(job, plane), Model("part", job.manifest.region, {plane: trained.detector}))
    return trained.skipped


def _folder(job: Job, plane: Plane) -> Path:
    return job.run.cache / f"trained-{plane.value}"


@contextmanager
def training_bars(names: Sequence[str]) -> Iterator[dict[str, SendEvent]]:
    """A bar for each training, moved by its progress; sentences go above the bars."""
    # Short enough for a terminal of 80 columns: what does not fit is cut from the times.
    columns = (BarColumn(bar_width=10), TaskProgressColumn(), TextColumn("left"), TimeRemainingColumn())
    state = TextColumn("{task.fields[state]}")
    with Progress(TextColumn("training {task.description}"), *columns, state, console=console) as progress:
        tasks = {name: progress.add_task(name, total=1.0, state="") for name in names}
        yield {name: partial(_move, progress, task) for name, task in tasks.items()}


def _move(progress: Progress, task: TaskID, event: Event) -> None:
    if isinstance(event, str):
        progress.console.print(event)
    else:
        score = "" if math.isnan(event.tuning_f1) else f", F1 {event.tuning_f1:.2f}"
        progress.update(task, completed=event.share, state=f"loss {event.loss:.2f}{score}")
