"""The page of an evaluation sweep: every job's numbers, a forest of F1, curves, and which jobs broke."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from spinedet import __version__
from spinedet.core.files import write_text
from spinedet.core.types import Findings, Manifest
from spinedet.report.curves import HEIGHT, WIDTH, Curves, draw_runs
from spinedet.report.html import render
from spinedet.report.number_format import MARKS
from spinedet.report.scored_cases import match_again
from spinedet.scoring import Group, Scores

# So many lines can be distinguished in one figure.
LINES = 7


@dataclass(frozen=True, eq=False)
class SweepLine:
    """One run at one centre in one plane."""

    run: str
    center: str
    plane: str
    scores: Scores
    reference: Manifest
    findings: Findings

    @property
    def group(self) -> Group:
        """Its numbers."""
        return self.scores.group(plane=self.plane)

    @property
    def sha256(self) -> str:
        """Of the operating point that was used."""
        return self.scores.operating_point_sha256 or ""

    @property
    def record(self) -> dict[str, Any]:
        """For `sweep.json`."""
        numbers = {name: getattr(self.group, name).model_dump() for name in ("precision", "recall", "f1", "ap", "cpm")}
        by = {"run": self.run, "center": self.center, "plane": self.plane}
        known = self.scores.trained_on
        trained_on = {} if known is None else {"trained_on": known.model_dump(mode="json")}
        return {**by, "operating_point_sha256": self.sha256, **trained_on, "n": self.group.n.model_dump(), **numbers}


def write_sweep(folder: Path, lines: Sequence[SweepLine], broken: Sequence[tuple[str, str]]) -> Path:
    """Write `sweep.html` into `folder`."""
    by_plane: dict[str, list[SweepLine]] = {}
    for line in lines:
        by_plane.setdefault(line.plane, []).append(line)
    scores = lines[0].scores if lines else None
    page = render(
        "sweep.html",
        title="External tests, one sweep",
        notes=(*(f"Broken job: {words}: {why}" for words, why in broken), *banner(lines)),
        planes=[sorted(several, key=lambda one: (one.run, one.center)) for several in by_plane.values()],
        criterion=scores.criterion["description"] if scores else "no job gave scores",
        intervals=scores.bootstrap.description if scores else "none",
        level=scores.bootstrap.confidence if scores else 0.95,
        curves=[_curves(several[:LINES], plane) for plane, several in by_plane.items()],
        marks=MARKS,
        width=WIDTH,
        height=HEIGHT,
        version=__version__,
    )
    write_text(folder / "sweep.html", page)
    return folder / "sweep.html"


def banner(lines: Sequence[SweepLine]) -> tuple[str, ...]:
    """What a reader must know before the numbers; a statement that is not of all runs names those that it is of."""
    statements: dict[str, dict[str, None]] = {}
    for line in lines:
        for note in line.scores.banner:
            statements.setdefault(note, {})[line.run] = None
    runs = {line.run for line in lines}
    return tuple(note if len(of) == len(runs) else f"{', '.join(of)}: {note}" for note, of in statements.items())


def _curves(lines: Sequence[SweepLine], plane: str) -> Curves:
    runs = [
        (f"{line.run}, {line.center}", match_again(line.reference, line.findings, line.scores), line.scores)
        for line in lines
    ]
    return draw_runs(runs, plane)
