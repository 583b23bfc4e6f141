"""Which part of another hospital costs a run how much F1: its scanner, its patients, its annotators.

    python -m benchmarks.experiments.dial_shift runs/demo runs/dial [--toward B C] [--studies 40]

Fresh studies of the run's own centre A are drawn again with one part of another centre's config in place, so that the
same patients (the same seeds) are seen through another scanner, are as worn as the other centre's, or are annotated by
its annotators. R's scanner is wider than any hospital's. All are tested at the run's frozen operating point. The table
gives F1 with its 95 % patient-bootstrap interval, sagittal and axial; `dial.json` the same.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeAlias

from spinedet.core.files import write_json
from spinedet.scoring import read_scores
from spinedet.simulation.centers import CENTERS, CenterConfig
from spinedet.simulation.cohort import draw_cohort
from spinedet.simulation.settings import CohortConfig, GroupConfig

Interval: TypeAlias = tuple[float | None, float | None, float | None]

SEED = 100  # patients that no training has seen
PARTS = {
    "scanner": ("imaging", "sagittal", "axial"),
    "patients": ("wear",),
    "annotators": ("habits",),
}
HOME = CENTERS["A"]


def centers(toward: list[str]) -> dict[str, CenterConfig]:
    """Centre A, and A with parts of others; all are called A, since the name is part of the patients' seeds."""
    found = {"A": HOME}
    for name in toward:
        other = CENTERS[name]
        found |= {f"A with the {part} of {name}": _with(other, fields) for part, fields in PARTS.items()}
        found[f"all of {name}"] = replace(other, name="A")
    return found | {"A with the scanner of R": _with(CENTERS["R"], PARTS["scanner"])}


def _with(other: CenterConfig, fields: tuple[str, ...]) -> CenterConfig:
    parts: dict[str, Any] = {field: getattr(other, field) for field in fields}
    return replace(HOME, **parts)


def test(run: Path, center: CenterConfig, folder: Path, studies: int) -> dict[str, Interval]:
    """F1 per plane: value, low, high."""
    groups = [GroupConfig("A", "test", studies)]
    cohort = CohortConfig("phantom-A", groups=groups, seed=SEED, coarseness=1.4, positions=1)
    manifest = draw_cohort(cohort, folder / "cohort", workers=2, centers={"A": center})
    tested = folder / "test"
    if not (tested / "scores.json").exists():
        words = ("spinedet.evaluate", f"run={run}", f"data.manifests=[{manifest}]", f"out={tested}")
        subprocess.run([sys.executable, "-m", *words], check=True)
    groups_of_scores = read_scores(tested / "scores.json").groups
    planes = (group for group in groups_of_scores if set(group.by) == {"plane"})
    return {str(group.by["plane"]): (group.f1.value, group.f1.low, group.f1.high) for group in planes}


def main() -> None:
    """Every part of every other centre."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("run", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--toward", nargs="+", default=["B", "C"])
    parser.add_argument("--studies", type=int, default=40)
    options = parser.parse_args()
    rows = {
        label: test(options.run, center, options.out / label.replace(" ", "_"), options.studies)
        for label, center in centers(options.toward).items()
    }
    write_json(options.out / "dial.json", rows)
    for label, planes in rows.items():
        print(f"| {label} | " + " | ".join(_shown(planes[plane]) for plane in ("sagittal", "axial")) + " |")


def _shown(interval: Interval) -> str:
    if any(number is None for number in interval):
        return "undefined"
    return "{:.3f} ({:.3f} to {:.3f})".format(*interval)


if __name__ == "__main__":
    main()
