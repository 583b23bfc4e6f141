"""Time and disk of phantoms: one study at a hospital's resolution on one core, and the demo cohort on two.

    python -m benchmarks.performance.time_phantoms [--studies 5] [--demo]

The study is sagittal 15 x 512 x 512 and axial 25 x 384 x 384, drawn, sampled and compressed; reading the clock and the
process's own CPU time apart shows how busy the machine was with other things.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from dataclasses import replace
from pathlib import Path

from spinedet.simulation.centers import CENTERS, CenterConfig
from spinedet.simulation.cohort import draw_cohort
from spinedet.simulation.settings import CohortConfig, GroupConfig
from spinedet.simulation.shipped_cohorts import DEMO
from spinedet.simulation.study import draw_study


def full_size() -> CenterConfig:
    """Centre I with the matrix that the claim is about."""
    center = CENTERS["I"]
    sagittal = replace(center.sagittal, pixel=(0.547, 0.547), field_of_view=(280.06, 280.06), slices=(15, 15))
    axial = replace(center.axial, pixel=(0.5, 0.5), field_of_view=(192.0, 192.0), slices=(25, 25))
    return replace(center, sagittal=sagittal, axial=axial)


def time_studies(count: int) -> None:
    """Wall and CPU seconds per study in memory."""
    wall, cpu = [], []
    for index in range(1, count + 1):
        started, used = time.perf_counter(), time.process_time()
        study = draw_study(full_size(), index)
        wall.append(time.perf_counter() - started)
        cpu.append(time.process_time() - used)
        shapes = [image.shape for image in study.images]
    words = (
        f"median {statistics.median(wall):.2f} s, slowest {max(wall):.2f} s; CPU median {statistics.median(cpu):.2f} s"
    )
    print(f"one study {shapes}: {words} ({count} studies)")


def time_cohort(config: CohortConfig, workers: int) -> None:
    """Wall seconds and bytes of a cohort on disk."""
    with tempfile.TemporaryDirectory() as folder:
        started = time.perf_counter()
        draw_cohort(config, Path(folder), workers)
        seconds = time.perf_counter() - started
        size = sum(path.stat().st_size for path in Path(folder).rglob("*") if path.is_file())
    studies = sum(group.studies for group in config.groups)
    print(f"{config.name}: {studies} studies in {seconds:.1f} s on {workers} workers, {size / 2**20:.0f} MiB")


def main() -> None:
    """Both, or the study alone."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--studies", type=int, default=5)
    parser.add_argument("--demo", action="store_true")
    arguments = parser.parse_args()
    time_studies(arguments.studies)
    sample = CohortConfig(
        name="sample at full size", groups=[GroupConfig("I", "test", 4), GroupConfig("III", "test", 2)]
    )
    time_cohort(sample, 1)
    if arguments.demo:
        time_cohort(DEMO, 2)


if __name__ == "__main__":
    main()
