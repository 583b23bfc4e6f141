"""Vertebrae as painted solids: bodies with end plates and a basivertebral vein, arches, processes, the sacral wings."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from spinedet.simulation.anatomy import Frame, Vertebra
from spinedet.simulation.canvas import Canvas, Field, Window
from spinedet.simulation.shapes import ellipsoid, outline, rounded_box, smooth_max
from spinedet.simulation.texture import Texture
from spinedet.simulation.tissue import CORTEX, FLUID, MARROW, Tissue


@dataclass(frozen=True, slots=True)
class Body:
    """How one vertebral body is painted: its marrow, the hollow of its faces (mm) and the lips at its rims (mm)."""

    bone: Vertebra
    marrow: Tissue
    grain: Texture
    mottling: float
    hollow: float
    lips: float = 0.0

    def paint(self, canvas: Canvas) -> None:
        """Cortex, marrow and vein."""
        bone = self.bone
        radius = (bone.half_width**2 + bone.half_depth**2 + (bone.height / 2) ** 2) ** 0.5 + 3
        window = canvas.window(bone.frame.center, radius)
        if window is None:
            return
        x, a, s = canvas.local(window, bone.frame)
        wall, face = self._surfaces(x, a, s)
        canvas.paint(window, canvas.cover(smooth_max(wall, face, 1.2)), CORTEX)
        inside = canvas.cover(smooth_max(wall + 0.6, face + 0.75, 1.2))
        gain = 1 + self.mottling * np.clip(self.grain.over(canvas, window), -2.5, 2.5)
        canvas.paint(window, inside, self.marrow, np.maximum(gain, 0.2))
        if not bone.sacral:
            self._paint_vein(canvas, window, (x, a, s))

    def _surfaces(self, x: Field, a: Field, s: Field) -> tuple[Field, Field]:
        """Distances to the wall and to the nearer face."""
        bone = self.bone
        half = bone.height / 2
        reach = outline(x, a, bone.half_width, bone.half_depth)
        height = s * (1 / half)
        squared = np.minimum(height * height, 1.3)
        waist = 0.085 * (1 - squared)
        wall = (reach - 1 + waist) * bone.half_depth
        if self.lips:
            wall = wall - self.lips * squared * squared * squared
        face = np.abs(s) - (half + 0.5 * bone.wedge * a - self.hollow * np.maximum(1 - reach * reach, 0))
        return wall, face

    def _paint_vein(self, canvas: Canvas, window: Window, place: tuple[Field, Field, Field]) -> None:
        x, a, s = place
        depth = self.bone.half_depth
        vein = ellipsoid(x, a + 0.78 * depth, s, (0.35 * self.bone.half_width, 0.38 * depth, 1.5))
        canvas.paint(window, 0.7 * canvas.cover(vein), FLUID, 0.5)


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of an arch or wing: a rounded box, or an ellipsoid when `radius` is None, of marrow in cortex."""

    frame: Frame
    half: tuple[float, float, float]
    radius: float | None
    marrow: Tissue
    cortex: float = 0.9

    def paint(self, canvas: Canvas) -> None:
        """Cortex, then marrow inside it."""
        reach = max(self.half) if self.radius is None else sum(h * h for h in self.half) ** 0.5
        window = canvas.window(self.frame.center, reach + 1)
        if window is None:
            return
        x, a, s = canvas.local(window, self.frame)
        if self.radius is None:
            distance = ellipsoid(x, a, s, self.half)
        else:
            distance = rounded_box(x, a, s, self.half, self.radius)
        canvas.paint(window, canvas.cover(distance), CORTEX)
        canvas.paint(window, canvas.cover(distance + self.cortex), self.marrow)


def arch(bone: Vertebra, canal_depth: float, overgrowth: float, marrow: Tissue) -> tuple[Piece, ...]:
    """Pedicles, laminae, articular and transverse processes and the spinous process of a lumbar vertebra.

    `overgrowth` enlarges the facets (0 is none, 1 doubles them).
    """
    k = bone.half_depth / 17.0
    rear = -(bone.half_depth + canal_depth)
    tip_length = {"L5": 11.0, "T12": 13.0}.get(bone.name, 15.0) * k
    high = {"L5": 7.0}.get(bone.name, 9.5) * k
    pieces = [
        Piece(
            bone.frame.moved(0, rear - 5 * k - tip_length, -6.5 * k).pitched(0.12),
            (2.9 * k, tip_length, high),
            2.4 * k,
            marrow,
        )
    ]
    swell = 1 + overgrowth
    for side in (-1.0, 1.0):
        at = bone.frame.moved
        pieces += [
            Piece(at(side * 14.5 * k, -bone.half_depth - 5 * k, 4.5 * k), (4.2 * k, 9 * k, 6.2 * k), 3.5 * k, marrow),
            Piece(at(side * 8.5 * k, rear - 3.0 * k, -5 * k).pitched(0.25), (8.5 * k, 3.2 * k, 9 * k), None, marrow),
            Piece(at(side * 17.5 * k, rear + 2 * k, 11 * k), (5 * k * swell, 4.5 * k * swell, 8.5 * k), None, marrow),
            Piece(at(side * 15.5 * k, rear - 4 * k, -13 * k), (5 * k * swell, 5 * k * swell, 9 * k), None, marrow),
            Piece(at(side * 29 * k, rear + 5 * k, 4 * k), (13 * k, 3.2 * k, 5 * k), 2.8 * k, marrow),
        ]
    return tuple(pieces)


def wings(bone: Vertebra, marrow: Tissue) -> tuple[Piece, ...]:
    """The lateral masses of a sacral vertebra, its median crest and, beside S1, the iliac bones."""
    k = bone.half_depth / 16.0 if bone.name == "S1" else 1.0
    width, depth, half = bone.half_width, bone.half_depth, bone.height / 2
    reach = {"S1": 30.0, "S2": 26.0, "S3": 18.0}.get(bone.name, 9.0)
    pieces = []
    for side in (-1.0, 1.0):
        masses = bone.frame.moved(side * (width + 0.45 * reach), -0.6 * depth - 2, -0.1 * half)
        pieces.append(Piece(masses, (0.62 * reach, depth + 5, half + 1), 6.0 if reach > 10 else 3.0, marrow))
        if bone.name in ("S1", "S2"):
            ilium = bone.frame.moved(side * (width + 1.12 * reach + 8), -depth - 6, 4)
            pieces.append(Piece(ilium, (6.0, 26.0, half + 6), 5.0, marrow))
    crest = {"S1": 13.0, "S2": 10.0, "S3": 7.5}.get(bone.name, 5.5)
    pieces.append(Piece(bone.frame.moved(0, -depth - crest * k - 5.5, 0), (7.0, 3.2, half - 1.5), 2.5, marrow))
    return tuple(pieces)


def marrow_of(age: int, shade: float) -> Tissue:
    """Vertebral marrow: its fat rises with age; `shade` is the patient's own deviation."""
    fat = min(max(0.30 + 0.0035 * (age - 25) + 0.08 * shade, 0.15), 0.65)
    return Tissue(MARROW.density, MARROW.t1_ms, MARROW.t2_ms, fat=round(fat, 4))
