"""A patient's spine in millimetres: vertebrae, discs and the canal behind them, drawn from a seed."""

from __future__ import annotations

import math
from dataclasses import dataclass
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

    def moved(self, right: float, anterior: float, up: float) -> Frame:
        """The same directions around another centre, given in this frame."""
        return Frame(self.at(right, anterior, up), self.right, self.anterior, self.up)

    def pitched(self, angle: float) -> Frame:
        """Turned about the right-left axis by `angle` rad: positive tips the upper face forwards."""
        c, s = math.cos(angle), math.sin(angle)
        pairs = list(zip(self.anterior, self.up, strict=True))
        return Frame(
            self.center, self.right, _triple(c * a - s * u for a, u in pairs), _triple(s * a + c * u for a, u in pairs)
        )


UPRIGHT = Frame((0.0, 0.0, 0.0), (1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0))


@dataclass(frozen=True, slots=True)
class Vertebra:
    """A vertebral body: half axes of its outline, height in the middle, and how much the faces converge backwards.

    `wedge` is the angle between the two faces in rad, positive when the body is higher in front.
    """

    name: str
    frame: Frame
    half_width: float
    half_depth: float
    height: float
    wedge: float
    sacral: bool = False


@dataclass(frozen=True, slots=True)
class Disc:
    """The room between two bodies, in the disc's own frame; `height` is that of the middle."""

    level: str
    frame: Frame
    half_width: float
    half_depth: float
    height: float
    wedge: float


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

    @property
    def z(self) -> Array:
        """(n,) heights of the entries."""
        return self.bottom + TABLE_STEP * np.arange(len(self.x))


@dataclass(frozen=True, slots=True)
class Patient:
    """Who is scanned; `scale` multiplies every length."""

    sex: str
    age: int
    scale: float


@dataclass(frozen=True, slots=True)
class Spine:
    """All bones and discs of one patient, from tail to head, and the curve behind them."""

    patient: Patient
    vertebrae: tuple[Vertebra, ...]
    discs: tuple[Disc, ...]
    curve: Curve


@dataclass(frozen=True, slots=True)
class _Segment:
    """Average measures of a vertebra and of the disc below it (mm, degrees)."""

    name: str
    half_width: float
    half_depth: float
    height: float
    wedge: float
    disc_height: float
    disc_wedge: float


# Bodies after Zhou et al., Eur Spine J 9:242 (2000) and Panjabi et al., Spine 17:299 (1992); disc and body angles after
# Been et al., Spine 35:E762 (2010): lumbar lordosis lies mostly in the discs and in L5.
_LUMBAR = (
    _Segment("L5", 25.5, 17.4, 26.0, 8.5, 10.2, 13.0),
    _Segment("L4", 24.6, 17.3, 27.2, 2.5, 11.2, 9.5),
    _Segment("L3", 23.4, 17.1, 27.8, 1.0, 10.4, 7.5),
    _Segment("L2", 22.3, 16.8, 27.4, -1.0, 9.3, 6.0),
    _Segment("L1", 21.3, 16.3, 26.4, -2.5, 8.0, 4.5),
    _Segment("T12", 20.4, 15.8, 25.0, -3.5, 6.6, 2.0),
    _Segment("T11", 19.0, 15.2, 23.2, -4.0, 5.6, 0.0),
    _Segment("T10", 17.6, 14.8, 22.0, -4.0, 5.0, -1.0),
    _Segment("T9", 16.8, 14.4, 21.2, -4.0, 4.6, -1.5),
    _Segment("T8", 16.2, 14.0, 20.6, -4.5, 4.3, -2.0),
)
# From S1 down: half width, half depth (tapering), height, tilt of the axis against that of S1 (degrees).
_SACRUM = (
    ("S1", 25.0, 16.0, 29.0, 3.0),
    ("S2", 19.0, 10.5, 25.0, 8.0),
    ("S3", 15.0, 7.5, 21.0, -2.0),
    ("S4", 13.0, 6.0, 18.0, -22.0),
    ("S5", 11.0, 5.0, 15.0, -45.0),
)


def draw_patient(rng: np.random.Generator) -> Patient:
    """Sex, age and stature of an adult who is sent to lumbar MRI."""
    sex = "F" if rng.random() < 0.55 else "M"
    age = int(np.clip(round(rng.normal(53, 15)), 20, 88))
    scale = (0.95 if sex == "F" else 1.04) * (1 + 0.035 * rng.standard_normal())
    return Patient(sex, age, round(float(np.clip(scale, 0.84, 1.16)), 6))


def draw_spine(patient: Patient, disc_heights: dict[str, float], rng: np.random.Generator) -> Spine:
    """A lumbar spine standing on its sacrum; `disc_heights` scales each disc (1 = not narrowed)."""
    slope = math.radians(float(np.clip(rng.normal(38, 8), 18, 58)))
    lordosis = float(np.clip(rng.normal(1.0, 0.22), 0.4, 1.5)) * (0.55 + 0.45 * slope / math.radians(38))
    bend = math.radians(rng.normal(0, 3.0))
    sacrum_top = UPRIGHT.pitched(slope)
    bodies, discs = _stack(sacrum_top, patient, (lordosis, bend), disc_heights, rng)
    sacrum = _sacrum(sacrum_top, patient, rng)
    vertebrae = (*reversed(sacrum), *bodies)
    return Spine(patient, vertebrae, discs, _rear_curve(vertebrae))


def _stack(
    base: Frame,
    patient: Patient,
    shape: tuple[float, float],
    disc_heights: dict[str, float],
    rng: np.random.Generator,
) -> tuple[tuple[Vertebra, ...], tuple[Disc, ...]]:
    """Bodies and discs from L5 up, each resting on the one below."""
    lordosis, bend = shape
    bodies: list[Vertebra] = []
    discs: list[Disc] = []
    here, below, below_size = base, "S1", (25.0 * patient.scale, 16.3 * patient.scale)
    for number, part in enumerate(_LUMBAR):
        level = f"{part.name}/{below}"
        size = patient.scale * (1 + 0.02 * rng.standard_normal())
        width, depth = part.half_width * size, part.half_depth * size * (1 + 0.03 * rng.standard_normal())
        narrowed = disc_heights.get(level, 1.0)
        room = part.disc_height * patient.scale * (1 + 0.07 * rng.standard_normal()) * narrowed
        wedge = math.radians(part.disc_wedge * lordosis + rng.normal(0, 1.5)) * (0.4 + 0.6 * narrowed)
        middle, here = _step(here, room, wedge, 0.0)
        discs.append(Disc(level, middle, (width + below_size[0]) / 2, (depth + below_size[1]) / 2, room, wedge))
        height = part.height * patient.scale * (1 + 0.03 * rng.standard_normal())
        wedge = math.radians(part.wedge + rng.normal(0, 1.2))
        middle, here = _step(here, height, wedge, bend * math.sin(0.75 * number))
        bodies.append(Vertebra(part.name, middle, width, depth, height, wedge))
        below, below_size = part.name, (width, depth)
    return tuple(bodies), tuple(discs)


def _step(bottom: Frame, height: float, wedge: float, bend: float) -> tuple[Frame, Frame]:
    """The middle and the top of a wedge that rests on `bottom`: lordosis turns the top backwards."""
    middle = bottom.pitched(-wedge / 2).moved(0, 0, height / 2)
    top = middle.moved(0, 0, height / 2).pitched(-wedge / 2)
    if bend:
        top = _rolled(top, bend * 0.15)
    return middle, top


def _rolled(frame: Frame, angle: float) -> Frame:
    """Turned about the anterior axis: a bend to the side."""
    c, s = math.cos(angle), math.sin(angle)
    pairs = list(zip(frame.right, frame.up, strict=True))
    return Frame(
        frame.center, _triple(c * r - s * u for r, u in pairs), frame.anterior, _triple(s * r + c * u for r, u in pairs)
    )


def _sacrum(top: Frame, patient: Patient, rng: np.random.Generator) -> list[Vertebra]:
    """S1 to S5, curving forwards below S2."""
    here, pieces = top, []
    stoop = rng.normal(1.0, 0.2)
    turned = 0.0
    for name, width, depth, height, tilt in _SACRUM:
        here = here.pitched(math.radians(tilt * stoop) - turned)
        turned = math.radians(tilt * stoop)
        size = patient.scale
        middle = here.moved(0, 0, -height * size / 2)
        pieces.append(Vertebra(name, middle, width * size, depth * size, height * size, 0.0, sacral=True))
        # The rear wall is straight while the bodies taper, so each next centre moves backwards.
        here = here.moved(0, 0, -height * size)
        following = {"S1": 4.6, "S2": 2.2, "S3": 1.0}.get(name, 0.5)
        here = here.moved(0, -following * size, 0)
    return pieces


def _rear_curve(vertebrae: tuple[Vertebra, ...]) -> Curve:
    points = np.array([v.frame.at(0, -v.half_depth, up * v.height) for v in vertebrae for up in (-0.25, 0.25)])
    points = points[np.argsort(points[:, 2])]
    ends = (points[0] - 40 * _unit(points[2] - points[0]), points[-1] + 60 * _unit(points[-1] - points[-3]))
    points = np.vstack([ends[0], points, ends[1]])
    rising = np.concatenate([[True], np.diff(np.maximum.accumulate(points[:, 2])) > 1.0])
    points = points[rising]
    z = np.arange(points[0, 2], points[-1, 2], TABLE_STEP)
    x, y = (PchipInterpolator(points[:, 2], points[:, axis])(z) for axis in (0, 1))
    x, y = _smooth(x), _smooth(y)
    slope = np.hypot(np.gradient(x, TABLE_STEP), np.gradient(y, TABLE_STEP))
    return Curve(float(z[0]), x, y, 1 / np.sqrt(1 + slope**2))


def _smooth(values: Array, length: int = 49) -> Array:
    """Running mean over `length` entries (12 mm), twice, ends held."""
    return uniform_filter1d(uniform_filter1d(values, length, mode="nearest"), length, mode="nearest")


def _unit(vector: Array) -> Array:
    return vector / np.sqrt((vector**2).sum())


def _triple(values: object) -> Vector:
    # Nine digits: a last-bit difference between mathematics libraries must not reach the files.
    first, second, third = (round(float(v), 9) for v in values)  # type: ignore[attr-defined]
    return first, second, third
