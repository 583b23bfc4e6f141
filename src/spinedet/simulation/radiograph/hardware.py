"""Pedicle-screw systems, rods and cages as metal solids; no system is a maker's."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum
from typing import TypeAlias

import numpy as np

from spinedet.simulation.anatomy.spine import Disc, Frame, Vector, Vertebra
from spinedet.simulation.painting.shapes import hump, rounded_box
from spinedet.simulation.radiograph.beam import Points, corners, cosine, sine
from spinedet.simulation.radiograph.projector import Layer, Material, Place, Solid, Tube
from spinedet.simulation.radiograph.tubes import bead_line, tube

Metal: TypeAlias = tuple[Solid | Tube, ...]


class Core(Enum):
    """How the core of a screw runs from its head to its tip."""

    CYLINDER = (1.0, 1.0)
    CONE = (1.18, 0.72)
    HUB = (1.42, 0.95)


@dataclass(frozen=True, slots=True)
class System:
    """A pedicle-screw system.

    Attributes:
        rod: diameter, mm; round_ends: whether the rod ends in half spheres or is cut.
        pitch: distance between threads along the shank, mm; starts: threads that run side by side.
        core: of the shank.
        tulip: width and height of the screw head, mm; flat: whether its sides along the rod are flattened; profile:
            share by which it is wider (+) or narrower (-) at half height.
        bore: diameter of the opening in the set screw, mm; cannula: of the channel through the shank.
        swing: how far a head may tilt against the shank, degrees.
    """

    rod: float
    round_ends: bool
    pitch: float
    starts: int
    core: Core
    tulip: tuple[float, float]
    flat: bool
    profile: float
    bore: float
    cannula: float
    swing: float


# Parts are shared on purpose, so that no single measure tells two systems apart from all others. X and Y are held out.
SYSTEMS = {
    "A": System(5.5, False, 2.8, 1, Core.CYLINDER, (13.0, 15.5), False, -0.14, 4.2, 0.0, 20.0),
    "B": System(5.5, True, 2.4, 1, Core.CONE, (13.6, 13.5), True, 0.0, 3.4, 0.0, 16.0),
    "C": System(6.0, False, 2.0, 1, Core.HUB, (13.2, 17.0), False, 0.0, 4.2, 0.0, 20.0),
    "D": System(5.5, True, 2.8, 2, Core.CYLINDER, (12.6, 14.5), True, 0.0, 4.6, 1.6, 25.0),
    "E": System(4.75, False, 2.6, 1, Core.HUB, (11.6, 13.0), False, -0.14, 3.4, 0.0, 20.0),
    "X": System(6.35, True, 3.2, 1, Core.CYLINDER, (14.4, 14.0), False, 0.0, 5.2, 0.0, 2.0),
    "Y": System(6.0, True, 2.2, 1, Core.CONE, (13.0, 16.0), True, 0.12, 5.0, 1.4, 12.0),
}
_TURN = 16
_CIRCLE = tuple((cosine(360 / _TURN * i), sine(360 / _TURN * i)) for i in range(_TURN))


@dataclass(frozen=True, slots=True)
class Tulip:
    """A screw head with its set screw; `frame.up` points away from the bone, `frame.anterior` along the rod."""

    frame: Frame
    system: System

    @property
    def half(self) -> Vector:
        """Half sizes."""
        width, height = self.system.tulip
        grown = width / 2 * (1 + abs(self.system.profile)) + 0.5
        return grown, grown, height / 2 + 0.5

    def layers(self, place: Place) -> Iterable[Layer]:
        """Titanium around the slot of the rod, and the set screw above it."""
        x, a, s = place
        system = self.system
        width, height = system.tulip
        level = s * np.float32(2 / height)
        reach = np.sqrt(x * x + a * a)
        bulge = 1 + np.float32(system.profile) * hump(level, 0.9)
        shell = np.maximum(reach - np.float32(width / 2) * bulge, np.abs(s) - np.float32(height / 2))
        if system.flat:
            shell = np.maximum(shell, np.abs(a) - np.float32(0.38 * width))
        seat = self.seat
        slot = np.where(
            s > np.float32(seat),
            np.abs(x) - np.float32(system.rod / 2 + 0.1),
            np.sqrt(x * x + (s - np.float32(seat)) ** 2) - np.float32(system.rod / 2 + 0.1),
        )
        ball = np.sqrt(reach * reach + (s + np.float32(height / 2)) ** 2) - np.float32(0.34 * width)
        head = np.minimum(np.maximum(shell, -slot), np.maximum(ball, -s - height / 2))
        above = np.abs(s - np.float32(height / 2 - 2.2)) - np.float32(2.2)
        plug = np.maximum(reach - np.float32(system.rod / 2 + 1.4), above)
        plug = np.maximum(plug, np.float32(system.bore / 2) - reach)
        yield Layer(Material.TITANIUM, 1.0, np.minimum(head, plug))

    @property
    def seat(self) -> float:
        """Height of the rod's axis."""
        return self.system.tulip[1] / 2 - 4.4 - self.system.rod / 2


@dataclass(frozen=True, slots=True)
class Rod:
    """A rod along `frame.up`, bent by `bend` mm at its ends."""

    frame: Frame
    length: float
    diameter: float
    round_ends: bool
    bend: float
    material: Material

    @property
    def half(self) -> Vector:
        """Half sizes."""
        r = self.diameter / 2 + 0.5
        return r, r + abs(self.bend), self.length / 2 + 0.5

    def layers(self, place: Place) -> Iterable[Layer]:
        """One metal."""
        x, a, s = place
        level = s * np.float32(2 / self.length)
        a = a - np.float32(self.bend) * (level * level - np.float32(0.3))
        r = self.diameter / 2
        if self.round_ends:
            beyond = np.maximum(np.abs(s) - np.float32(self.length / 2 - r), 0)
            yield Layer(self.material, 1.0, np.sqrt(x * x + a * a + beyond * beyond) - np.float32(r))
        else:
            round_wall = np.sqrt(x * x + a * a) - np.float32(r)
            yield Layer(self.material, 1.0, np.maximum(round_wall, np.abs(s) - np.float32(self.length / 2)))


@dataclass(frozen=True, slots=True)
class MetalBlock:
    """A rounded block with a hole through it from top to bottom: a titanium cage."""

    frame: Frame
    half: Vector
    hole: float
    amount: float

    def layers(self, place: Place) -> Iterable[Layer]:
        """One metal, porous."""
        x, a, s = place
        box = rounded_box(x, a, s, self.half, 2.0)
        hole = np.maximum(np.abs(x) - self.hole * self.half[0], np.abs(a) - self.hole * self.half[1])
        yield Layer(Material.TITANIUM, self.amount, np.maximum(box, -hole))


@dataclass(frozen=True, slots=True)
class Screw:
    """A pedicle screw: where its head's ball sits, the unit direction of its shank, diameter and length."""

    head: Vector
    direction: Vector
    diameter: float
    length: float

    def at(self, along: float) -> Vector:
        """RAS mm of a point on the axis."""
        return _along(self.head, self.direction, along)


def shank(screw: Screw, system: System) -> Metal:
    """Core and threads."""
    major = screw.diameter / 2
    core = 0.66 * major
    first, last = system.core.value
    near = min(first * core, 0.93 * major)
    hub = 0.35 * screw.length
    line = [screw.at(0), screw.at(hub), screw.at(hub + 1), screw.at(screw.length - 5), screw.at(screw.length)]
    middle = near if system.core is Core.HUB else core * (first + (last - first) * 0.35)
    radii = [
        near,
        middle,
        core * (first + (last - first) * 0.4) if system.core is not Core.HUB else core,
        core * last,
        0.3,
    ]
    parts: list[Tube] = [tube(line, radii, Material.TITANIUM, 1.0, spacing=0.4)]
    crest = 0.20 * system.pitch
    for start in range(system.starts):
        points = _helix(screw, system, major - crest, start)
        parts.append(bead_line(points, crest, Material.TITANIUM))
        parts.append(bead_line(_helix(screw, system, major - 2.2 * crest, start), crest, Material.TITANIUM))
    if system.cannula:
        parts.append(tube([screw.at(0), screw.at(screw.length)], [system.cannula / 2] * 2, Material.TITANIUM, -1.0))
    return tuple(parts)


def _helix(screw: Screw, system: System, radius: float, start: int) -> Points:
    first, second = _across(screw.direction)
    lead = system.pitch * system.starts
    begin, end = 5.0, screw.length - 1.5
    count = int((end - begin) / lead * _TURN)
    points = []
    for step in range(count):
        along = begin + step * lead / _TURN
        tip = min(max((screw.length - along) / 6, 0.25), 1.0)
        c, s = _CIRCLE[(step + start * _TURN // max(system.starts, 1)) % _TURN]
        spot = screw.at(along)
        points.append([p + tip * radius * (c * a + s * b) for p, a, b in zip(spot, first, second, strict=True)])
    return np.round(np.array(points), 6)


def pedicle_screw(bone: Vertebra, side: float, rng: np.random.Generator) -> Screw:
    """A screw through the pedicle of a vertebra, or into the lateral mass of S1; `side` is 1 on the right."""
    k = bone.half_depth / (15.0 if bone.sacral else 18.7)
    inward = 17 + 4 * float(rng.standard_normal()) + (6 if bone.sacral else 0)
    upward = float(rng.normal(0, 5)) - (4 if bone.sacral else 0)
    if bone.sacral:
        entry = (side * 20 * k, -bone.half_depth - 13 * k, bone.height / 2 - 9 * k)
    else:
        slope = sine(inward) / cosine(inward)
        entry = (side * (16.5 * k + 14 * slope), -bone.half_depth - 19 * k, 4.5 * k + float(rng.normal(0, 1)))
    direction = (-side * sine(inward) * cosine(upward), cosine(inward) * cosine(upward), sine(upward))
    origin = bone.frame.at(0, 0, 0)
    tip = bone.frame.at(*direction)
    way = tuple(round(b - a, 9) for a, b in zip(origin, tip, strict=True))
    length = float(rng.choice([35.0, 40.0, 45.0, 50.0], p=[0.15, 0.35, 0.4, 0.1]))
    diameter = float(rng.choice([5.5, 6.0, 6.5, 7.0, 7.5], p=[0.1, 0.15, 0.45, 0.15, 0.15]))
    return Screw(bone.frame.at(*entry), (way[0], way[1], way[2]), diameter, length)


def construct(screws: tuple[Screw, ...], system: System, rng: np.random.Generator) -> Metal:
    """The shanks, heads and rod of one side, from the lowest screw to the highest."""
    parts: list[Solid | Tube] = []
    heads = [_along(screw.head, screw.direction, -system.tulip[1] / 2 - 1) for screw in screws]
    lowest, highest = heads[0], heads[-1]
    up = between(lowest, highest)
    seats = []
    for screw, head in zip(screws, heads, strict=True):
        outward = _tilted(_opposite(screw.direction), up, system.swing)
        tulip = Tulip(facing(head, outward, up), system)
        seats.append(tulip.frame.at(0, 0, tulip.seat))
        parts += [*shank(screw, system), tulip]
    over = (float(rng.uniform(5, 11)), float(rng.uniform(5, 11)))
    metal = Material.COBALT if rng.random() < 0.4 else Material.TITANIUM
    parts.append(_rod(seats[0], seats[-1], over, system, metal, float(rng.uniform(0.3, 2.2))))
    return tuple(parts)


def _rod(low: Vector, high: Vector, over: tuple[float, float], system: System, metal: Material, bend: float) -> Rod:
    up = between(low, high)
    length = math.dist(low, high)
    middle = _along(low, up, (length - over[0] + over[1]) / 2)
    right = _unit(_cross((0.0, 1.0, 0.0), up))
    frame = Frame(middle, right, _unit(_cross(up, right)), up)
    return Rod(frame, round(length + over[0] + over[1], 9), system.rod, system.round_ends, -bend, metal)


def facing(center: Vector, outward: Vector, up: Vector) -> Frame:
    """The frame of a screw head: away from the bone, and along the rod."""
    right = _unit(_cross(up, outward))
    return Frame(center, right, _unit(_cross(outward, right)), outward)


def cross_link(first: Vector, second: Vector, diameter: float) -> Metal:
    """A connector between both rods, thicker at its clamps."""
    third = [tuple(a + (b - a) * s for a, b in zip(first, second, strict=True)) for s in (0.0, 0.12, 0.88, 1.0)]
    line: list[Vector] = [(p[0], p[1], p[2]) for p in third]
    thin = diameter / 2
    return (tube(line, [2.2 * thin, thin, thin, 2.2 * thin], Material.TITANIUM, 0.9, spacing=0.4),)


def cage(disc: Disc, rng: np.random.Generator) -> Metal:
    """An interbody cage: none, plastic with tantalum pins, or porous titanium."""
    lot = rng.random()
    if lot < 0.3:
        return ()
    frame = disc.frame.moved(float(rng.normal(0, 3)), float(rng.normal(0, 3)), 0).turned(
        float(rng.choice([0.0, 0.7, -0.7]))
    )
    half = (float(rng.uniform(10, 14)), float(rng.uniform(9, 12)), max(disc.half_height - 0.5, 3.0))
    if lot < 0.72:
        places = [(-0.8, -0.8), (0.8, -0.8), (float(rng.uniform(-0.6, 0.6)), 0.85)]
        ends = [(frame.at(x * half[0], y * half[1], s * half[2] * 0.85)) for x, y in places for s in (-1, 1)]
        pairs = zip(ends[::2], ends[1::2], strict=True)
        return tuple(tube([a, b], [0.45, 0.45], Material.TANTALUM, 1.0, spacing=0.3) for a, b in pairs)
    return (MetalBlock(frame, half, float(rng.uniform(0.3, 0.6)), float(rng.uniform(0.35, 0.8))),)


def extent(parts: Metal) -> Points:
    """(n, 3) points around all parts."""
    return np.vstack([part.points if isinstance(part, Tube) else corners(part.frame, part.half) for part in parts])


def _tilted(axis: Vector, up: Vector, swing: float) -> Vector:
    """`axis` turned towards the plane across `up`, by at most `swing` degrees."""
    share = _dot(axis, up)
    limit = sine(swing)
    kept = share - min(max(share, -limit), limit)
    turned = _along(axis, up, kept - share)
    return _unit(turned)


def _opposite(v: Vector) -> Vector:
    return -v[0], -v[1], -v[2]


def _across(axis: Vector) -> tuple[Vector, Vector]:
    first = _unit(_cross(axis, (0.0, 0.0, 1.0)))
    return first, _unit(_cross(axis, first))


def _along(start: Vector, direction: Vector, distance: float) -> Vector:
    x, y, z = (round(p + distance * d, 9) for p, d in zip(start, direction, strict=True))
    return x, y, z


def between(start: Vector, end: Vector) -> Vector:
    """The unit direction from one point to another."""
    return _unit((end[0] - start[0], end[1] - start[1], end[2] - start[2]))


def _dot(a: Vector, b: Vector) -> float:
    return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]


def _cross(a: Vector, b: Vector) -> Vector:
    return a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]


def _unit(v: Vector) -> Vector:
    length = math.sqrt(_dot(v, v))
    return round(v[0] / length, 12), round(v[1] / length, 12), round(v[2] / length, 12)
