"""The neural foramina: fat around the exiting root."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from spinedet.simulation.anatomy.spine import Frame, Vertebra
from spinedet.simulation.painting.canvas import Block, Canvas
from spinedet.simulation.painting.shapes import ellipsoid
from spinedet.simulation.painting.tissue import FAT, LIGAMENT, ROOT


@dataclass(frozen=True)
class Foramen:
    """The foramen below one pedicle: `side` is 1 to the right, -1 to the left; overgrown facets narrow it."""

    bone: Vertebra
    disc_height: float
    side: float
    overgrowth: float

    @cached_property
    def block(self) -> Block:
        """The block that bounds it."""
        k = self.bone.half_depth / 18.5
        return Block(self._middle, (9 * k + 2, 6 * k + 2, self._high + 3))

    @property
    def _high(self) -> float:
        return (0.28 * self.bone.height + 0.45 * self.disc_height) * (1 - 0.3 * self.overgrowth)

    @property
    def _middle(self) -> Frame:
        bone, k = self.bone, self.bone.half_depth / 18.5
        return bone.frame.moved(self.side * 17 * k, -bone.half_depth - 4.5 * k, -0.5 * bone.height - 1)

    def paint(self, canvas: Canvas) -> None:
        """Fat, and the root in its upper part."""
        bone, k = self.bone, self.bone.half_depth / 18.5
        window = canvas.window(self.block)
        if window is None:
            return
        x, a, s = canvas.warped(window, self._middle, 0.8)
        hole = ellipsoid(x, a, s - 1, (7.5 * k, 5.2 * k * (1 - 0.65 * self.overgrowth), self._high))
        canvas.paint(window, canvas.cover(hole), FAT, 0.9)
        up = s - 0.24 * bone.height + 0.35 * x * self.side
        root = ellipsoid(x, a + 0.5, up, (9 * k, 2.5 * k * (1 - 0.35 * self.overgrowth), 2.9 * k))
        canvas.paint(window, canvas.cover(root - 0.4), LIGAMENT)
        canvas.paint(window, canvas.cover(root + 0.4), ROOT)
