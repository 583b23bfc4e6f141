"""Coordinates that follow the spine: how far aside of and behind the rear walls of the bodies a pixel lies."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spinedet.simulation.anatomy.spine import TABLE_STEP, Array, Curve
from spinedet.simulation.painting.canvas import Canvas, Field, Window


@dataclass(frozen=True, slots=True, eq=False)
class SpineCoordinates:
    """The pixels of a window as seen from the curve of a spine.

    Attributes:
        aside: mm to the right of the curve.
        behind: mm behind the curve, at right angles to it; inside the bodies it is negative.
        entry: the curve's entry at each pixel's height.
        y: mm forwards, as the patient lies.
    """

    window: Window
    aside: Field
    behind: Field
    entry: NDArray[np.int32]
    y: Field

    def take(self, table: Array) -> Field:
        """A table over the curve's entries, at every pixel."""
        return table.astype(np.float32)[self.entry]

    def take_along(self, table: Array) -> Field:
        """As `take`, with one height per row or per column, whichever the heights follow: for what changes slowly."""
        rows, columns = self.entry.shape
        downwards = abs(int(self.entry[-1, 0]) - int(self.entry[0, 0]))
        sideways = abs(int(self.entry[0, -1]) - int(self.entry[0, 0]))
        middle = (slice(None), slice(columns // 2, columns // 2 + 1))
        line = self.entry[middle] if downwards >= sideways else self.entry[rows // 2 : rows // 2 + 1]
        return table.astype(np.float32)[line]

    def within(self, aside: float, behind: tuple[float, float]) -> SpineCoordinates | None:
        """The smallest window that holds all pixels no farther aside and no farther before or behind than given."""
        inside = (np.abs(self.aside) <= aside) & (self.behind >= behind[0]) & (self.behind <= behind[1])
        rows, columns = (_span(inside, axis, count) for axis, count in ((1, self._size(0)), (0, self._size(1))))
        if rows is None or columns is None:
            return None
        window = Window(_shifted(rows, self.window.rows), _shifted(columns, self.window.columns))
        return SpineCoordinates(
            window,
            *(_cut(part, rows, columns) for part in (self.aside, self.behind, self.entry, self.y)),
        )

    def _size(self, axis: int) -> int:
        span = (self.window.rows, self.window.columns)[axis]
        return int(span.stop - span.start)


def _span(inside: NDArray[np.bool_], axis: int, count: int) -> slice | None:
    """First to last true place along the other axis; a broadcast dimension is true everywhere or nowhere."""
    hit = np.flatnonzero(inside.any(axis=axis))
    if not len(hit):
        return None
    whole = inside.shape[1 - axis] == 1
    return slice(0, count) if whole else slice(int(hit[0]), int(hit[-1]) + 1)


def _shifted(span: slice, base: slice) -> slice:
    return slice(base.start + span.start, base.start + span.stop)


def _cut(part: Any, rows: slice, columns: slice) -> Any:
    """The window's share of an array that may broadcast along rows or columns."""
    return part[
        rows if part.shape[0] > 1 else slice(None),
        columns if part.shape[1] > 1 else slice(None),
    ]


def lane_of(canvas: Canvas, window: Window, curve: Curve) -> SpineCoordinates:
    """Spine coordinates of a window."""
    origin = (0.0, 0.0, curve.bottom)
    height = canvas.coordinate(window, origin, (0.0, 0.0, 1.0))
    entry = np.clip(height * np.float32(1 / TABLE_STEP), 0, len(curve.x) - 1).astype(np.int32)
    x = canvas.coordinate(window, origin, (1.0, 0.0, 0.0))
    y = canvas.coordinate(window, origin, (0.0, 1.0, 0.0))
    aside = x - curve.x.astype(np.float32)[entry]
    behind = (curve.y.astype(np.float32)[entry] - y) * curve.slant.astype(np.float32)[entry]
    return SpineCoordinates(window, aside, behind, entry, y)
