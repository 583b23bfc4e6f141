"""How many training scans a second the data path delivers with workers and without, and what one scan costs.

    python -m benchmarks.performance.data_path --workers 0,1,2 --planes sagittal,axial --elastic 0.0
    python -m benchmarks.performance.data_path --workers 4,8 --model set_large --device cuda --batch 16

Batches come from the training's own loader, of phantoms, and go nowhere: the rate is that of an accelerator which takes
no time. A GPU that takes N scans a second needs N x (CPU ms of one scan) / 1000 workers, and as many cores. Rates are
wall time on the cores that this process may use; costs are CPU time, so that other programs change them little. With
`--model` a detector learns from the batches, and the last column is the share of the time in which it waits for one.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from benchmarks.performance.speed import Subject, subject
from spinedet.core.anatomy import Plane
from spinedet.core.manifest import read_manifest
from spinedet.detection.batch import Batch
from spinedet.detection.batch_loader import TrainingBatches, batch_maker
from spinedet.detection.dataset import Augmented, SeveralPlanes, TrainingScans, prepare_scans
from spinedet.detection.settings import MODELS, RecipeConfig
from spinedet.imaging.planes import SPECS, PlaneSpec
from spinedet.imaging.settings import AugmentConfig
from spinedet.simulation.cohort import draw_cohort
from spinedet.simulation.shipped_cohorts import SHIPPED
from spinedet.training.preemption import StopSignal
from spinedet.training.samplers import Draw, PlaneTurns, Pool, Share

WARM_UP = 4


@dataclass(frozen=True)
class Use:
    """Batches of `batch` scans, `count` scans in all, and what is done with each batch; `pinned` for a GPU."""

    batch: int
    count: int
    step: Callable[[Batch], None] = lambda batch: None
    pinned: bool = False


@dataclass(frozen=True)
class Delivery:
    """Seconds to the first batch, then scans a second, CPU seconds of the receiving process for each, and the share of
    the time in which that waits for a batch.
    """

    first: float
    rate: float
    cost: float
    waiting: float


def delivered(scans: TrainingScans, workers: int, use: Use) -> Delivery:
    """What so many workers deliver."""
    sampler = PlaneTurns([Pool(len(scans))], 0, Share(use.batch))
    began = time.perf_counter()
    with batch_maker(workers, StopSignal()) as made:
        batches = iter(TrainingBatches(SeveralPlanes([scans]), sampler, made, use.pinned))
        next(batches)
        first = time.perf_counter() - began
        taken(batches, WARM_UP, use)
        began, used = time.perf_counter(), time.process_time()
        waiting = taken(batches, use.count // use.batch, use)
        seconds, cpu = time.perf_counter() - began, time.process_time() - used
    return Delivery(first, use.count / seconds, cpu / use.count, waiting / seconds)


def taken(batches: Iterator[Batch], count: int, use: Use) -> float:
    """Take and use so many; the seconds of waiting for them."""
    waiting = 0.0
    for _ in range(count):
        began = time.perf_counter()
        batch = next(batches)
        waiting += time.perf_counter() - began
        use.step(batch)
    return waiting


def learning(one: Subject) -> Callable[[Batch], None]:
    """A training step on each batch, which ends when the device is done."""

    def step(batch: Batch) -> None:
        one.loss(batch.to(one.clock.device)).backward()
        one.optimiser.step()
        one.optimiser.zero_grad()
        one.clock.now()  # waits for a GPU

    return step


def one_scan(scans: TrainingScans, count: int) -> float:
    """Median CPU seconds of making one example in this process: cached file read, augmented, cropped."""
    seconds = []
    for index in range(count):
        began = time.process_time()
        scans.request(Draw(0, index)).example()
        seconds.append(time.process_time() - began)
    return statistics.median(seconds)


def table(name: str, scans: TrainingScans, asked: Sequence[int], use: Use) -> str:
    """Of one plane."""
    lines = [f"{name}: {1000 * one_scan(scans, use.count):.1f} CPU ms to make a scan", ""]
    lines += [
        "| workers | first batch after, s | scans a second | CPU ms a scan in the training process | waiting |",
        "|---|---|---|---|---|",
    ]
    for workers in asked:
        each = delivered(scans, workers, use)
        cells = f"{each.first:.1f} | {each.rate:.0f} | {1000 * each.cost:.1f} | {each.waiting:.0%}"
        lines.append(f"| {workers} | {cells} |")
    return "\n".join(lines) + "\n"


def use_of(asked: argparse.Namespace, spec: PlaneSpec) -> Use:
    """What is done with the batches of one plane."""
    if asked.model is None:
        return Use(asked.batch, asked.scans)
    step = learning(subject(asked.model, spec, asked))
    return Use(asked.batch, asked.scans, step, pinned=asked.device == "cuda")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--workers", default="0,1,2")
    parser.add_argument("--planes", default="sagittal,axial")
    parser.add_argument("--scans", type=int, default=200, help="made and taken for each number")
    parser.add_argument("--elastic", type=float, default=AugmentConfig().elastic_probability)
    parser.add_argument("--cohort", default="smoke", choices=sorted(SHIPPED))
    parser.add_argument("--batch", type=int, default=RecipeConfig().scans_a_step(processes=1))
    parser.add_argument("--model", choices=sorted(MODELS), help="that learns from the batches; none when left out")
    parser.add_argument("--device", default="cpu", choices=["cpu", "cuda"], help="of --model")
    asked = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory(prefix="data-path-") as name:
        manifest = read_manifest(draw_cohort(SHIPPED[asked.cohort], Path(name) / "cohort", 1))
        for spec in (SPECS[Plane(plane)] for plane in asked.planes.split(",")):
            scans = prepare_scans(manifest.studies, spec, Path(name) / spec.plane.value, 1).scans
            enough = scans * (2 * (asked.scans + WARM_UP * asked.batch) // len(scans))
            augmented = Augmented(spec, AugmentConfig(elastic_probability=asked.elastic), seed=0)
            known = TrainingScans(enough, manifest.categories, augmented)
            workers = [int(each) for each in asked.workers.split(",")]
            print(table(spec.plane.value, known, workers, use_of(asked, spec)), flush=True)
    print(f"{len(os.sched_getaffinity(0))} cores, load {os.getloadavg()[0]:.1f} at the end.")


if __name__ == "__main__":
    main()
