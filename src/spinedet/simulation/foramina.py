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
        """Fat, the root in its upper part and small veins around it."""
        bone, k = self.bone, self.bone.half_depth / 17.0
        middle = bone.frame.moved(self.side * 16.5 * k, -bone.half_depth - 4.5 * k, -0.5 * bone.height - 1)
        high = 0.30 * bone.height + 0.5 * self.disc_height
        window = canvas.window(middle.center, max(high, 9 * k))
        if window is None:
            return
        x, a, s = canvas.local(window, middle)
        hole = ellipsoid(x, a, s - 1, (7.5 * k, 5.2 * k * (1 - 0.6 * self.overgrowth), high))
        canvas.paint(window, canvas.cover(hole), FAT, 0.9)
        up = s - 0.28 * bone.height + 0.35 * x * self.side
        root = ellipsoid(x, a + 0.5, up, (9 * k, 2.5 * k, 2.7 * k))
        canvas.paint(window, canvas.cover(root - 0.4), LIGAMENT)
        canvas.paint(window, canvas.cover(root + 0.4), ROOT)
