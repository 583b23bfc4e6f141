"""Vertebrae as painted solids: bodies with their plates and vein, arches, processes and the sacrum's wings."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np

from spinedet.simulation.anatomy.degeneration import Plate
from spinedet.simulation.anatomy.spine import Frame, Vertebra
from spinedet.simulation.painting.canvas import Block, Canvas, Field, Window
from spinedet.simulation.painting.shapes import ellipsoid, hump, outline, rounded_box, smooth_max
from spinedet.simulation.painting.texture import Texture
from spinedet.simulation.painting.tissue import (
    CORTEX,
    FAT,
    FLUID,
    HAEMANGIOMA,
    MARROW,
    SCLEROSIS,
    Tissue,
)

Place = Field  # (3, rows, columns): right, anterior, up
_MODIC = {1: (FLUID, 0.42), 2: (FAT, 0.8), 3: (SCLEROSIS, 1.0)}


@dataclass(frozen=True, slots=True)
class Marrow:
    """What fills the bones of a patient: tissue, texture, depth of its mottling."""

    tissue: Tissue
    grain: Texture
    mottling: float


@dataclass(frozen=True)
class Body:
    """How one vertebral body is painted.

    Attributes:
        hollow: how far its faces are hollowed, mm.
        lips: osteophytes at the rims of its lower and upper face, mm.
        lower, upper: its end plates.
        clot: radius of a haemangioma in it, mm; 0 is none.
    """

    bone: Vertebra
    marrow: Marrow
    hollow: float
    lips: tuple[float, float] = (0.0, 0.0)
    lower: Plate = field(default_factory=Plate)
    upper: Plate = field(default_factory=Plate)
    clot: float = 0.0

    @cached_property
    def block(self) -> Block:
        """The block that bounds it."""
        bone = self.bone
        spare, grown = 1.5 + max(self.lips), 1 + 2 * abs(bone.taper)
        up = bone.height / 2 + 0.5 * abs(bone.wedge) * bone.half_depth
        return Block(
            bone.frame,
            (
                grown * bone.half_width + spare,
                grown * bone.half_depth + spare,
                up + 2.5,
            ),
        )

    def paint(self, canvas: Canvas) -> None:
        """Cortex, marrow with its changes, and vein."""
        bone = self.bone
        window = canvas.window(self.block)
        if window is None:
            return
        place = canvas.warped(window, bone.frame, 0.25)
        wall, low, high = self._surfaces(canvas, window, place)
        face = np.maximum(low, high)
        canvas.paint(window, canvas.cover(smooth_max(wall, face, 1.2)), CORTEX)
        inside = canvas.cover(smooth_max(wall + 0.5, face + 0.6, 1.2))
        grain, uneven = (
            self.marrow.grain.over(canvas, window),
            canvas.warp[0, window.rows, window.columns],
        )
        canvas.paint(
            window,
            inside,
            self.marrow.tissue,
            np.maximum(1 + self.marrow.mottling * grain, 0.3),
        )
        for plate, depth in ((self.lower, -low), (self.upper, -high)):
            if plate.modic:
                tissue, gain = _MODIC[plate.modic]
                share = np.clip((plate.band * (1 + 0.4 * uneven) - depth) * 0.3, 0, 0.7)
                canvas.paint(window, share * inside, tissue, gain)
        if not bone.sacral:
            self._paint_vein(canvas, window, place)
        if self.clot:
            x, a, s = place
            spot = ellipsoid(
                x - 0.3 * bone.half_width,
                a - 0.2 * bone.half_depth,
                s + 2,
                (self.clot,) * 3,
            )
            canvas.paint(window, 0.8 * canvas.cover(spot) * inside, HAEMANGIOMA, 1 + 0.2 * grain)

    def _surfaces(self, canvas: Canvas, window: Window, place: Place) -> tuple[Field, Field, Field]:
        """Distances to the wall, to the lower and to the upper face."""
        bone, (x, a, s) = self.bone, place
        half = bone.height / 2
        height = s * (1 / half)
        if bone.taper:
            scale = 1 + bone.taper * height
            a = a - bone.half_depth * (scale - 1)
            reach = outline(x / scale, a / scale, bone.half_width, bone.half_depth)
        else:
            reach = outline(x, a, bone.half_width, bone.half_depth)
        squared = np.minimum(height * height, 1.3)
        wall = (reach - 1 + 0.085 * (1 - squared)) * bone.half_depth
        if max(self.lips) > 0:
            rim = squared * squared * squared
            wall = wall - rim * np.where(s < 0, np.float32(self.lips[0]), np.float32(self.lips[1]))
        rest = half + 0.5 * bone.wedge * a - self.hollow * np.maximum(1 - reach * reach, 0)
        uneven = canvas.warp[2, window.rows, window.columns]
        low = -s - rest + self.lower.rough * uneven + self._node(self.lower, x, a)
        high = s - rest + self.upper.rough * uneven + self._node(self.upper, x, a)
        return wall, low, high

    def _node(self, plate: Plate, x: Field, a: Field) -> Field | float:
        """Depth of a Schmorl's node below the face."""
        if not plate.node:
            return 0.0
        u, v = (
            x - plate.place[0] * self.bone.half_width,
            a - plate.place[1] * self.bone.half_depth,
        )
        return plate.node * hump(np.sqrt(u * u + v * v), 1.2 * plate.node + 2.5)

    def _paint_vein(self, canvas: Canvas, window: Window, place: Place) -> None:
        x, a, s = place
        depth = self.bone.half_depth
        notch = ellipsoid(x, a + 0.95 * depth, s, (0.32 * self.bone.half_width, 0.2 * depth, 3.2))
        canvas.paint(window, 0.75 * canvas.cover(notch), FAT, 0.8)
        vein = ellipsoid(x, a + 0.7 * depth, s, (0.4 * self.bone.half_width, 0.42 * depth, 1.1))
        canvas.paint(window, 0.5 * canvas.cover(vein), FLUID, 0.5)


@dataclass(frozen=True)
class ArchPiece:
    """A part of an arch or wing: a rounded box, or an ellipsoid when `radius` is None, of marrow in cortex."""

    frame: Frame
    half: tuple[float, float, float]
    radius: float | None
    marrow: Marrow
    cortex: float = 0.8
    warp: float = 0.9

    @cached_property
    def block(self) -> Block:
        """The block that bounds it."""
        right, anterior, up = (h + 2.5 * self.warp for h in self.half)
        return Block(self.frame, (right, anterior, up))

    def paint(self, canvas: Canvas) -> None:
        """Cortex, then marrow inside it."""
        window = canvas.window(self.block)
        if window is None:
            return
        x, a, s = canvas.warped(window, self.frame, self.warp)
        if self.radius is None:
            distance = ellipsoid(x, a, s, self.half)
        else:
            distance = rounded_box(x, a, s, self.half, self.radius)
        canvas.paint(window, canvas.cover(distance), CORTEX)
        canvas.paint(window, canvas.cover(distance + self.cortex), self.marrow.tissue)


def arch(bone: Vertebra, canal_depth: float, overgrowth: tuple[float, float], marrow: Marrow) -> tuple[ArchPiece, ...]:
    """Pedicles, laminae, articular and transverse processes and the spinous process of a lumbar vertebra.

    `overgrowth` enlarges the facets on the left and on the right (0 is none, 1 doubles them).
    """
    k = bone.half_depth / 18.5
    rear = -(bone.half_depth + canal_depth)
    tip = {"L5": 10.0, "L6": 10.0, "T12": 13.0}.get(bone.name, 15.0) * k
    high = {"L5": 8.0, "L6": 8.0}.get(bone.name, 12.0) * k
    at = bone.frame.moved
    spinous = at(0, rear - 5 * k - tip, -6.5 * k).pitched(0.12)
    pieces = [ArchPiece(spinous, (3.8 * k, tip, high), 3.2 * k, marrow, warp=0.9)]
    for side, extra in zip((-1.0, 1.0), overgrowth, strict=True):
        swell = 1 + 0.6 * extra
        inner = 16.0 * k - 2.5 * extra
        pieces += [
            ArchPiece(
                at(side * 14.5 * k, -bone.half_depth - 5 * k, 4.5 * k),
                (4.2 * k, 9 * k, 6.4 * k),
                3.6 * k,
                marrow,
            ),
            ArchPiece(
                at(side * 8.5 * k, rear - 3.2 * k, -5 * k).pitched(0.3),
                (8.5 * k, 3.2 * k, 10 * k),
                None,
                marrow,
            ),
            ArchPiece(
                at(side * (inner + 2.5 * k), rear + 2.5 * k, 13 * k),
                (7.5 * k * swell, 6.0 * k * swell, 11 * k),
                None,
                marrow,
            ),
            ArchPiece(
                at(side * inner, rear - 5 * k, -15 * k),
                (7.8 * k * swell, 6.6 * k * swell, 11 * k),
                None,
                marrow,
            ),
            ArchPiece(
                at(side * 29 * k, rear + 5 * k, 4 * k),
                (13 * k, 3.0 * k, 5 * k),
                2.8 * k,
                marrow,
            ),
        ]
    return tuple(pieces)


def wings(bone: Vertebra, marrow: Marrow) -> tuple[ArchPiece, ...]:
    """The lateral masses of a sacral vertebra, its median crest and, beside the upper ones, the iliac bones."""
    width, depth, half = bone.half_width, bone.half_depth, bone.height / 2
    reach = {"L5": 26.0, "S1": 30.0, "S2": 26.0, "S3": 18.0}.get(bone.name, 9.0)
    pieces = []
    for side in (-1.0, 1.0):
        masses = bone.frame.moved(side * (width + 0.42 * reach), -0.6 * depth - 2, -0.1 * half)
        pieces.append(
            ArchPiece(
                masses,
                (0.62 * reach, depth + 5, half + 2),
                6.0 if reach > 10 else 3.0,
                marrow,
                warp=1.5,
            )
        )
        if bone.name in ("S1", "S2"):
            ilium = bone.frame.moved(side * (width + 1.1 * reach + 9), -depth - 6, 4).turned(-side * 0.5)
            pieces.append(ArchPiece(ilium, (6.0, 30.0, half + 8), 5.5, marrow, warp=2.0))
    crest = {"S1": 14.5, "S2": 10.5, "S3": 7.5}.get(bone.name, 5.5)
    pieces.append(
        ArchPiece(
            bone.frame.moved(0, -depth - crest - 4.5, 0),
            (7.0, 3.4, half - 2),
            2.8,
            marrow,
            warp=1.4,
        )
    )
    return tuple(pieces)


def marrow_of(age: int, shade: float) -> Tissue:
    """Vertebral marrow: its fat rises with age (Kugel et al., JMRI 13:263, 2001); `shade` is the patient's own."""
    fat = min(max(0.24 + 0.0042 * (age - 25) + 0.09 * shade, 0.12), 0.65)
    return replace(MARROW, fat=round(fat, 4))
