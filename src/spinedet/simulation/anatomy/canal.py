"""What runs lengthwise through the canal: epidural fat, ligamenta flava, thecal sac, cord and rootlets."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from spinedet.simulation.anatomy.degeneration import DiscState
from spinedet.simulation.anatomy.spine import Array, Spine, along
from spinedet.simulation.anatomy.spine_coordinates import SpineCoordinates
from spinedet.simulation.painting.canvas import Canvas, Field
from spinedet.simulation.painting.shapes import ellipse
from spinedet.simulation.painting.texture import Texture
from spinedet.simulation.painting.tissue import CORD, CSF, FAT, LIGAMENT, ROOT

# At the height of each body (mm in an average adult): depth of the bony canal, gap between body and sac, depth and half
# width of the sac.
Table = dict[str, tuple[float, ...]]


# What the canal takes in beside, before and behind the rear walls of the bodies, mm.
ASIDE, BEHIND = 19.0, (-4.0, 32.0)


@dataclass(frozen=True, slots=True, eq=False)
class Canal:
    """Tables over the curve's entries (mm) and the strands of the cauda equina.

    Attributes:
        depth: room behind the bodies in the midline.
        front, sac_depth, half_width: where the sac begins, how deep it is, half its width.
        flavum: thickness of the ligament at the rear.
        slack: room beside the sac.
        pinch: how far ligaments and facets squeeze the sac's corners, 0 to 1.
        cord: (2, n) half depth and half width of the cord, 0 where there is none.
        strands: (k, 2, n) aside and behind of each rootlet, relative to the sac's half sizes.
        flow: texture of the signal that moving fluid loses, and how much, 0 to 1.
    """

    depth: Array
    front: Array
    sac_depth: Array
    half_width: Array
    flavum: Array
    slack: float
    pinch: Array
    cord: Array
    strands: Array
    flow: tuple[Texture, float]

    def paint(self, canvas: Canvas, coords: SpineCoordinates) -> None:
        """Everything in the canal, from the outside in."""
        aside, behind = coords.aside, coords.behind
        wide = np.abs(aside)
        half_width = np.maximum(coords.take(self.half_width), 0.5)
        roof = behind + 0.42 * wide - coords.take(self.depth)
        room = np.maximum(np.maximum(roof, -behind - 3), wide - half_width - self.slack)
        canvas.paint(coords.window, canvas.cover(room), FAT)
        thick = coords.take(self.flavum) * (0.55 + 0.06 * wide)
        flavum = np.maximum(np.maximum(roof - 0.8, -roof - thick), wide - 15)
        canvas.paint(coords.window, canvas.cover(flavum), LIGAMENT)
        half = np.maximum(coords.take(self.sac_depth) / 2, 0.4)
        inward = behind - coords.take(self.front) - half
        self._paint_sac(canvas, coords, (aside, inward), (half_width, half))
        cord_depth = np.minimum(coords.take(self.cord[0]), 0.88 * half)
        cord_width = np.minimum(coords.take(self.cord[1]), 0.92 * half_width)
        inside = ellipse(
            aside,
            inward - 0.1 * half,
            np.maximum(cord_width, 0.2),
            np.maximum(cord_depth, 0.2),
        )
        canvas.paint(coords.window, canvas.cover(inside) * (cord_depth > 0.3), CORD)

    def _paint_sac(
        self,
        canvas: Canvas,
        coords: SpineCoordinates,
        place: tuple[Field, Field],
        size: tuple[Field, Field],
    ) -> None:
        """Dura, fluid and rootlets; a squeezed sac is three-cornered."""
        (aside, inward), (half_width, half) = place, size
        narrower = half_width * (1 - 0.45 * coords.take(self.pinch) * np.clip(0.5 + inward / (2 * half), 0, 1))
        absent = (half < 0.6) * np.float32(9)
        sac = ellipse(aside, inward, np.maximum(narrower, 0.4), half) + absent
        canvas.paint(coords.window, canvas.cover(sac - 0.5), LIGAMENT)
        texture, loss = self.flow
        void = 1 - loss * np.clip(texture.over(canvas, coords.window) - 0.4, 0, 1.3)
        canvas.paint(coords.window, canvas.cover(sac + 0.1), CSF, void)
        u, v = aside / half_width, inward / half
        nearest = np.full((1, 1), 9.0, np.float32)
        for beside, behind in self.strands:
            across = (u - coords.take_along(beside)) * half_width
            down = (v - coords.take_along(behind)) * half
            nearest = np.minimum(nearest, across * across + down * down)
        canvas.paint(
            coords.window,
            0.8 * np.clip(1.3 - np.sqrt(nearest), 0, 1) * canvas.cover(sac + 0.3),
            ROOT,
        )


@dataclass(frozen=True, slots=True)
class CanalSettings:
    """What a region's canal is made from: table, extra depth between the laminae, room beside the sac, contents."""

    table: Table
    recess: float
    slack: float
    cord: Array
    strands: Array
    flow: tuple[Texture, float]


def build_canal(spine: Spine, states: dict[str, DiscState], fluid: CanalSettings, rng: np.random.Generator) -> Canal:
    """The canal of one patient, narrowed according to the states."""
    z = spine.curve.z
    own = spine.patient.scale * float(np.clip(rng.normal(1, 0.06), 0.86, 1.15))
    depth, front, sac, wide = (own * along(spine, fluid.table, column) for column in range(4))
    roomy = float(np.clip(rng.normal(1.0, 0.06), 0.85, 1.08))
    sac, wide = sac * roomy, wide * roomy
    flavum, pinch = np.full_like(z, 1.2), np.zeros_like(z)
    for disc in spine.discs:
        state = states.get(disc.level)
        if state is None:
            continue
        height = disc.frame.at(0, -disc.half_depth, 0)[2]
        near, tight = bump(z, height, 13.0), bump(z, height, 11.0) * state.stenosis
        depth = depth + near * fluid.recess * own * (1 - state.stenosis)
        sac, wide = sac * (1 - 0.75 * tight), wide * (1 - 0.6 * tight)
        pinch = np.maximum(pinch, bump(z, height, 11.0) * min(1.6 * state.stenosis + 0.1, 1.0))
        flavum = flavum + near * (2.0 + 5.0 * state.stenosis)
    return Canal(depth, front, sac, wide, flavum, fluid.slack, pinch, fluid.cord, fluid.strands, fluid.flow)


def bump(z: Array, center: float, half_width: float) -> Array:
    """1 at the centre, smoothly 0 beyond `half_width` mm."""
    return np.maximum(1 - ((z - center) / half_width) ** 2, 0) ** 2


def ripple(x: Array) -> Array:
    """A smooth wave between -1 and 1, of period 2, without a call to a mathematics library."""
    ramp = 2 * np.abs(x % 2 - 1) - 1
    return ramp * (1.5 - 0.5 * ramp * ramp)
