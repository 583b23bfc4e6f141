"""A patient's spine in millimetres: vertebrae, discs and the canal behind them, drawn from a seed."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import PchipInterpolator
from scipy.ndimage import uniform_filter1d

Array: TypeAlias = NDArray[np.floating[Any]]
Vector: TypeAlias = tuple[float, float, float]

TABLE_STEP = 0.25  # mm between two entries of a curve's table


@dataclass(frozen=True, slots=True)
class Frame:
    """A place in the body: its centre (RAS mm) and the unit directions right, anterior and up of that bone or disc."""

    center: Vector
    right: Vector
    anterior: Vector
    up: Vector

    def at(self, right: float, anterior: float, up: float) -> Vector:
        """RAS mm of a point given in this frame."""
        parts = zip(self.center, self.right, self.anterior, self.up, strict=True)
        return _triple(c + r * right + a * anterior + u * up for c, r, a, u in parts)

    def many(self, points: Array) -> Array:
        """RAS mm (n, 3) of points given in this frame."""
        right, anterior, up = points.T[:, :, None]
        away = right * np.array(self.right) + anterior * np.array(self.anterior) + up * np.array(self.up)
        return np.round(np.array(self.center) + away, 9)

    def moved(self, right: float, anterior: float, up: float) -> Frame:
        """The same directions around another centre, given in this frame."""
        return Frame(self.at(right, anterior, up), self.right, self.anterior, self.up)

    def pitched(self, angle: float) -> Frame:
        """Turned about the right-left axis by `angle` rad: positive tips the upper face forwards."""
        anterior, up = _rotated(self.anterior, self.up, -angle)
        return Frame(self.center, self.right, anterior, up)

    def rolled(self, angle: float) -> Frame:
        """Turned about the front-back axis: positive tips the upper face to the right."""
        right, up = _rotated(self.right, self.up, -angle)
        return Frame(self.center, right, self.anterior, up)

    def turned(self, angle: float) -> Frame:
        """Turned about its own up axis: positive turns the front to the left."""
        right, anterior = _rotated(self.right, self.anterior, angle)
        return Frame(self.center, right, anterior, self.up)


def _rotated(first: Vector, second: Vector, angle: float) -> tuple[Vector, Vector]:
    """Both vectors turned in their plane, the first towards the second."""
    c, s = math.cos(angle), math.sin(angle)
    pairs = list(zip(first, second, strict=True))
    return _triple(c * a + s * b for a, b in pairs), _triple(c * b - s * a for a, b in pairs)


UPRIGHT = Frame((0.0, 0.0, 0.0), (1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0))


@dataclass(frozen=True, slots=True)
class Vertebra:
    """A vertebral body: half axes of its outline, height in the middle, and how much the faces converge backwards.

    Attributes:
        wedge: angle between the two faces in rad, positive when the body is higher in front.
        taper: relative growth of the outline from the lower to the upper face; the rear wall stays straight.
        sacral: a piece of the sacrum, fused to its neighbours.
    """

    name: str
    frame: Frame
    half_width: float
    half_depth: float
    height: float
    wedge: float
    taper: float = 0.0
    sacral: bool = False

    @property
    def rear(self) -> Vector:
        """RAS mm of the middle of the rear wall."""
        return self.frame.at(0, -self.half_depth, 0)


@dataclass(frozen=True, slots=True)
class Disc:
    """The room between two bodies, in the disc's own frame; `height` is that of the middle.

    `stub` marks what is left of a disc between fused vertebrae.
    """

    level: str
    frame: Frame
    half_width: float
    half_depth: float
    height: float
    wedge: float
    stub: bool = False

    @property
    def half_height(self) -> float:
        """Half the height of the middle."""
        return self.height / 2


@dataclass(frozen=True, slots=True, eq=False)
class Curve:
    """The line along the rear walls of the bodies, tabulated over z: the backbone of everything that runs lengthwise.

    Attributes:
        bottom: z of the first entry; entries are `TABLE_STEP` apart.
        x, y: (n,) position of the line.
        slant: (n,) cosine of the angle between the line and the z axis.
    """

    bottom: float
    x: Array
    y: Array
    slant: Array

    def behind(self, entry: int, aside: float, distance: float) -> Vector:
        """RAS mm of the point so far aside of an entry and behind it, at right angles to the line."""
        height = self.bottom + TABLE_STEP * entry
        return float(self.x[entry]) + aside, float(self.y[entry]) - distance / float(self.slant[entry]), height

    @property
    def z(self) -> Array:
        """(n,) heights of the entries."""
        return self.bottom + TABLE_STEP * np.arange(len(self.x))


@dataclass(frozen=True, slots=True)
class Patient:
    """Who is scanned: `scale` multiplies every length of the skeleton, `fat` is that of the back, mm."""

    sex: str
    age: int
    scale: float
    fat: float


@dataclass(frozen=True, slots=True)
class SlicePlacement:
    """Where a technologist places the slices: the middle of a sagittal stack, the lowest slice of an axial one (it goes
    up from there), and the discs that get blocks of their own."""

    sagittal: Frame
    axial: Frame
    blocks: tuple[Disc, ...]


@dataclass(frozen=True, slots=True)
class Spine:
    """All bones and discs of one patient, from tail to head, the curve behind them, and what to aim slices at."""

    patient: Patient
    vertebrae: tuple[Vertebra, ...]
    discs: tuple[Disc, ...]
    curve: Curve
    aim: SlicePlacement

    def bone(self, name: str) -> Vertebra:
        """The vertebra of that name."""
        return next(bone for bone in self.vertebrae if bone.name == name)

    def disc(self, level: str) -> Disc:
        """The disc of that level."""
        return next(disc for disc in self.discs if disc.level == level)


@dataclass(frozen=True, slots=True)
class Segment:
    """Average measures of a vertebra and of the disc below it (mm, degrees)."""

    name: str
    half_width: float
    half_depth: float
    height: float
    wedge: float
    disc_height: float
    disc_wedge: float


@dataclass(frozen=True, slots=True)
class Posture:
    """How a spine is bent.

    Attributes:
        lordosis: multiplies the wedges of the discs.
        bend: sideways tilt added from body to body, rad; it swings with `swing`, rad, along the spine.
        turn: rotation about the spine's own axis added from body to body, rad.
    """

    lordosis: float
    bend: float = 0.0
    swing: float = 0.0
    turn: float = 0.0


@dataclass(frozen=True, slots=True)
class Support:
    """What the vertebrae rest on: the upper face of the bone below."""

    name: str
    face: Frame
    half_width: float
    half_depth: float


@dataclass(frozen=True, slots=True)
class SegmentChange:
    """What degeneration does to a motion segment: disc height relative to a young one, slip of the bone above, mm."""

    height: float = 1.0
    slip: float = 0.0


def stack(
    foot: Support,
    segments: tuple[Segment, ...],
    posture: Posture,
    wearing: dict[str, SegmentChange],
    patient: Patient,
    rng: np.random.Generator,
) -> tuple[tuple[Vertebra, ...], tuple[Disc, ...]]:
    """Bodies and discs from the foot up, each resting on the one below."""
    bodies: list[Vertebra] = []
    discs: list[Disc] = []
    here, below = foot.face, (foot.name, foot.half_width, foot.half_depth)
    for number, part in enumerate(segments):
        level = f"{part.name}/{below[0]}"
        worn = wearing.get(level, SegmentChange())
        size = patient.scale * (1 + 0.02 * rng.standard_normal())
        width, depth = (
            part.half_width * size,
            part.half_depth * size * (1 + 0.03 * rng.standard_normal()),
        )
        room = part.disc_height * patient.scale * (1 + 0.07 * rng.standard_normal()) * worn.height
        wedge = math.radians(part.disc_wedge * posture.lordosis + rng.normal(0, 1.5)) * (0.4 + 0.6 * worn.height)
        middle, here = _step(here, room, wedge)
        discs.append(
            Disc(
                level,
                middle.moved(0, worn.slip / 2, 0),
                (width + below[1]) / 2,
                (depth + below[2]) / 2,
                room,
                wedge,
            )
        )
        height = part.height * patient.scale * (1 + 0.03 * rng.standard_normal())
        wedge = math.radians(part.wedge + rng.normal(0, 1.2))
        sideways = posture.bend * math.sin(posture.swing + 0.7 * number)
        middle, here = _step(
            here.moved(0, worn.slip, 0).rolled(sideways).turned(posture.turn),
            height,
            wedge,
        )
        bodies.append(Vertebra(part.name, middle, width, depth, height, wedge))
        below = (part.name, width, depth)
    return tuple(bodies), tuple(discs)


def _step(bottom: Frame, height: float, wedge: float) -> tuple[Frame, Frame]:
    """The middle and the top of a wedge that rests on `bottom`: lordosis turns the top backwards."""
    middle = bottom.pitched(-wedge / 2).moved(0, 0, height / 2)
    return middle, middle.moved(0, 0, height / 2).pitched(-wedge / 2)


def upright_along(bottom: Vertebra, top: Vertebra) -> Frame:
    """An upright frame at the middle between two vertebrae, rolled so that its up axis runs from one to the other."""
    (x0, y0, z0), (x1, y1, z1) = bottom.frame.center, top.frame.center
    middle = ((x0 + x1) / 2, (y0 + y1) / 2, (z0 + z1) / 2)
    return replace(UPRIGHT, center=middle).rolled(math.atan2(x1 - x0, z1 - z0))


def rear_curve(vertebrae: tuple[Vertebra, ...]) -> Curve:
    """The smooth line along the rear walls, carried on straight beyond both ends."""
    points = np.array([v.frame.at(0, -v.half_depth, up * v.height) for v in vertebrae for up in (-0.25, 0.25)])
    points = points[np.argsort(points[:, 2])]
    ends = (
        points[0] - 40 * _unit(points[2] - points[0]),
        points[-1] + 80 * _unit(points[-1] - points[-3]),
    )
    points = np.vstack([ends[0], points, ends[1]])
    points = points[np.concatenate([[True], np.diff(np.maximum.accumulate(points[:, 2])) > 1.0])]
    z = np.arange(points[0, 2], points[-1, 2], TABLE_STEP)
    x, y = (_smooth(PchipInterpolator(points[:, 2], points[:, axis])(z)) for axis in (0, 1))
    slope = np.sqrt(np.gradient(x, TABLE_STEP) ** 2 + np.gradient(y, TABLE_STEP) ** 2)
    return Curve(float(z[0]), x, y, 1 / np.sqrt(1 + slope**2))


def along(spine: Spine, table: dict[str, tuple[float, ...]], column: int) -> Array:
    """A column of a table per vertebra, at every entry of the curve."""
    bones = sorted(spine.vertebrae, key=lambda bone: bone.rear[2])
    values = [table[{"L6": "L5"}.get(bone.name, bone.name)][column] for bone in bones]
    return np.interp(spine.curve.z, [bone.rear[2] for bone in bones], values)


def _smooth(values: Array, length: int = 49) -> Array:
    """Running mean over `length` entries (12 mm), twice, ends held."""
    return uniform_filter1d(uniform_filter1d(values, length, mode="nearest"), length, mode="nearest")


def _unit(vector: Array) -> Array:
    return vector / np.sqrt((vector**2).sum())


def _triple(values: Iterable[float]) -> Vector:
    # Nine digits: a last-bit difference between mathematics libraries must not reach the files.
    first, second, third = (round(float(v), 9) for v in values)
    return first, second, third
