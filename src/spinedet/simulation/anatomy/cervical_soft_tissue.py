"""Everything around the cervical spine: nape, vessels, airway, gullet, shoulders, jaw and the back of the head."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from spinedet.simulation.anatomy.spine import Array, Curve, Spine, Vector, along
from spinedet.simulation.anatomy.spine_coordinates import SpineCoordinates
from spinedet.simulation.painting.canvas import Canvas, Field
from spinedet.simulation.painting.shapes import ellipse
from spinedet.simulation.painting.texture import Texture, draw_texture
from spinedet.simulation.painting.tissue import (
    AIR,
    BLOOD,
    BOWEL,
    BRAIN,
    CORTEX,
    CSF,
    FAT,
    LIGAMENT,
    MARROW,
    MUSCLE,
    SKIN,
)

# By height: reach of the spinous process behind the body, depth of muscle behind its tip, fat of the nape relative to
# the patient's, half width of the neck, distance of the throat's skin before the rear wall of the body.
_TABLE: dict[str, tuple[float, ...]] = {
    "T4": (46.0, 7.0, 1.1, 190.0, 120.0),
    "T3": (46.0, 7.0, 1.2, 180.0, 110.0),
    "T2": (47.0, 8.0, 1.4, 160.0, 92.0),
    "T1": (49.0, 9.0, 1.6, 120.0, 78.0),
    "C7": (48.0, 11.0, 1.6, 78.0, 68.0),
    "C6": (41.0, 16.0, 1.3, 62.0, 62.0),
    "C5": (34.0, 22.0, 1.0, 58.0, 60.0),
    "C4": (31.0, 26.0, 0.9, 58.0, 62.0),
    "C3": (31.0, 28.0, 0.8, 62.0, 80.0),
    "C2": (36.0, 26.0, 0.7, 68.0, 110.0),
}


@dataclass(frozen=True, slots=True, eq=False)
class Neck:
    """The soft tissues of one patient; tables over the curve's entries, lengths in mm.

    Attributes:
        z: heights; measures: (5, n), the columns of the table for this patient.
        skull: z of the foramen magnum.
        wasting: share of fat in the muscles, 0 to 1.
        airway: half width of the windpipe.
        fine, streaks, coarse: textures of fat, muscle and of what fills the throat.
    """

    z: Array
    measures: Array
    skull: float
    wasting: float
    airway: float
    fine: Texture
    streaks: Texture
    coarse: Texture

    def paint(self, canvas: Canvas, coords: SpineCoordinates) -> None:
        """From the skin inwards."""
        skin = self._skin(canvas, coords)
        fine = self.fine.over(canvas, coords.window)
        canvas.paint(coords.window, canvas.cover(skin), SKIN)
        canvas.paint(coords.window, canvas.cover(skin + 1.8), FAT, 1 + 0.04 * fine)
        self._paint_muscles(canvas, coords, skin)
        self._paint_throat(canvas, coords, skin)
        self._paint_vessels(canvas, coords)
        self._paint_head(canvas, coords)

    def probes(self, curve: Curve) -> dict[str, list[Vector]]:
        """Places in the fat of the nape and in its muscles, around the middle of the neck."""
        tip, cover, fat = self.measures[:3]
        entries = np.flatnonzero(np.abs(self.z - self.skull + 95) < 20)[::40].tolist()
        return {
            "fat": [
                curve.behind(entry, 0.0, float(tip[entry] + cover[entry] + 0.55 * fat[entry] + 2)) for entry in entries
            ],
            "muscle": [
                curve.behind(entry, side, 0.8 * float(tip[entry])) for entry in entries for side in (-18.0, 18.0)
            ],
        }

    def _above(self, start: float, over: float) -> Array:
        """0 below a height, 1 from `over` mm above it."""
        return np.clip((self.z - start) / over, 0, 1)

    def _skin(self, canvas: Canvas, coords: SpineCoordinates) -> Field:
        """Distance to the skin: an oval neck, flat shoulders."""
        tip, cover, fat, half_width, front = (coords.take(row) for row in self.measures)
        depth = tip + cover + fat
        half, middle = (depth + front) / 2, (depth - front) / 2
        u, v = coords.aside / half_width, (coords.behind - middle) / half
        reach = np.sqrt(np.sqrt(u * u * u * u + v * v * v * v) * 0.45 + (u * u + v * v) * 0.55)
        furrow = 3 * np.clip(1 - np.abs(coords.aside) / 15, 0, 1) * (coords.behind > 0)
        warp = canvas.warp[0, coords.window.rows, coords.window.columns]
        return (reach - 1) * np.minimum(half, half_width) + furrow + 0.4 * warp

    def _paint_muscles(self, canvas: Canvas, coords: SpineCoordinates, skin: Field) -> None:
        """Layers of the nape and of the sides parted by fat, and the muscles before the bodies."""
        warp = canvas.warp[1, coords.window.rows, coords.window.columns]
        streaks = self.streaks.over(canvas, coords.window, lean=-0.2)
        wide, behind = np.abs(coords.aside), coords.behind
        tip, cover, fat, half_width, _ = (coords.take(row) for row in self.measures)
        flesh = np.maximum(skin + 4 + 0.6 * fat, 4 - behind - 60 * np.minimum(wide / half_width, 1)) + 0.8 * warp
        canvas.paint(coords.window, canvas.cover(flesh - 0.7), LIGAMENT)
        canvas.paint(
            coords.window,
            canvas.cover(flesh),
            MUSCLE,
            np.maximum(1 + 0.15 * streaks, 0.4),
        )
        ring = np.sqrt(wide * wide + (behind - 4) ** 2) + 1.5 * warp
        seams = sum(np.maximum(1 - np.abs(ring - at) / 1.3, 0) for at in (23.0, 33.0, 43.0, 54.0))
        strands = 0.55 * (streaks - 2.0 + 2.2 * self.wasting)
        share = np.clip(np.maximum(seams * np.clip(0.7 + 0.4 * warp, 0, 1), strands), 0, 0.8)
        canvas.paint(coords.window, share * canvas.cover(flesh + 1), FAT)
        midline = np.maximum(np.maximum(wide - 1.2, 12 - behind), behind - tip - cover) + 0.3 * warp
        canvas.paint(coords.window, canvas.cover(midline), FAT, 0.6)
        canvas.paint(coords.window, canvas.cover(midline + 0.8), LIGAMENT)
        turner = ellipse(wide - 0.7 * half_width, -behind - 16, 9, 16) + warp
        canvas.paint(coords.window, canvas.cover(turner - 1.0) * canvas.cover(skin + 3), FAT)
        canvas.paint(coords.window, canvas.cover(np.maximum(turner, skin + 4)), MUSCLE)
        sheath = ellipse(wide - 29, -behind - 20, 10, 11) + 1.5 * warp
        canvas.paint(coords.window, canvas.cover(np.maximum(sheath, skin + 5)), FAT)
        long = ellipse(wide - 8, -behind - 19, 7, 4) + 0.5 * warp
        canvas.paint(coords.window, canvas.cover(long - 0.8), FAT)
        canvas.paint(coords.window, canvas.cover(long), MUSCLE)

    def _paint_throat(self, canvas: Canvas, coords: SpineCoordinates, skin: Field) -> None:
        """Gullet, windpipe and, above the larynx, pharynx, tongue and jaw; the lungs' tips below."""
        rows, columns = coords.window.rows, coords.window.columns
        warp, loops = (
            canvas.warp[2, rows, columns],
            self.coarse.over(canvas, coords.window),
        )
        before, wide = -coords.behind, np.abs(coords.aside)
        mouth = coords.take(self._above(self.skull - 72, 22))
        bed = ellipse(coords.aside, before - 36, 24 + 14 * mouth, 17 + 6 * mouth) + 1.5 * warp
        canvas.paint(
            coords.window,
            canvas.cover(np.maximum(bed, skin + 3)),
            MUSCLE,
            np.maximum(1.2 + 0.2 * loops, 0.3),
        )
        gullet = ellipse(coords.aside + 4 * (1 - mouth), before - 25, 7, 3)
        canvas.paint(coords.window, canvas.cover(gullet), BOWEL, 0.7)
        lumen = ellipse(
            coords.aside,
            before - 36 + 5 * mouth,
            self.airway + 3 * mouth,
            self.airway - 3.5 * mouth,
        )
        canvas.paint(coords.window, canvas.cover(lumen - 2.0 + 0.5 * warp), LIGAMENT, 2.0)
        canvas.paint(coords.window, canvas.cover(lumen + 0.5 * warp), AIR)
        tongue = ellipse(coords.aside, before - 64, 24, 22) + 40 * (1 - mouth) + 2 * warp
        canvas.paint(
            coords.window,
            canvas.cover(tongue),
            MUSCLE,
            np.maximum(1.5 + 0.5 * loops, 0.3),
        )
        arm = np.sqrt((wide * 0.9) ** 2 + (0.55 * (before - 40)) ** 2)
        jaw = np.abs(arm - 33) - 4 + 40 * (1 - mouth) + warp
        bone = np.maximum(jaw, 30 - before)
        canvas.paint(coords.window, canvas.cover(bone), CORTEX)
        canvas.paint(coords.window, canvas.cover(bone + 1.5), MARROW)
        thyroid = (
            ellipse(wide - 17, before - 33, 8, 10)
            + 30 * mouth
            + 30 * (1 - coords.take(self._above(self.skull - 150, 20)))
        )
        canvas.paint(coords.window, canvas.cover(thyroid + warp), BOWEL, 0.8)
        lungs = ellipse(wide - 48, before - 12, 26, 32) + 60 * coords.take(self._above(self.skull - 165, 25))
        canvas.paint(coords.window, canvas.cover(np.maximum(lungs + 2 * warp, skin + 20)), AIR)

    def _paint_vessels(self, canvas: Canvas, coords: SpineCoordinates) -> None:
        """Carotid arteries, jugular veins, and the vertebral arteries beside the bodies."""
        warp = canvas.warp[1, coords.window.rows, coords.window.columns]
        before, wide = -coords.behind, np.abs(coords.aside)
        for aside, ahead, radius in (
            (25.0, 26.0, 3.8),
            (32.0, 20.0, 5.5),
            (14.5, 5.0, 2.2),
        ):
            lumen = ellipse(wide - aside, before - ahead, radius, 0.9 * radius) + 0.5 * warp
            canvas.paint(coords.window, canvas.cover(lumen - 0.8), LIGAMENT)
            canvas.paint(coords.window, canvas.cover(lumen), BLOOD)

    def _paint_head(self, canvas: Canvas, coords: SpineCoordinates) -> None:
        """Occiput, cerebellum and the cisterns around the brain stem, clivus."""
        rows, columns = coords.window.rows, coords.window.columns
        warp, fine = canvas.warp[0, rows, columns], self.fine.over(canvas, coords.window)
        up = (coords.take(self.z) - self.skull).astype(np.float32)
        wide = np.abs(coords.aside)
        bowl = np.sqrt((wide / 68) ** 2 + ((coords.behind - 12) / 58) ** 2 + (np.minimum(up - 44, 0) / 46) ** 2)
        skull = np.maximum((bowl - 1) * 48, -up - 6)
        occiput = np.maximum(skull, -4 - coords.behind)
        canvas.paint(coords.window, canvas.cover(occiput - 5.5), CORTEX)
        canvas.paint(coords.window, canvas.cover(occiput - 4.5) * np.clip((up - 4) / 14, 0, 1), MARROW, 0.8)
        canvas.paint(coords.window, canvas.cover(occiput - 1.5), CORTEX)
        canvas.paint(coords.window, canvas.cover(np.maximum(skull, -16 - coords.behind)), CSF, 0.9)
        folia = 1 - 0.25 * np.clip(1 - np.abs(fine) * 2.5, 0, 1)
        small = np.sqrt((wide / 48) ** 2 + ((coords.behind - 36) / 26) ** 2 + ((up - 30) / 24) ** 2)
        canvas.paint(coords.window, canvas.cover((small - 1) * 25 + 1.5 * warp), BRAIN, folia)
        large = np.maximum(skull + 3, 56 - up + 0.12 * coords.behind)
        canvas.paint(coords.window, canvas.cover(large + 2 * warp), BRAIN, folia)
        clivus = (
            np.maximum(
                np.abs(coords.behind + 10 + 0.35 * up) - 5.5,
                np.maximum(wide - 14, -up - 1),
            )
            + 0.5 * warp
        )
        canvas.paint(coords.window, canvas.cover(clivus), CORTEX)
        canvas.paint(coords.window, canvas.cover(clivus + 1), MARROW)


def draw_neck(spine: Spine, rng: np.random.Generator) -> Neck:
    """The soft tissues of one patient."""
    patient = spine.patient
    measures = np.stack([along(spine, _TABLE, column) for column in range(5)]) * patient.scale
    measures[1] *= float(np.clip(rng.normal(1, 0.1), 0.75, 1.3))
    measures[2] *= 0.45 * patient.fat / patient.scale
    measures[3:] *= 1 + 0.006 * (patient.fat - 18)
    return Neck(
        z=spine.curve.z,
        measures=measures,
        skull=spine.bone("C2").frame.at(0, 0, 0.5 * spine.bone("C2").height)[2] + 30 * patient.scale,
        wasting=float(np.clip(rng.normal(0.1 + 0.004 * (patient.age - 40), 0.1), 0.02, 0.6)),
        airway=float(rng.uniform(7.5, 10)),
        fine=draw_texture(1.0, (1.3, 1.3, 1.3), rng),
        streaks=draw_texture(0.8, (1.2, 1.1, 7.0), rng),
        coarse=draw_texture(1.2, (3.5, 3.5, 3.5), rng),
    )
