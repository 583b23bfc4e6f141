"""Findings of a study's planes as one list in patient coordinates."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from spinedet.core.anatomy import Plane
from spinedet.core.geometry import Array, Grid, bounds, inside, iou
from spinedet.core.types import Box, Finding, FusedFinding
from spinedet.imaging.planes import SPECS

# Boxes of two series that overlap less than this are two findings. Neighbouring discs hardly overlap at all, while one
# disc's boxes do so by half, less where a tilted stack's box becomes the hull of its corners.
SAME = 0.2
TOLERANCE_MM = 5.0


@dataclass(frozen=True)
class SeriesFindings:
    """One series of a study: where it lies, and what was found in it."""

    series: str
    plane: Plane
    grid: Grid
    findings: tuple[Finding, ...]

    def covers(self, box: Box) -> bool:
        """Whether the box lies within this series' block: of a disc cut in two, silence says nothing."""
        return inside(box, self.grid, TOLERANCE_MM)

    @property
    def trust(self) -> Array:
        """How finely R, A and S are sampled, (3,) per mm2: a plane knows little of what lies across its slices."""
        spec = SPECS[self.plane]
        pitch = np.abs(spec.directions).T @ np.asarray(spec.spacing)
        return np.asarray(1 / pitch**2)


@dataclass(frozen=True)
class _Mark:
    home: SeriesFindings
    finding: Finding


def fuse(study: Sequence[SeriesFindings]) -> tuple[FusedFinding, ...]:
    """Findings of one category that overlap across series, as one each; the best scores choose their partners first."""
    waiting = sorted(
        (_Mark(home, finding) for home in study for finding in home.findings), key=lambda mark: -mark.finding.score
    )
    fused = []
    while waiting:
        first = waiting[0]
        group = [first, *_partners(first, waiting)]
        waiting = [mark for mark in waiting if not any(mark is member for member in group)]
        fused.append(_fused(group, study))
    return tuple(sorted(fused, key=lambda each: -each.score))


def _partners(first: _Mark, waiting: Sequence[_Mark]) -> list[_Mark]:
    """Of every other series the finding that overlaps most, if it does so enough."""
    others = [m for m in waiting if m.home is not first.home and m.finding.category == first.finding.category]
    overlap = iou([first.finding.box], [mark.finding.box for mark in others])[0]
    best: dict[str, tuple[float, _Mark]] = {}
    for value, mark in zip(overlap.tolist(), others, strict=True):
        if value >= SAME and value > best.get(mark.home.series, (0.0, mark))[0]:
            best[mark.home.series] = (value, mark)
    return [mark for _, mark in best.values()]


def _fused(group: Sequence[_Mark], study: Sequence[SeriesFindings]) -> FusedFinding:
    best = group[0].finding
    low, high = bounds([mark.finding.box for mark in group])
    weight = np.array([mark.home.trust * max(mark.finding.score, 1e-6) for mark in group])
    low, high = ((limits * weight).sum(0) / weight.sum(0) for limits in (low, high))
    seen = {mark.home.series for mark in group}
    covered = len(seen | {home.series for home in study if home.covers(best.box)})
    return FusedFinding(
        category=best.category,
        score=sum(mark.finding.score for mark in group) / covered,
        level=next((mark.finding.level for mark in group if mark.finding.level), None),
        box=Box(center=_triple((low + high) / 2), size=_triple(high - low)),
        series=tuple(mark.home.series for mark in group),
        scores=tuple(mark.finding.score for mark in group),
        covered=covered,
    )


def _triple(values: Array) -> tuple[float, float, float]:
    r, a, s = values.tolist()
    return r, a, s
