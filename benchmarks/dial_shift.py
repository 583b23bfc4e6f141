"""How much F1 a run loses when the scanner, and nothing else, moves from its own centre towards another.

    python benchmarks/dial_shift.py runs/demo runs/dial [--toward B C] [--studies 40]

Patients, lesions and readers stay those of centre A; the ranges of the scanner and of the stacks go a share of the way
to the other centre's (vendor, field strength and kind change in the middle). Each step is a fresh cohort, tested at the
run's frozen operating point. The table gives F1 with its 95 % patient-bootstrap interval; `dial.json` the same.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from dataclasses import fields, replace
from pathlib import Path
from typing import Any, TypeVar

from spinedet.core.files import write_json
from spinedet.scoring import read_scores
from spinedet.simulation.centers import CENTERS, CenterConfig
from spinedet.simulation.cohort import CohortConfig, GroupConfig, draw_cohort

SHARES = (0.0, 0.5, 1.0)
SEED = 100  # patients that no training has seen

Ranges = TypeVar("Ranges")


def between(first: CenterConfig, second: CenterConfig, share: float) -> CenterConfig:
    """The first centre with a scanner that is a share of the way to the second's."""
    return replace(
        first,
        name=f"{first.name}{round(100 * share)}{second.name}",
        imaging=replace(
            _blend(first.imaging, second.imaging, share),
            field_tesla=(second if share >= 0.5 else first).imaging.field_tesla,
        ),
        sagittal=_blend(first.sagittal, second.sagittal, share),
        axial=_blend(first.axial, second.axial, share),
    )


def _blend(first: Ranges, second: Ranges, share: float) -> Ranges:
    mixed = {
        field.name: _mix(getattr(first, field.name), getattr(second, field.name), share)
        for field in fields(first)  # type: ignore[arg-type]
    }
    return type(first)(**mixed)


def _mix(first: Any, second: Any, share: float) -> Any:
    """Between two numbers or two ranges; anything else changes in the middle."""
    if isinstance(first, tuple) and isinstance(second, tuple):
        return tuple(_mix(a, b, share) for a, b in zip(first, second, strict=True))
    if isinstance(first, int) and isinstance(second, int):
        return round(first + share * (second - first))
    if isinstance(first, float) and isinstance(second, float):
        return first + share * (second - first)
    return second if share >= 0.5 else first


def test(run: Path, center: CenterConfig, out: Path, studies: int) -> dict[str, tuple[float | None, ...]]:
    """F1 per plane: value, low, high."""
    CENTERS[center.name] = center
    cohort = CohortConfig(
        f"phantom-{center.name}",
        groups=[GroupConfig(center.name, "test", studies)],
        seed=SEED,
        coarseness=1.4,
        positions=1,
    )
    manifest = draw_cohort(cohort, out / center.name / "cohort", workers=2)
    tested = out / center.name / "test"
    if not (tested / "scores.json").exists():
        words = ("spinedet.evaluate", f"run={run}", f"data.manifests=[{manifest}]", f"out={tested}")
        subprocess.run([sys.executable, "-m", *words], check=True)
    groups = read_scores(tested / "scores.json").groups
    return {
        str(group.by["plane"]): (group.f1.value, group.f1.low, group.f1.high)
        for group in groups
        if set(group.by) == {"plane"}
    }


def main() -> None:
    """All steps towards each centre."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("run", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--toward", nargs="+", default=["B", "C"])
    parser.add_argument("--studies", type=int, default=40)
    options = parser.parse_args()
    rows = {
        f"{round(100 * share)} % of the way to {name}": test(
            options.run, between(CENTERS["A"], CENTERS[name], share), options.out, options.studies
        )
        for name in options.toward
        for share in SHARES
    }
    write_json(options.out / "dial.json", rows)
    for label, planes in rows.items():
        cells = (f"{value:.3f} ({low:.3f} to {high:.3f})" for value, low, high in planes.values())
        print(f"| {label} | " + " | ".join(cells) + " |")


if __name__ == "__main__":
    main()
