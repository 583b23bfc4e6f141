"""Coordinates that follow the spine: how far aside of and behind the rear walls of the bodies a pixel lies."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spinedet.simulation.anatomy import TABLE_STEP, Array, Curve
from spinedet.simulation.canvas import Canvas, Field, Window


@dataclass(frozen=True, slots=True, eq=False)
class Lane:
    """The pixels of a window as seen from the curve of a spine.

    Attributes:
        aside: mm to the right of the curve.
        behind: mm behind the curve, at right angles to it; inside the bodies it is negative.
        entry: the curve's entry at each pixel's height.
    """

    window: Window
    aside: Field
    behind: Field
    entry: NDArray[np.int32]

    def take(self, table: Array) -> Field:
        """A table over the curve's entries, at every pixel."""
        return table.astype(np.float32)[self.entry]


def lane_of(canvas: Canvas, window: Window, curve: Curve) -> Lane:
    """Spine coordinates of a window."""
    origin = (0.0, 0.0, curve.bottom)
    height = canvas.coordinate(window, origin, (0.0, 0.0, 1.0))
    entry = np.clip(height * np.float32(1 / TABLE_STEP), 0, len(curve.x) - 1).astype(np.int32)
    x = canvas.coordinate(window, origin, (1.0, 0.0, 0.0))
    y = canvas.coordinate(window, origin, (0.0, 1.0, 0.0))
    aside = x - curve.x.astype(np.float32)[entry]
    behind = (curve.y.astype(np.float32)[entry] - y) * curve.slant.astype(np.float32)[entry]
    return Lane(window, aside, behind, entry)
