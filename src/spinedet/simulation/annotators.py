"""Annotation by the annotators of a centre: margin, jitter, omissions."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from spinedet.core.geometry import EdgeBox, Grid


@dataclass
class AnnotationHabits:
    """Annotation habits of a centre.

    Attributes:
        margin: by how much boxes are drawn too large on every side in the slice plane, mm (negative: too small).
        jitter: deviation of every drawn edge, mm.
        misses: share of mild lesions that a reader overlooks; severe ones are overlooked at a third of the rate.
        raters: 1, or 2 who read apart: edges are averaged, and what only one of them marks is equivocal.
    """

    margin: float = 0.0
    jitter: float = 0.0
    misses: float = 0.0
    raters: int = 1


@dataclass(frozen=True, slots=True, eq=False)
class Annotation:
    """The box that the annotators agreed on, and whether they disagreed that there is a lesion."""

    box: EdgeBox
    disputed: bool


def annotate(
    truth: EdgeBox, grid: Grid, severity: int, habits: AnnotationHabits, rng: np.random.Generator
) -> Annotation | None:
    """One lesion as the centre's annotators draw it, edges in voxels; None when all of them overlook it."""
    rate = habits.misses * (1.0 if severity <= 1 else 0.6 if severity == 2 else 1 / 3)
    drawn = [_drawn(truth, grid, habits, rng) for _ in range(habits.raters) if rng.random() >= rate]
    if not drawn:
        return None
    low, high = (np.mean([getattr(box, side) for box in drawn], axis=0) for side in ("low", "high"))
    return Annotation(_on_slices(EdgeBox(low, high), grid), disputed=len(drawn) < habits.raters)


def _drawn(truth: EdgeBox, grid: Grid, habits: AnnotationHabits, rng: np.random.Generator) -> EdgeBox:
    """One annotator's box: its sides in the slice plane moved by margin and jitter."""
    shift = np.zeros((2, 3))
    shift[:, :2] = (habits.margin + habits.jitter * rng.standard_normal((2, 2))) / grid.spacing[:2]
    # No hand draws a box of less than two pixels.
    low, high = truth.low - shift[0], truth.high + shift[1]
    middle, half = (low + high) / 2, np.maximum((high - low) / 2, 1.0)
    return EdgeBox(
        np.where(shift[0] == 0, low, middle - half),
        np.where(shift[1] == 0, high, middle + half),
    )


def _on_slices(box: EdgeBox, grid: Grid) -> EdgeBox:
    """Whole slices across the stack: an annotator draws on slices, and takes those that the lesion fills at least half.

    Only where slices are thick; on nearly isotropic voxels nobody draws slice by slice.
    """
    if grid.spacing[2] < 2 * grid.spacing[0]:
        return box
    low, high = box.low.copy(), box.high.copy()
    middle = np.floor((low[2] + high[2]) / 2)
    low[2], high[2] = np.floor(low[2] + 0.5), np.floor(high[2] + 0.5)
    if high[2] <= low[2]:
        low[2], high[2] = middle, middle + 1
    return EdgeBox(low, high)
