"""Vertebrae as solids for projection: bodies, arches with their processes, and the sacrum."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np

from spinedet.simulation.anatomy.spine import Frame, Vector, Vertebra
from spinedet.simulation.painting.shapes import ellipse, ellipsoid, hump, outline, rounded_box, smooth_max
from spinedet.simulation.radiograph.beam import Field
from spinedet.simulation.radiograph.projector import Layer, Material, Place


@dataclass(frozen=True, slots=True)
class Mineral:
    """Share of solid bone in the cortex, in end plates and in cancellous bone."""

    cortex: float = 0.75
    plate: float = 0.8
    cancellous: float = 0.17


@dataclass(frozen=True, slots=True)
class Dent:
    """A change of one end plate (upper when `side` is 1, lower when -1).

    Attributes:
        side: which plate.
        depth: of the deepest place, mm; spread: its half width from front to back, mm.
        place: of the deepest place, share of the half depth in front of the middle.
        across: half width from right to left, mm; None is the whole plate.
        dense: extra mineral in a band under the plate; band: its thickness and its distance below the plate, mm.
        step: height of a step under the rim of the front wall, mm.
        lip: of the front rim, mm.
        blunt: softening of the edges of the dent, mm.
    """

    side: float
    depth: float = 0.0
    spread: float = 12.0
    place: float = 0.0
    across: float | None = None
    dense: float = 0.0
    band: tuple[float, float] = (3.0, 0.0)
    step: float = 0.0
    lip: float = 0.0
    blunt: float = 0.0


@dataclass(frozen=True, slots=True)
class BodySolid:
    """A vertebral body.

    Attributes:
        bone: its measures.
        mineral: of the patient.
        hollow: how far the plates are hollowed, mm.
        waist: how far the walls are drawn in at half height, share of the half depth.
        lips: osteophytes at the rims of the lower and the upper plate, mm.
        dents: changes of its plates.
        crush: loss of height in front and behind, share of the height.
    """

    bone: Vertebra
    mineral: Mineral
    hollow: float = 1.5
    waist: float = 0.09
    lips: tuple[float, float] = (0.0, 0.0)
    dents: tuple[Dent, ...] = field(default=())
    crush: tuple[float, float] = (0.0, 0.0)

    @property
    def frame(self) -> Frame:
        """Of the body."""
        return self.bone.frame

    @property
    def half(self) -> Vector:
        """Half sizes with rims."""
        spare = 2.0 + max(self.lips) + max((dent.lip for dent in self.dents), default=0.0)
        bone = self.bone
        return (
            bone.half_width + spare,
            bone.half_depth + spare,
            bone.height / 2 + 0.5 * abs(bone.wedge) * bone.half_depth + 2.5,
        )

    def layers(self, place: Place) -> Iterable[Layer]:
        """Cortex, denser end plates and cancellous bone."""
        wall, low, high = self._surfaces(place)
        face = np.maximum(low, high)
        m = self.mineral
        outer = smooth_max(wall, face, 1.0)
        yield Layer(Material.BONE, m.cortex, outer)
        yield Layer(Material.BONE, m.cancellous - m.cortex, smooth_max(wall + 0.7, face + 1.0, 0.8))
        # The ring of the plates is denser than the rest of the cortex.
        yield Layer(Material.BONE, m.plate - m.cortex, np.maximum(outer, -face - 1.4))
        for dent in self.dents:
            if dent.dense:
                depth = -(high if dent.side > 0 else low)
                thick, below = dent.band
                band = np.abs(depth - np.float32(below + thick / 2)) - np.float32(thick / 2)
                yield Layer(Material.BONE, dent.dense, np.maximum(band, wall + 0.7))

    def _surfaces(self, place: Place) -> tuple[Field, Field, Field]:
        """Distances to the wall, the lower and the upper plate."""
        bone, (x, a, s) = self.bone, place
        half = bone.height / 2
        level = s * np.float32(1 / half)
        squared = np.minimum(level * level, np.float32(1.3))
        reach = outline(x, a, bone.half_width, bone.half_depth)
        wall = (reach - 1 + np.float32(self.waist) * (1 - squared)) * np.float32(bone.half_depth)
        rim = squared * squared * squared
        lower, upper = np.float32(self.lips[0]), np.float32(self.lips[1])
        front = hump(a - np.float32(bone.half_depth), 10.0)
        for dent in self.dents:
            wall = wall - np.float32(dent.lip) * rim * front * (s * np.float32(dent.side) > 0)
            below = np.float32(half - 4.5) - s * np.float32(dent.side)
            wall = wall - np.float32(dent.step) * front * hump(below, 3.0)
        wall = wall - rim * np.where(s < 0, lower, upper)
        share = np.clip(a * np.float32(0.5 / bone.half_depth) + np.float32(0.5), 0, 1)
        lost = np.float32(bone.height) * (np.float32(self.crush[0]) * share + np.float32(self.crush[1]) * (1 - share))
        rest = half + np.float32(0.5 * bone.wedge) * a - np.float32(self.hollow) * np.maximum(1 - reach * reach, 0)
        low, high = -s - rest, s - rest + lost
        for dent in self.dents:
            if dent.depth:
                sunk = np.float32(dent.depth) * self._dented(dent, x, a)
                low, high = (low, high + sunk) if dent.side > 0 else (low + sunk, high)
        return wall, low, high

    def _dented(self, dent: Dent, x: Field, a: Field) -> Field:
        v = (a - np.float32(dent.place * self.bone.half_depth)) * np.float32(1 / (dent.spread + dent.blunt))
        if dent.across is None:
            return hump(v, 1.0)
        u = x * np.float32(1 / dent.across)
        return hump(np.sqrt(u * u + v * v), 1.0)


@dataclass(frozen=True, slots=True)
class ArchShape:
    """Measures of an arch relative to a lumbar one.

    Attributes:
        spinous: length, half height and pitch (rad) of the spinous process.
        pedicle: half width and half height, mm.
        facet: size of the articular processes.
    """

    spinous: tuple[float, float, float] = (15.0, 11.0, 0.12)
    pedicle: tuple[float, float] = (4.5, 7.2)
    facet: float = 1.0


@dataclass(frozen=True, slots=True)
class ArchSolid:
    """Pedicles, laminae, articular processes and spinous process of a vertebra, fused to one solid."""

    bone: Vertebra
    shape: ArchShape
    mineral: Mineral
    canal: float = 15.0

    @property
    def size(self) -> float:
        """Relative to L3."""
        return self.bone.half_depth / 18.7

    @property
    def frame(self) -> Frame:
        """The body's axes, around the middle of the arch."""
        k = self.size
        back = self.bone.half_depth + self.canal * k + 5 * k + 2 * self.shape.spinous[0] * k
        return self.bone.frame.moved(0, -(self.bone.half_depth - 4 + back + 6) / 2, -5.5 * k)

    @property
    def half(self) -> Vector:
        """Half sizes."""
        k = self.size
        back = self.bone.half_depth + self.canal * k + 5 * k + 2 * self.shape.spinous[0] * k
        return 27.0 * k, (back + 6 - self.bone.half_depth + 4) / 2, 25.0 * k + 20 * max(self.shape.spinous[2] - 0.2, 0)

    def layers(self, place: Place) -> Iterable[Layer]:
        """Cortex and cancellous bone."""
        k, bone = self.size, self.bone
        away = self.frame.center
        shift = tuple(
            sum((p - q) * axis for p, q, axis in zip(away, bone.frame.center, direction, strict=True))
            for direction in (bone.frame.right, bone.frame.anterior, bone.frame.up)
        )
        x, a, s = (c + np.float32(d) for c, d in zip(place, shift, strict=True))
        side = np.abs(x)
        rear = -(bone.half_depth + self.canal * k)
        wide, tall = self.shape.pedicle
        long, high, pitch = self.shape.spinous
        f = self.shape.facet * k
        middle = -(bone.half_depth + 5 * k)
        pedicle = np.maximum(
            ellipse(side - 14.5 * k - 0.4 * wide, s - 4.5 * k, wide, tall * k), np.abs(a - middle) - 10 * k
        )
        lean = a + np.float32(0.35) * s
        lamina = ellipsoid(side - 8.0 * k, lean - (rear - 3.5 * k - 1.5), s + 4.5 * k, (8.5 * k, 3.4 * k, 11.5 * k))
        upper = ellipsoid(side - 17.5 * k, a - (rear + 3.0 * k), s - 10 * k, (6.0 * f, 5.8 * f, 11.5 * f))
        lower = ellipsoid(side - 13.5 * k, a - (rear - 5.0 * k), s + 15.5 * k, (5.6 * f, 5.2 * f, 11.0 * f))
        c, q = np.float32(1 - pitch * pitch / 2), np.float32(pitch)
        p, t = a - (rear - 5 * k - long * k), s + 7.5 * k + 0.25 * long * k
        # A hatchet: taller and thicker towards its tip.
        tip = np.clip(-p * np.float32(1 / (long * k)), -1, 1)
        spine = (
            rounded_box(
                x,
                c * p + q * t,
                c * t - q * p,
                (3.0 * k, long * k, high * k * 0.85),
                2.6 * k,
            )
            - np.float32(0.8 * k) * tip
        )
        whole = np.minimum(np.minimum(pedicle, upper), np.minimum(np.minimum(lamina, lower), spine))
        m = self.mineral
        yield Layer(Material.BONE, m.cortex, whole)
        yield Layer(Material.BONE, 1.2 * m.cancellous - m.cortex, whole + np.float32(1.5))


@dataclass(frozen=True, slots=True)
class SacralSolid:
    """A segment of the sacrum: body, lateral masses and the foramina below them."""

    bone: Vertebra
    top: float
    bottom: float
    wing: float
    mineral: Mineral
    first: bool

    @property
    def frame(self) -> Frame:
        """Of the segment."""
        return self.bone.frame

    @property
    def half(self) -> Vector:
        """Half sizes."""
        return max(self.top, self.bottom) + 2, self.bone.half_depth + 24, self.bone.height / 2 + 5

    def layers(self, place: Place) -> Iterable[Layer]:
        """Cortex in front, behind and at the sides; a plate on top of the first."""
        bone, (x, a, s) = self.bone, place
        half = bone.height / 2
        side, level = np.abs(x), s * np.float32(1 / half)
        share = np.clip(level * np.float32(0.5) + np.float32(0.5), 0, 1)
        width = np.float32(self.bottom) + np.float32(self.top - self.bottom) * share
        beyond = np.maximum(side - np.float32(0.8 * bone.half_width), 0)
        scale = 1 + np.float32(bone.taper) * level
        front = bone.half_depth * scale - np.float32(0.4) * beyond
        back = bone.half_depth + np.float32(self.wing) - np.float32(0.1) * beyond
        # The back of the canal and the crest lie behind the body; the canal itself is hollow.
        wall = np.maximum(np.maximum(a - front, -a - back), side - width)
        canal = ellipse(x, a + np.float32(bone.half_depth + 8), 13.0, 6.5)
        wall = np.maximum(wall, -canal)
        mouth = ellipse(side - np.float32(0.72 * bone.half_width + 2), s + np.float32(half), 6.2, 5.0)
        wall = np.maximum(wall, -mouth)
        drop = np.float32(0.18) * beyond if self.first else np.float32(0)
        face = np.maximum(s - half + drop, -s - half - 1)
        m = self.mineral
        whole = np.maximum(wall, face)
        yield Layer(Material.BONE, m.cortex * 0.8, whole)
        inner = np.maximum(wall + 1.0, face + 1.0 if self.first else face)
        yield Layer(Material.BONE, 0.8 * m.cancellous - m.cortex * 0.8, inner)
        # The lateral masses are mostly fat.
        yield Layer(Material.BONE, -0.55 * m.cancellous, np.maximum(inner, np.float32(0.9 * bone.half_width) - side))
