"""The neural foramina: fat around the exiting root."""

from __future__ import annotations

from dataclasses import dataclass

from spinedet.simulation.anatomy import Vertebra
from spinedet.simulation.canvas import Canvas
from spinedet.simulation.shapes import ellipsoid
from spinedet.simulation.tissue import FAT, LIGAMENT, ROOT


@dataclass(frozen=True, slots=True)
class Foramen:
    """The foramen below one pedicle: `side` is 1 to the right, -1 to the left; overgrown facets narrow it."""

    bone: Vertebra
    disc_height: float
    side: float
    overgrowth: float

    def paint(self, canvas: Canvas) -> None:
        """Fat, and the root in its upper part."""
        bone, k = self.bone, self.bone.half_depth / 17.0
        middle = bone.frame.moved(self.side * 17 * k, -bone.half_depth - 4.5 * k, -0.5 * bone.height - 1)
        high = (0.28 * bone.height + 0.45 * self.disc_height) * (1 - 0.3 * self.overgrowth)
        window = canvas.window(middle.center, max(high, 9 * k))
        if window is None:
            return
        x, a, s = canvas.warped(window, middle, 0.8)
        hole = ellipsoid(x, a, s - 1, (7.5 * k, 5.2 * k * (1 - 0.65 * self.overgrowth), high))
        canvas.paint(window, canvas.cover(hole), FAT, 0.9)
        up = s - 0.24 * bone.height + 0.35 * x * self.side
        root = ellipsoid(x, a + 0.5, up, (9 * k, 2.5 * k * (1 - 0.35 * self.overgrowth), 2.9 * k))
        canvas.paint(window, canvas.cover(root - 0.4), LIGAMENT)
        canvas.paint(window, canvas.cover(root + 0.4), ROOT)
