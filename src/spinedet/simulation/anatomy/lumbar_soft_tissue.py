"""Everything around the lumbar spine: skin, fat, back muscles, psoas, great vessels, kidneys, bowel."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from spinedet.simulation.anatomy.canal import bump
from spinedet.simulation.anatomy.spine import Array, Curve, Spine, Vector, along
from spinedet.simulation.anatomy.spine_coordinates import SpineCoordinates
from spinedet.simulation.painting.canvas import Canvas, Field
from spinedet.simulation.painting.shapes import ellipse, smooth_max
from spinedet.simulation.painting.texture import Texture, draw_texture
from spinedet.simulation.painting.tissue import (
    AIR,
    BLOOD,
    BOWEL,
    FAT,
    KIDNEY,
    LIGAMENT,
    MUSCLE,
    SKIN,
)

# Distance from the rear wall of the body to the tip of the spinous process, and back fat relative to the patient's.
_BACK: dict[str, tuple[float, ...]] = {
    "S5": (11.0, 1.0),
    "S4": (15.0, 1.25),
    "S3": (20.0, 1.5),
    "S2": (26.0, 1.6),
    "S1": (34.0, 1.6),
    "L5": (46.0, 1.4),
    "L4": (52.0, 1.1),
    "L3": (54.0, 0.9),
    "L2": (54.0, 0.8),
    "L1": (52.0, 0.7),
    "T12": (50.0, 0.62),
    "T11": (47.0, 0.58),
    "T10": (45.0, 0.55),
    "T9": (43.0, 0.55),
    "T8": (42.0, 0.55),
}


@dataclass(frozen=True, slots=True)
class SoftTissueTextures:
    """Textures of bowel, fat and muscle."""

    coarse: Texture
    fine: Texture
    streaks: Texture


@dataclass(frozen=True, slots=True)
class BodyHabitus:
    """Build of the patient; lengths in mm.

    Attributes:
        half_width: where the flank ends.
        wasting: share of fat in the back muscles, 0 to 1.
        bulk: size of the muscles relative to the average.
        fork: z of the aortic bifurcation.
        vessels: (aside, before, radius) of aorta and vena cava above the fork.
        gas: how much of the bowel is filled with gas.
    """

    half_width: float
    wasting: float
    bulk: float
    fork: float
    vessels: tuple[tuple[float, float, float], ...]
    gas: float


@dataclass(frozen=True, slots=True, eq=False)
class Trunk:
    """The soft tissues of one patient.

    Attributes:
        z, tip, fat: over the curve's entries: height, reach of the spinous processes, thickness of the back's fat.
        belly: how far forward the belly's skin lies, as y.
    """

    habit: BodyHabitus
    grains: SoftTissueTextures
    z: Array
    tip: Array
    fat: Array
    belly: Array

    def paint(self, canvas: Canvas, coords: SpineCoordinates) -> None:
        """From the skin inwards."""
        skin = self._skin(canvas, coords)
        fine = self.grains.fine.over(canvas, coords.window)
        streaks = self.grains.streaks.over(canvas, coords.window, lean=0.35)
        canvas.paint(coords.window, canvas.cover(skin), SKIN)
        # The fat's septa show as thin dark lines.
        septa = 1 - 0.3 * np.clip(1 - np.abs(streaks) * 7, 0, 1)
        canvas.paint(coords.window, canvas.cover(skin + 2.0), FAT, septa * (1 + 0.03 * fine))
        self._paint_belly(canvas, coords, (skin, fine))
        self._paint_back(canvas, coords, streaks)
        self._paint_psoas(canvas, coords, fine)
        self._paint_vessels(canvas, coords)

    def probes(self, curve: Curve) -> dict[str, list[Vector]]:
        """Places in the fat of the back and in its muscles, around the middle of the spine."""
        entries = np.flatnonzero(np.abs(self.z - self.habit.fork - 25) < 15)[::40].tolist()
        fat = [curve.behind(entry, 0.0, float(self.tip[entry] + 0.5 * self.fat[entry])) for entry in entries]
        muscle = [
            curve.behind(entry, side, 0.75 * float(self.tip[entry])) for entry in entries for side in (-22.0, 22.0)
        ]
        return {"fat": fat, "muscle": muscle}

    def _skin(self, canvas: Canvas, coords: SpineCoordinates) -> Field:
        """Distance to the skin."""
        wide = np.abs(coords.aside)
        flank = np.maximum(wide - 55, 0)
        furrow = 5 * np.clip(1 - wide / 26, 0, 1)
        back = coords.behind - coords.take(self.tip + self.fat) + furrow + 0.006 * flank * flank
        front = coords.y - coords.take(self.belly) + 0.004 * wide * wide
        warp = canvas.warp[0, coords.window.rows, coords.window.columns]
        return np.maximum(np.maximum(back, front), wide - self.habit.half_width) + 0.4 * warp

    def _paint_back(self, canvas: Canvas, coords: SpineCoordinates, streaks: Field) -> None:
        """Erector spinae and multifidus under their fascia, streaked with fat; ligaments in the midline."""
        near = coords.within(95, (-2, 75))
        if near is None:
            return
        coords, streaks = near, near.window.of(streaks)
        warp = 1.6 * canvas.warp[1, coords.window.rows, coords.window.columns]
        wide, tip, bulk = np.abs(coords.aside), coords.take(self.tip), self.habit.bulk
        swell = 9 * bulk * np.clip(wide / 20, 0, 1) * np.clip((tip - 18) / 25, 0, 1)
        fascia = coords.behind - tip - swell + 0.012 * np.maximum(wide - 32, 0) ** 2
        inner = 4 - coords.behind + 0.10 * np.maximum(wide - 20, 0)
        back = smooth_max(smooth_max(fascia, inner, 6), wide - 70 * bulk, 12) + warp
        canvas.paint(coords.window, canvas.cover(back - 1.0), LIGAMENT)
        canvas.paint(coords.window, canvas.cover(back), MUSCLE, np.maximum(1 + 0.16 * streaks, 0.4))
        # Fat gathers deep and near the midline (multifidus), and between the columns of the erector.
        deep = np.clip(1.35 - wide / 40, 0, 1)
        seam = 0.9 * bump_field(wide - 27 * bulk - warp, 2.0) + 0.7 * bump_field(wide - 46 * bulk + warp, 1.6)
        fatty = np.clip((streaks - 2.0 + 2.8 * self.habit.wasting * deep + seam) * 0.55, 0, 0.8)
        canvas.paint(coords.window, fatty * canvas.cover(back + 1.5), FAT, 0.95)
        midline = np.maximum(np.maximum(wide - 4.5, coords.behind - tip - 1), 15 - coords.behind) + 0.4 * warp
        canvas.paint(coords.window, canvas.cover(midline), LIGAMENT, 2.0)
        mix = np.clip(0.15 + 0.3 * streaks + 0.5 * self.habit.wasting, 0, 0.8)
        canvas.paint(coords.window, canvas.cover(midline) * mix, FAT, 0.9)
        string = np.maximum(wide - 4, np.abs(coords.behind - tip - 2) - 1.3)
        canvas.paint(coords.window, canvas.cover(string), LIGAMENT)

    def _paint_belly(self, canvas: Canvas, coords: SpineCoordinates, fields: tuple[Field, Field]) -> None:
        """Muscular wall, fat behind the peritoneum, loops of bowel with gas, kidneys."""
        near = coords.within(self.habit.half_width, (-400, 60))
        if near is None:
            return
        coords, (skin, fine) = near, (near.window.of(field) for field in fields)
        warp = canvas.warp[2, coords.window.rows, coords.window.columns]
        before, wide = -coords.behind, np.abs(coords.aside)
        # Beside the back muscles the wall of the flank reaches farther back.
        rear = before + 10 + np.clip((wide - 62) * 1.3, 0, 40) + 1.2 * warp
        layers = 1 + 0.1 * fine
        canvas.paint(
            coords.window,
            canvas.cover(smooth_max(skin + 13, -rear, 8)),
            MUSCLE,
            np.maximum(layers, 0.3),
        )
        inner = smooth_max(skin + 24, 5 - rear, 10) + 1.5 * warp
        canvas.paint(coords.window, canvas.cover(inner), FAT, 0.8 + 0.04 * fine)
        loops = self.grains.coarse.over(canvas, coords.window)
        depth = 43 + 10 * np.clip(1 - wide / 40, 0, 1) + 4 * warp
        far = canvas.cover(inner + 3) * np.clip((before - depth) / 3, 0, 1)
        canvas.paint(coords.window, far * np.clip((loops + 0.55) * 4, 0, 1), MUSCLE, 1.15)
        content = np.maximum(0.75 + 0.2 * fine + 0.25 * warp, 0.2)
        canvas.paint(coords.window, far * np.clip((loops - 0.05) * 4, 0, 1), BOWEL, content)
        gas = far * np.clip((loops - 1.5 + self.habit.gas) * 4, 0, 1)
        canvas.paint(coords.window, gas, AIR)
        kidney = ellipse(wide - 66, before + 2, 26, 22) + 40 * (1 - coords.take(bump(self.z, self.habit.fork + 75, 75)))
        canvas.paint(coords.window, canvas.cover(kidney + 2 * warp), KIDNEY, 1 + 0.08 * fine)

    def _paint_psoas(self, canvas: Canvas, coords: SpineCoordinates, fine: Field) -> None:
        """Psoas grows downwards from L1 beside the bodies; quadratus lumborum lies behind it."""
        near = coords.within(95, (-62, 16))
        if near is None:
            return
        coords, fine = near, near.window.of(fine)
        down = coords.take(np.clip((self.habit.fork + 105 - self.z) / 120, 0.0, 1.4))
        warp = 2.0 * canvas.warp[0, coords.window.rows, coords.window.columns]
        wide, bulk = np.abs(coords.aside), self.habit.bulk
        gain = np.maximum(1 + 0.12 * fine, 0.4)
        radius = np.maximum((7 + 14 * down) * bulk, 1)
        ahead = -coords.behind - 13 - 6 * down
        psoas = ellipse(wide - 28 - 9 * down, ahead, 0.85 * radius, 1.1 * radius) + warp
        canvas.paint(coords.window, canvas.cover(psoas - 1.2), FAT, 0.9)
        canvas.paint(coords.window, canvas.cover(psoas), MUSCLE, gain)
        square = ellipse(wide - 62, coords.behind + 1, 19 * bulk, 9 * bulk) + warp
        canvas.paint(coords.window, canvas.cover(square), MUSCLE, gain)

    def _paint_vessels(self, canvas: Canvas, coords: SpineCoordinates) -> None:
        """Aorta to the left and vena cava to the right, parting into the iliacs below the fork."""
        near = coords.within(70, (-72, 0))
        if near is None:
            return
        coords = near
        warp = 1.2 * canvas.warp[1, coords.window.rows, coords.window.columns]
        part = coords.take(np.clip((self.habit.fork - self.z) / 60, 0, 1.5))
        thinner = 1 - 0.3 * np.minimum(part, 1)
        for aside, before, radius in self.habit.vessels:
            for side in (-1.0, 1.0):
                across = coords.aside - aside * (1 - 0.5 * np.minimum(part, 1)) - side * 30 * part
                lumen = ellipse(
                    across,
                    -coords.behind - before + 12 * part,
                    radius * thinner,
                    0.85 * radius * thinner,
                )
                canvas.paint(coords.window, canvas.cover(lumen + warp - 1.0), LIGAMENT)
                canvas.paint(coords.window, canvas.cover(lumen + warp), BLOOD)


def bump_field(x: Field, half_width: float) -> Field:
    """1 at 0, smoothly 0 beyond `half_width`."""
    inside = np.maximum(1 - (x * (1 / half_width)) ** 2, 0)
    return inside * inside


def draw_trunk(spine: Spine, rng: np.random.Generator) -> Trunk:
    """The soft tissues of one patient; training and age are chance."""
    z, patient = spine.curve.z, spine.patient
    fork = spine.bone("L4").frame.center[2] - float(rng.normal(5, 9))
    worn = 0.16 + 0.007 * (patient.age - 40)
    habit = BodyHabitus(
        half_width=float(140 + patient.fat + rng.normal(0, 8)),
        wasting=float(np.clip(rng.normal(worn, 0.15), 0.02, 0.8)),
        bulk=float(np.clip(rng.normal(1.0, 0.08), 0.8, 1.2)) * patient.scale,
        fork=fork,
        vessels=(
            (
                -10.0 + float(rng.normal(0, 3)),
                44.5 * patient.scale,
                float(rng.uniform(7, 10)),
            ),
            (
                13.0 + float(rng.normal(0, 3)),
                43.5 * patient.scale,
                float(rng.uniform(7, 11)),
            ),
        ),
        gas=float(rng.uniform(-0.3, 0.6)),
    )
    grains = SoftTissueTextures(
        draw_texture(2.0, (8, 8, 8), rng),
        draw_texture(1.0, (1.3, 1.3, 1.3), rng),
        draw_texture(0.8, (1.2, 1.1, 7.0), rng),
    )
    # The belly's line is straighter than the spine and bulges before the lower lumbar vertebrae.
    depth = float(95 + 1.5 * patient.fat + rng.normal(0, 12))
    upright = float(spine.bone("L3").rear[1])
    belly = upright + depth + (0.5 * patient.fat + 4) * bump(z, habit.fork + 5, 150)
    tip, back = (along(spine, _BACK, column) for column in (0, 1))
    return Trunk(habit, grains, z, tip * patient.scale, back * patient.fat + 3, belly)
