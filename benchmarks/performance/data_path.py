"""How many training scans a second the data path delivers with workers and without, and what one scan costs.

    python -m benchmarks.performance.data_path --workers 0,1,2 --planes sagittal,axial --elastic 0.0

Batches come from the training's own loader, of phantoms, and go nowhere: the rate is that of an accelerator which takes
no time. A GPU that takes N scans a second needs N x (CPU ms of one scan) / 1000 workers, and as many cores. Rates are
wall time on the cores that this process may use; costs are CPU time, so that other programs change them little.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from spinedet.core.anatomy import Plane
from spinedet.core.manifest import read_manifest
from spinedet.detection.batch_loader import TrainingBatches, batch_maker
from spinedet.detection.dataset import Augmented, SeveralPlanes, TrainingScans, prepare_scans
from spinedet.detection.settings import RecipeConfig
from spinedet.imaging.planes import SPECS
from spinedet.imaging.settings import AugmentConfig
from spinedet.simulation.cohort import draw_cohort
from spinedet.simulation.shipped_cohorts import SHIPPED
from spinedet.training.preemption import StopSignal
from spinedet.training.samplers import Draw, PlaneTurns, Pool, Share

BATCH = RecipeConfig().scans_a_step(processes=1)
WARM_UP = 4


@dataclass(frozen=True)
class Delivery:
    """Seconds to the first batch, then scans a second, and CPU seconds of the receiving process for each."""

    first: float
    rate: float
    cost: float


def delivered(scans: TrainingScans, workers: int, count: int) -> Delivery:
    """What so many workers deliver."""
    sampler = PlaneTurns([Pool(len(scans))], 0, Share(BATCH))
    began = time.perf_counter()
    with batch_maker(workers, StopSignal()) as made:
        batches = iter(TrainingBatches(SeveralPlanes([scans]), sampler, made))
        next(batches)
        first = time.perf_counter() - began
        skip(batches, WARM_UP)
        began, used = time.perf_counter(), time.process_time()
        skip(batches, count // BATCH)
        seconds, cpu = time.perf_counter() - began, time.process_time() - used
    return Delivery(first, count / seconds, cpu / count)


def skip(batches: Iterator[object], count: int) -> None:
    """Take so many."""
    for _ in range(count):
        next(batches)


def one_scan(scans: TrainingScans, count: int) -> float:
    """Median CPU seconds of making one example in this process: cached file read, augmented, cropped."""
    seconds = []
    for index in range(count):
        began = time.process_time()
        scans.request(Draw(0, index)).example()
        seconds.append(time.process_time() - began)
    return statistics.median(seconds)


def table(name: str, scans: TrainingScans, asked: Sequence[int], count: int) -> str:
    """Of one plane."""
    lines = [f"{name}: {1000 * one_scan(scans, count):.1f} CPU ms to make a scan", ""]
    lines += [
        "| workers | first batch after, s | scans a second | CPU ms a scan in the training process |",
        "|---|---|---|---|",
    ]
    for workers in asked:
        each = delivered(scans, workers, count)
        lines.append(f"| {workers} | {each.first:.1f} | {each.rate:.0f} | {1000 * each.cost:.1f} |")
    return "\n".join(lines) + "\n"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--workers", default="0,1,2")
    parser.add_argument("--planes", default="sagittal,axial")
    parser.add_argument("--scans", type=int, default=200, help="made and taken for each number")
    parser.add_argument("--elastic", type=float, default=AugmentConfig().elastic_probability)
    parser.add_argument("--cohort", default="smoke", choices=sorted(SHIPPED))
    asked = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory(prefix="data-path-") as name:
        manifest = read_manifest(draw_cohort(SHIPPED[asked.cohort], Path(name) / "cohort", 1))
        for spec in (SPECS[Plane(plane)] for plane in asked.planes.split(",")):
            scans = prepare_scans(manifest.studies, spec, Path(name) / spec.plane.value, 1).scans
            enough = scans * (2 * (asked.scans + WARM_UP * BATCH) // len(scans))
            augmented = Augmented(spec, AugmentConfig(elastic_probability=asked.elastic), seed=0)
            known = TrainingScans(enough, manifest.categories, augmented)
            workers = [int(each) for each in asked.workers.split(",")]
            print(table(spec.plane.value, known, workers, asked.scans), flush=True)
    print(f"{len(os.sched_getaffinity(0))} cores, load {os.getloadavg()[0]:.1f} at the end.")


if __name__ == "__main__":
    main()
