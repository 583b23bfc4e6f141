"""How often the checks of image quality find degraded scans doubtful, and scans as they are.

    python -m benchmarks.experiments.input_quality midslices/manifest.json spider/manifest.json --patients odd \
        --steps blur=4,6 motion=4,8 noise=0.4,0.8

Limits were chosen on phantoms and on patients with even numbers, so that those with odd numbers test them. Each series
is degraded as `evaluate test.robustness=` does it, thick stacks within their seven central slices. Prints, with exact
95 % intervals, the series found doubtful by degradation and strength, and the false alarms by manufacturer and plane.
"""

from __future__ import annotations

import argparse
import re
import time
import zlib
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from benchmarks.experiments.degraded_folds import Step, steps_of
from spinedet.core.anatomy import Plane, Region
from spinedet.core.geometry import Grid
from spinedet.core.manifest import read_manifests
from spinedet.core.types import Study
from spinedet.imaging.degradations import degrade
from spinedet.imaging.planes import SPECS, orient
from spinedet.imaging.quality_checks import QUESTIONS, check_quality
from spinedet.imaging.settings import EligibilityLimits
from spinedet.imaging.suitability import Suitability
from spinedet.imaging.volume import Volume, read_volume
from spinedet.scoring.statistics.exact import exact_interval

SLICES = 7


@dataclass(frozen=True)
class Result:
    """Which questions found a series doubtful, and the CPU seconds of asking them."""

    step: Step | None
    group: str
    doubtful: tuple[str, ...]
    seconds: float


def main() -> None:
    """Read the command line, degrade, check and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("manifests", nargs="+", type=Path)
    parser.add_argument("--steps", nargs="+", default=[], help="degradation=strength,strength")
    parser.add_argument("--patients", choices=("odd", "even", "all"), default="all", help="by the number in their ids")
    given = parser.parse_args()
    steps: list[Step | None] = [None, *steps_of(given.steps)]
    results = [
        result
        for study in read_manifests(given.manifests).studies
        if not study.excluded and given.patients in ("all", parity(study.patient))
        for result in checked(study, steps)
    ]
    print(by_step(results, steps))
    print(by_group([one for one in results if one.step is None]))
    print(f"{1000 * np.mean([one.seconds for one in results]):.1f} ms of CPU a series")


def parity(patient: str) -> str:
    """`odd` or `even`, by the first number in a patient's id."""
    number = re.search(r"\d+", patient)
    return "odd" if number and int(number[0]) % 2 else "even"


def checked(study: Study, steps: Sequence[Step | None]) -> Iterator[Result]:
    """The results of the T2 series of a study, as they are and degraded."""
    region = study.region or Region.LUMBAR
    vendor = str((study.attributes or {}).get("vendor", "unknown")).title()
    for series in study.series:
        if series.weighting == "T2":
            volume = central(read_volume(series.path), series.plane)
            for step in steps:
                seed = zlib.crc32(f"{study.id} {series.id} {step and step[0]}".encode())
                image = (
                    volume if step is None else degrade(volume, SPECS[series.plane], *step, np.random.default_rng(seed))
                )
                start = time.process_time()
                checks = list(check_quality(image, SPECS[series.plane].of(region), EligibilityLimits()))
                seconds = time.process_time() - start
                doubtful = tuple(one.question for one in checks if one.suitability is not Suitability.OK)
                yield Result(step, f"{vendor}, {series.plane.value}", doubtful, seconds)


def central(volume: Volume, plane: Plane) -> Volume:
    """At most `SLICES` slices around the middle."""
    oriented = orient(volume, SPECS[plane])
    first = max(0, (oriented.array.shape[0] - SLICES) // 2)
    array = np.ascontiguousarray(oriented.array[first : first + SLICES])
    affine = oriented.grid.affine.copy()
    affine[:3, 3] += first * affine[:3, 0]
    return replace(oriented, array=array, grid=Grid((array.shape[0], array.shape[1], array.shape[2]), affine))


def by_step(results: Sequence[Result], steps: Sequence[Step | None]) -> str:
    """The series found doubtful in each way."""
    rows = [
        f"| degradation, strength | doubtful | share (95 %) | {' | '.join(QUESTIONS)} |",
        "|---" * (3 + len(QUESTIONS)) + "|",
    ]
    for step in steps:
        here = [one for one in results if one.step == step]
        questions = Counter(question for one in here for question in one.doubtful)
        name = "none" if step is None else f"`{step[0]}` {step[1]:g}"
        counts = " | ".join(str(questions[question]) for question in QUESTIONS)
        rows.append(f"| {name} | {share(here)} | {counts} |")
    return "\n".join(rows) + "\n"


def by_group(results: Sequence[Result]) -> str:
    """The false alarms by manufacturer and plane."""
    groups = defaultdict(list)
    for one in results:
        groups[one.group].append(one)
    rows = ["| as they are | doubtful | share (95 %) |", "|---|---|---|"]
    return "\n".join([*rows, *(f"| {name} | {share(here)} |" for name, here in sorted(groups.items()))]) + "\n"


def share(results: Sequence[Result]) -> str:
    """Doubtful of all, and the share with its interval, as two cells."""
    hits = sum(bool(one.doubtful) for one in results)
    low, high = exact_interval(hits, len(results))
    return f"{hits} of {len(results)} | {hits / max(len(results), 1):.3f} ({low:.3f} to {high:.3f})"


if __name__ == "__main__":
    main()
