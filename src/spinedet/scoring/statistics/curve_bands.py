"""Curves with monotone bands, on grids that figures and spreadsheets share."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from spinedet.scoring.metrics.counts import FROC_GRID, RECALLS, PartCounts, height_name
from spinedet.scoring.metrics.froc_pr import Curve, Ledger
from spinedet.scoring.records import Estimate
from spinedet.scoring.statistics.estimates import Statistics, rising


@dataclass(frozen=True, slots=True)
class CurvePoint:
    """A place on a curve: sensitivity over false positives per scan (`froc`), or precision over recall (`pr`)."""

    curve: str
    x: float
    y: Estimate
    threshold: float | None


def curve_points(counted: PartCounts, numbers: Statistics) -> Iterator[CurvePoint]:
    """The points with their bands and the thresholds at which they are reached, categories pooled.

    Args:
        counted: a part, counted as `drawn`. numbers: its statistics.
    """
    book, curve = counted.book, counted.book.curve()
    heights = rising([numbers.estimate(height_name("froc", row)) for row in range(len(FROC_GRID))])
    for rate, height, threshold in zip(FROC_GRID, heights, _froc_thresholds(book, curve), strict=True):
        yield CurvePoint("froc", rate, height, threshold)
    thresholds = _recall_thresholds(book, curve)
    heights = rising([numbers.estimate(height_name("pr", row)) for row in range(len(RECALLS))][::-1])[::-1]
    for recall, height, threshold in zip(RECALLS, heights, thresholds, strict=True):
        yield CurvePoint("pr", recall, height, threshold)


def _froc_thresholds(book: Ledger, curve: Curve) -> list[float | None]:
    """The lowest score of a hit that keeps to each rate; None where not even the highest does."""
    last = np.searchsorted(curve.fp[:, 0], np.multiply(FROC_GRID, curve.scans[0]), side="right") - 1
    return [float(book.threshold[row]) if row >= 0 else None for row in last.tolist()]


def _recall_thresholds(book: Ledger, curve: Curve) -> list[float | None]:
    """The highest score that reaches each recall; None where no score does."""
    first = np.searchsorted(curve.tp[:, 0], np.ceil(np.arange(101) * curve.lesions[0] / 100), side="left")
    return [float(book.threshold[row]) if row < len(book.threshold) else None for row in first.tolist()]
