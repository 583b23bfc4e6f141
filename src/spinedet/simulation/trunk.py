"""Everything around the spine: skin, fat, back muscles, psoas, great vessels, bowel."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from spinedet.simulation.anatomy import Array, Spine
from spinedet.simulation.canvas import Canvas, Field
from spinedet.simulation.lane import Lane
from spinedet.simulation.shapes import ellipse
from spinedet.simulation.texture import Texture, draw_texture
from spinedet.simulation.tissue import AIR, BLOOD, BOWEL, FAT, LIGAMENT, MUSCLE, SKIN

# Distance from the rear wall of the body to the tip of the spinous process, and back fat relative to the patient's.
_BACK = {
    "S5": (11.0, 1.0),
    "S4": (15.0, 1.2),
    "S3": (20.0, 1.4),
    "S2": (26.0, 1.5),
    "S1": (34.0, 1.5),
    "L5": (47.0, 1.25),
    "L4": (52.0, 1.05),
    "L3": (54.0, 0.9),
    "L2": (54.0, 0.8),
    "L1": (52.0, 0.7),
    "T12": (50.0, 0.62),
    "T11": (47.0, 0.58),
    "T10": (45.0, 0.55),
    "T9": (43.0, 0.55),
    "T8": (42.0, 0.55),
}


@dataclass(frozen=True, slots=True, eq=False)
class Trunk:
    """The soft tissues of one patient; lengths in mm, tables over the curve's entries.

    Attributes:
        z: heights of the entries.
        tip: reach of the spinous processes behind the bodies.
        fat: thickness of the fat of the back.
        front, half_width: where the belly ends before the rear walls of the bodies, and the flank.
        wasting: share of fat in the back muscles, 0 to 1.
        bulk: size of the muscles relative to the average.
        fork: z of the aortic bifurcation.
        vessels: (aside, before, radius) of aorta and vena cava at the fork.
        coarse, fine, streaks: textures of bowel, fat and muscle.
    """

    z: Array
    tip: Array
    fat: Array
    front: float
    half_width: float
    wasting: float
    bulk: float
    fork: float
    vessels: tuple[tuple[float, float, float], ...]
    coarse: Texture
    fine: Texture
    streaks: Texture

    def paint(self, canvas: Canvas, lane: Lane) -> None:
        """From the skin inwards."""
        skin = self._skin(lane)
        fine = self.fine.over(canvas, lane.window)
        canvas.paint(lane.window, canvas.cover(skin), SKIN)
        septa = 1 - 0.35 * np.clip(fine - 1.3, 0, 1)
        canvas.paint(lane.window, canvas.cover(skin + 2.0), FAT, septa)
        self._paint_back(canvas, lane)
        self._paint_belly(canvas, lane)
        self._paint_psoas(canvas, lane)
        self._paint_vessels(canvas, lane)

    def _skin(self, lane: Lane) -> Field:
        wide = np.abs(lane.aside)
        flank = np.maximum(wide - 55, 0)
        back = lane.behind - lane.take(self.tip + self.fat) + 0.006 * flank * flank - 4 * np.minimum(wide / 30, 1)
        return np.maximum(np.maximum(back, -lane.behind - self.front), wide - self.half_width)

    def _paint_back(self, canvas: Canvas, lane: Lane) -> None:
        """Erector spinae and multifidus under their fascia, streaked with fat; ligaments in the midline."""
        near = lane.within(90, (-self.front, 70))
        if near is None:
            return
        lane, skin = near, self._skin(near)
        behind, wide = lane.behind, np.abs(lane.aside)
        tip = lane.take(self.tip)
        swell = 7 * self.bulk * np.clip(wide / 18, 0, 1) * np.clip((tip - 20) / 25, 0, 1)
        fascia = behind - tip - swell + 0.010 * np.maximum(wide - 30, 0) ** 2
        flank = wide - (72 * self.bulk)
        back = np.maximum(np.maximum(fascia, flank), skin + 4)
        canvas.paint(lane.window, canvas.cover(back - 1.0), LIGAMENT)
        streaks = self.streaks.over(canvas, lane.window)
        canvas.paint(lane.window, canvas.cover(back), MUSCLE, 1 + 0.15 * np.clip(streaks, -2, 2))
        deep = np.clip(1.3 - wide / 45, 0, 1)
        fatty = np.clip((streaks - 1.9 + 2.6 * self.wasting * deep) * 1.2, 0, 0.9)
        canvas.paint(lane.window, fatty * canvas.cover(back + 1.5), FAT)
        midline = np.maximum(np.maximum(wide - 3.5, behind - tip - 1), 14 - behind)
        mix = np.clip(0.45 + 0.5 * streaks, 0, 0.9)
        canvas.paint(lane.window, canvas.cover(midline) * mix, FAT)
        string = np.maximum(wide - 4, np.abs(behind - tip - 2) - 1.6)
        canvas.paint(lane.window, canvas.cover(string), LIGAMENT)

    def _paint_belly(self, canvas: Canvas, lane: Lane) -> None:
        """Muscular wall, then loops of bowel with gas in fat, well before the spine."""
        near = lane.within(self.half_width, (-self.front, 12))
        if near is None:
            return
        lane, skin = near, self._skin(near)
        before, wide = -lane.behind, np.abs(lane.aside)
        inner = np.maximum(skin + 22, -(before + 12) + 0.18 * np.minimum(wide, 60))
        wall = np.maximum(skin + 14, -(before + 10))
        canvas.paint(lane.window, canvas.cover(wall), MUSCLE, 0.9)
        canvas.paint(lane.window, canvas.cover(inner), FAT, 0.8)
        loops, fine = self.coarse.over(canvas, lane.window), self.fine.over(canvas, lane.window)
        far = canvas.cover(np.maximum(inner + 3, 50 - before)) * np.clip((before - 48) / 10, 0, 1)
        canvas.paint(lane.window, far * np.clip((loops + 0.35) * 4, 0, 1), MUSCLE)
        canvas.paint(lane.window, far * np.clip((loops - 0.2) * 4, 0, 1), BOWEL, np.maximum(0.8 + 0.25 * fine, 0.2))
        canvas.paint(lane.window, far * np.clip((loops - 1.25) * 4, 0, 1), AIR)

    def _paint_psoas(self, canvas: Canvas, lane: Lane) -> None:
        """Psoas grows downwards from L1 beside the bodies; quadratus lumborum lies behind it."""
        near = lane.within(90, (-60, 14))
        if near is None:
            return
        lane, fine = near, self.fine.over(canvas, near.window)
        down = lane.take(np.clip((self.fork + 110 - self.z) / 120, 0.0, 1.4))
        wide = np.abs(lane.aside)
        gain = 1 + 0.12 * np.clip(fine, -2, 2)
        radius = np.maximum((7 + 13 * down) * self.bulk, 1)
        psoas = ellipse(wide - 33 - 8 * down, -lane.behind - 14 - 5 * down, 0.8 * radius, 1.15 * radius)
        canvas.paint(lane.window, canvas.cover(psoas - 1.0), FAT)
        canvas.paint(lane.window, canvas.cover(psoas), MUSCLE, gain)
        square = ellipse(wide - 66, lane.behind + 2, 17 * self.bulk, 9 * self.bulk)
        canvas.paint(lane.window, canvas.cover(square), MUSCLE, gain)

    def _paint_vessels(self, canvas: Canvas, lane: Lane) -> None:
        """Aorta to the left and vena cava to the right, parting into the iliacs below the fork."""
        near = lane.within(70, (-65, 0))
        if near is None:
            return
        lane = near
        part = lane.take(np.clip((self.fork - self.z) / 60, 0, 1.5))
        for aside, before, radius in self.vessels:
            for side in (-1.0, 1.0):
                lumen = ellipse(
                    lane.aside - aside * (1 - 0.5 * np.minimum(part, 1)) - side * 30 * part,
                    -lane.behind - before + 14 * part,
                    radius * (1 - 0.25 * np.minimum(part, 1)),
                    radius * (1 - 0.25 * np.minimum(part, 1)),
                )
                canvas.paint(lane.window, canvas.cover(lumen - 1.2), LIGAMENT)
                canvas.paint(lane.window, canvas.cover(lumen), BLOOD)


def draw_trunk(spine: Spine, rng: np.random.Generator) -> Trunk:
    """The soft tissues of one patient; weight, training and age are chance."""
    z = spine.curve.z
    bones = sorted(spine.vertebrae, key=lambda bone: bone.frame.center[2])
    at = [bone.frame.at(0, -bone.half_depth, 0)[2] for bone in bones]
    tip, back = (np.interp(z, at, [_BACK[bone.name][column] for bone in bones]) for column in (0, 1))
    scale = spine.patient.scale
    fat = float(np.clip(rng.gamma(3.5, 5.0), 5, 45))
    fork = next(bone.frame.center[2] for bone in bones if bone.name == "L4") - float(rng.normal(5, 9))
    worn = 0.18 + 0.006 * (spine.patient.age - 40)
    return Trunk(
        z=z,
        tip=tip * scale,
        fat=back * fat + 3,
        front=float(95 + 1.6 * fat + rng.normal(0, 15)),
        half_width=float(145 + fat + rng.normal(0, 8)),
        wasting=float(np.clip(rng.normal(worn, 0.15), 0.02, 0.8)),
        bulk=float(np.clip(rng.normal(1.0, 0.08), 0.8, 1.2)) * scale,
        fork=fork,
        vessels=(
            (-9.0 + float(rng.normal(0, 3)), 46.0 * scale, float(rng.uniform(7, 10))),
            (15.0 + float(rng.normal(0, 3)), 44.0 * scale, float(rng.uniform(7, 11))),
        ),
        coarse=draw_texture(2.0, (9, 9, 9), rng),
        fine=draw_texture(1.0, (1.2, 1.2, 1.2), rng),
        streaks=draw_texture(0.9, (1.3, 1.0, 6.0), rng),
    )
