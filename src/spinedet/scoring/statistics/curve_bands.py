"""Curves with monotone bands, on grids that figures and spreadsheets share."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from spinedet.scoring.matching.overlaps import Floats, Ints
from spinedet.scoring.metrics.counts import PartCounts
from spinedet.scoring.metrics.froc_pr import Curve, Ledger
from spinedet.scoring.records import Estimate
from spinedet.scoring.statistics.estimates import Statistics, rising

# Eight steps to an octave from 1/16 to 16 false positives per scan; the seven rates of the FROC are among them.
FROC_GRID: tuple[float, ...] = tuple(2.0 ** (step / 8) for step in range(-32, 33))


@dataclass(frozen=True, slots=True)
class CurvePoint:
    """A place on a curve: sensitivity over false positives per scan (`froc`), or precision over recall (`pr`)."""

    curve: str
    x: float
    y: Estimate
    threshold: float | None


@dataclass(frozen=True, slots=True, eq=False)
class GridCurves:
    """Both curves of a part on their grids."""

    members: Ints
    book: Ledger
    batch: int

    def measure(self, weights: Floats) -> dict[str, Floats]:
        """Each grid point's height, (B,)."""
        curve = self.book.weigh(weights)
        froc, recall = curve.sensitivity(FROC_GRID), curve.interpolated_precision()
        return {
            **{_name("froc", row): height for row, height in enumerate(froc)},
            **{_name("pr", row): height for row, height in enumerate(recall)},
        }


def grid_curves(counted: PartCounts) -> GridCurves:
    """The curves of a part, its categories pooled."""
    return GridCurves(counted.members, counted.book, counted.batch)


def curve_points(curves: GridCurves, numbers: Statistics) -> Iterator[CurvePoint]:
    """The points with their bands and the thresholds at which they are reached."""
    curve = curves.book.curve()
    heights = rising([numbers.estimate(_name("froc", row)) for row in range(len(FROC_GRID))])
    for rate, height, threshold in zip(FROC_GRID, heights, _froc_thresholds(curves.book, curve), strict=True):
        yield CurvePoint("froc", rate, height, threshold)
    thresholds = _recall_thresholds(curves.book, curve)
    heights = rising([numbers.estimate(_name("pr", row)) for row in range(len(thresholds))][::-1])[::-1]
    for row, (height, threshold) in enumerate(zip(heights, thresholds, strict=True)):
        yield CurvePoint("pr", row / 100, height, threshold)


def _name(curve: str, row: int) -> str:
    return f"{curve} {row}"


def _froc_thresholds(book: Ledger, curve: Curve) -> list[float | None]:
    """The lowest score of a hit that keeps to each rate; None where not even the highest does."""
    last = np.searchsorted(curve.fp[:, 0], np.multiply(FROC_GRID, curve.scans[0]), side="right") - 1
    return [float(book.threshold[row]) if row >= 0 else None for row in last.tolist()]


def _recall_thresholds(book: Ledger, curve: Curve) -> list[float | None]:
    """The highest score that reaches each recall; None where no score does."""
    first = np.searchsorted(curve.tp[:, 0], np.ceil(np.arange(101) * curve.lesions[0] / 100), side="left")
    return [float(book.threshold[row]) if row < len(book.threshold) else None for row in first.tolist()]
