"""What runs lengthwise through the canal: epidural fat, ligamenta flava, thecal sac, cord and cauda equina."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from spinedet.simulation.anatomy import Array, Spine
from spinedet.simulation.canvas import Canvas, Field
from spinedet.simulation.degeneration import DiscState
from spinedet.simulation.lane import Lane
from spinedet.simulation.shapes import ellipse
from spinedet.simulation.tissue import CORD, CSF, FAT, LIGAMENT, ROOT

# Front to back, at the height of each body (mm in an average adult): depth of the bony canal, gap between body and sac,
# depth and half width of the sac.
_SHAPE = {
    "S5": (4.0, 2.0, 0.0, 0.0),
    "S4": (6.0, 3.0, 0.0, 0.0),
    "S3": (8.0, 4.0, 0.0, 0.0),
    "S2": (11.0, 3.5, 6.0, 5.5),
    "S1": (14.5, 3.2, 9.5, 7.5),
    "L5": (16.5, 1.8, 12.8, 9.0),
    "L4": (16.3, 1.0, 14.0, 9.6),
    "L3": (16.5, 0.9, 14.6, 10.2),
    "L2": (16.8, 0.9, 15.0, 10.6),
    "L1": (17.0, 0.9, 15.2, 10.8),
    "T12": (16.2, 0.9, 14.4, 10.2),
    "T11": (15.4, 0.9, 13.4, 9.2),
    "T10": (14.8, 0.9, 12.8, 8.6),
    "T9": (14.6, 0.9, 12.6, 8.4),
    "T8": (14.6, 0.9, 12.6, 8.4),
}


@dataclass(frozen=True, slots=True, eq=False)
class Canal:
    """Tables over the curve's entries (mm) and the strands of the cauda equina.

    Attributes:
        depth: room behind the bodies in the midline.
        front, sac_depth, half_width: where the sac begins, how deep it is, half its width.
        flavum: thickness of the ligament at the rear.
        cord: half depth of the cord or conus, 0 below its tip.
        strands: (k, 2, n) aside and behind of each rootlet, relative to the sac's half sizes.
    """

    depth: Array
    front: Array
    sac_depth: Array
    half_width: Array
    flavum: Array
    cord: Array
    strands: Array

    def paint(self, canvas: Canvas, lane: Lane) -> None:
        """Everything in the canal, from the outside in."""
        near = lane.within(16, (-4, 30))
        if near is None:
            return
        lane = near
        aside, behind = lane.aside, lane.behind
        sac_half = lane.take(self.sac_depth) / 2
        wide = np.maximum(lane.take(self.half_width), 0.5)
        roof = behind + 0.38 * np.abs(aside) - lane.take(self.depth)
        room = np.maximum(np.maximum(roof, -behind - 3), np.abs(aside) - wide - 2.5)
        canvas.paint(lane.window, canvas.cover(room), FAT, 0.9)
        flavum = np.maximum(np.maximum(roof - 0.8, -roof - lane.take(self.flavum)), np.abs(aside) - 14)
        canvas.paint(lane.window, canvas.cover(flavum), LIGAMENT)
        inward = behind - lane.take(self.front) - sac_half
        sac = ellipse(aside, inward, wide, np.maximum(sac_half, 0.4)) + (sac_half < 0.5) * np.float32(9)
        canvas.paint(lane.window, canvas.cover(sac - 0.5), LIGAMENT)
        canvas.paint(lane.window, canvas.cover(sac + 0.1), CSF)
        self._paint_strands(canvas, lane, aside / wide, inward / np.maximum(sac_half, 0.4))
        cord = lane.take(self.cord)
        inside = ellipse(aside, inward - 0.12 * sac_half, np.maximum(1.2 * cord, 0.2), np.maximum(cord, 0.2))
        canvas.paint(lane.window, canvas.cover(inside) * (cord > 0.3), CORD)

    def _paint_strands(self, canvas: Canvas, lane: Lane, u: Field, v: Field) -> None:
        """Rootlets: thin, so each covers its pixels only in part."""
        half = lane.take(self.half_width)
        nearest = np.full((1, 1), 9.0, np.float32)
        for aside, behind in self.strands:
            across = (u - lane.take(aside)) * half
            along = (v - lane.take(behind)) * half
            nearest = np.minimum(nearest, across * across + along * along)
        canvas.paint(lane.window, 0.85 * np.clip(1.25 - np.sqrt(nearest), 0, 1), ROOT)


def draw_canal(spine: Spine, states: dict[str, DiscState], rng: np.random.Generator) -> Canal:
    """The canal of one patient, narrowed where the states say so."""
    z = spine.curve.z
    own = spine.patient.scale * float(np.clip(rng.normal(1, 0.07), 0.85, 1.15))
    depth, front, sac, wide = (own * _along(spine, column) for column in range(4))
    roomy = float(np.clip(rng.normal(1.0, 0.06), 0.85, 1.1))
    sac, wide = sac * roomy, wide * roomy
    flavum = np.full_like(z, 1.2)
    for disc in spine.discs:
        state = states[disc.level]
        height = disc.frame.at(0, -disc.half_depth, 0)[2]
        near = _bump(z, height, 13.0)
        depth = depth + near * 4.0 * own * (1 - state.stenosis)
        tight = _bump(z, height, 11.0) * state.stenosis
        sac, wide = sac * (1 - 0.8 * tight), wide * (1 - 0.9 * tight)
        front = front + 0.6 * tight * 3
        flavum = flavum + near * (1.8 + 5.0 * state.stenosis)
    tip = _conus_tip(spine, rng)
    cord = np.clip((z - tip) / 22.0, 0, 1) ** 0.6 * 4.1 * spine.patient.scale
    return Canal(depth, front, sac, wide, flavum, cord, _strands(z, tip, sac, rng))


def _along(spine: Spine, column: int) -> Array:
    """One measure at every entry of the curve."""
    bones = sorted(spine.vertebrae, key=lambda bone: bone.frame.center[2])
    heights = [bone.frame.at(0, -bone.half_depth, 0)[2] for bone in bones]
    return np.interp(spine.curve.z, heights, [_SHAPE[bone.name][column] for bone in bones])


def _bump(z: Array, center: float, half_width: float) -> Array:
    return np.maximum(1 - ((z - center) / half_width) ** 2, 0) ** 2


def _conus_tip(spine: Spine, rng: np.random.Generator) -> float:
    """Height of the conus' tip: around the disc L1/L2 (Saifuddin et al., Spine 23:1452, 1998)."""
    heights = {disc.level: disc.frame.center[2] for disc in spine.discs}
    return heights["L1/L2"] + float(rng.normal(4, 11))


def _strands(z: Array, tip: float, sac: Array, rng: np.random.Generator) -> Array:
    """Rootlets from the conus down: they lie in the rear half of the sac of a patient on the back."""
    strands = []
    for side in np.linspace(-0.68, 0.68, 14):
        ends = float(rng.uniform(-30, 60))
        phase, sway = rng.uniform(0, 40), rng.uniform(0.02, 0.08)
        wave = sway * _triangle((z + phase) / rng.uniform(30, 60))
        spread = np.clip((tip + 12 - z) / 50, 0.25, 1)
        aside = side * spread + wave
        behind = rng.uniform(0.15, 0.75) * np.sqrt(1 - side * side) * np.clip((tip + 15 - z) / 40, 0.3, 1) + wave
        hidden = (z > tip + 14) | (z < ends) | (sac < 3)
        strands.append(np.stack([np.where(hidden, -9.0, aside), behind]))
    return np.array(strands)


def _triangle(x: Array) -> Array:
    """A smooth wave between -1 and 1 without a call to a mathematics library."""
    ramp = 2 * np.abs(x % 2 - 1) - 1
    return ramp * (1.5 - 0.5 * ramp * ramp)
