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
    """One series of a study, its grid and its findings."""

    series: str
    plane: Plane
    grid: Grid
    findings: tuple[Finding, ...]

    def covers(self, box: Box) -> bool:
        """Whether the box lies within the imaged volume: that a disc cut in two is not found means nothing."""
        return inside(box, self.grid, TOLERANCE_MM)

    @property
    def precision(self) -> Array:
        """Precision of the series along R, A and S, (3,) per mm2: it is low across the slices."""
        spec = SPECS[self.plane]
        pitch = np.abs(spec.directions).T @ np.asarray(spec.spacing)
        return np.asarray(1 / pitch**2)


@dataclass(frozen=True)
class _Source:
    home: SeriesFindings
    finding: Finding


def fuse(study: Sequence[SeriesFindings]) -> tuple[FusedFinding, ...]:
    """Findings of one category that overlap across series, as one each, matched in the order of their scores."""
    remaining = sorted(
        (_Source(home, finding) for home in study for finding in home.findings),
        key=lambda source: -source.finding.score,
    )
    fused = []
    while remaining:
        first = remaining[0]
        group = [first, *_matches(first, remaining)]
        remaining = [source for source in remaining if not any(source is member for member in group)]
        fused.append(_fused(group, study))
    return tuple(sorted(fused, key=lambda each: -each.score))


def _matches(first: _Source, remaining: Sequence[_Source]) -> list[_Source]:
    """Of every other series the finding with the largest overlap, if that is at least `SAME`."""
    others = [m for m in remaining if m.home is not first.home and m.finding.category == first.finding.category]
    overlap = iou([first.finding.box], [source.finding.box for source in others])[0]
    best: dict[str, tuple[float, _Source]] = {}
    for value, source in zip(overlap.tolist(), others, strict=True):
        if value >= SAME and value > best.get(source.home.series, (0.0, source))[0]:
            best[source.home.series] = (value, source)
    return [source for _, source in best.values()]


def _fused(group: Sequence[_Source], study: Sequence[SeriesFindings]) -> FusedFinding:
    best = group[0].finding
    low, high = bounds([source.finding.box for source in group])
    weight = np.array([source.home.precision * max(source.finding.score, 1e-6) for source in group])
    low, high = ((limits * weight).sum(0) / weight.sum(0) for limits in (low, high))
    seen = {source.home.series for source in group}
    covered = len(seen | {home.series for home in study if home.covers(best.box)})
    return FusedFinding(
        category=best.category,
        score=sum(source.finding.score for source in group) / covered,
        level=next((source.finding.level for source in group if source.finding.level), None),
        box=Box(center=_triple((low + high) / 2), size=_triple(high - low)),
        series=tuple(source.home.series for source in group),
        scores=tuple(source.finding.score for source in group),
        covered=covered,
    )


def _triple(values: Array) -> tuple[float, float, float]:
    r, a, s = values.tolist()
    return r, a, s
