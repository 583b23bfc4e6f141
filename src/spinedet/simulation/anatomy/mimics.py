"""Mimics: bright or dark structures beside the discs that are not degeneration."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from spinedet.simulation.anatomy.spine import Frame, Spine
from spinedet.simulation.painting.canvas import Block, Canvas
from spinedet.simulation.painting.shapes import ellipsoid
from spinedet.simulation.painting.tissue import CSF, LIGAMENT

# Share of patients with a cyst of a sacral root (Paulsen et al., AJNR 15:293, 1994, found 4.6 %).
_TARLOV = 0.046


@dataclass(frozen=True)
class Cyst:
    """A Tarlov cyst: a bag of CSF around a sacral root."""

    frame: Frame
    radii: tuple[float, float, float]

    @cached_property
    def block(self) -> Block:
        """The block that bounds it."""
        right, anterior, up = (r + 2 for r in self.radii)
        return Block(self.frame, (right, anterior, up))

    def paint(self, canvas: Canvas) -> None:
        """A thin wall and fluid."""
        window = canvas.window(self.block)
        if window is None:
            return
        x, a, s = canvas.warped(window, self.frame, 0.6)
        distance = ellipsoid(x, a, s, self.radii)
        canvas.paint(window, canvas.cover(distance - 0.5), LIGAMENT)
        canvas.paint(window, canvas.cover(distance), CSF)


def draw_cysts(spine: Spine, rng: np.random.Generator) -> tuple[Cyst, ...]:
    """None, or one to three beside S2 and S3."""
    if rng.random() > _TARLOV:
        return ()
    cysts = []
    for _ in range(int(rng.integers(1, 4))):
        bone = spine.bone("S2" if rng.random() < 0.7 else "S3")
        frame = bone.frame.moved(rng.normal(0, 7), -bone.half_depth - 4, rng.normal(0, 6))
        cysts.append(Cyst(frame, (rng.uniform(3, 8), rng.uniform(3, 6), rng.uniform(4, 10))))
    return tuple(cysts)
