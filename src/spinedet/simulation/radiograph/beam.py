"""The geometry of an exposure: X-ray source, patient and detector."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from spinedet.core.radiograph.views import ViewSpec
from spinedet.simulation.anatomy.spine import Frame, Vector

Field: TypeAlias = NDArray[np.float32]
Points: TypeAlias = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Beam:
    """A cone beam in RAS mm.

    Attributes:
        source: the focal spot.
        frame: `anterior` runs from the detector to the source, `right` to the left edge of the image, `up` to its top;
            its centre is the point of the patient on the central ray.
        distance: from the source to the detector.
        pixel: edge of a detector pixel.
        shape: rows and columns.
    """

    source: Vector
    frame: Frame
    distance: float
    pixel: float
    shape: tuple[int, int]

    def finer(self, factor: int) -> Beam:
        """The same detector with smaller pixels."""
        rows, columns = self.shape
        return replace(self, pixel=self.pixel / factor, shape=(rows * factor, columns * factor))

    @property
    def slopes(self) -> tuple[Field, Field]:
        """(rows, 1) and (1, columns): mm downwards and mm to the right of the image per mm along the central ray."""
        rows, columns = self.shape
        down = (np.arange(rows) + 0.5 - rows / 2) * (self.pixel / self.distance)
        across = (np.arange(columns) + 0.5 - columns / 2) * (self.pixel / self.distance)
        return down.astype(np.float32)[:, None], across.astype(np.float32)[None, :]

    def depth(self, point: Vector) -> float:
        """Distance of a point from the source along the central ray."""
        return -_dot(_minus(point, self.source), self.frame.anterior)

    def project(self, points: Points) -> tuple[Points, Points, Points]:
        """Row, column (pixel edges, float) and pixel size at the point, mm, of (n, 3) points."""
        away = points - np.array(self.source)
        depth = -_along(away, self.frame.anterior)
        scale = self.distance / (self.pixel * depth)
        row = self.shape[0] / 2 - _along(away, self.frame.up) * scale
        column = self.shape[1] / 2 - _along(away, self.frame.right) * scale
        return row, column, 1 / scale


@dataclass(frozen=True, slots=True)
class Setup:
    """Where source, patient and detector stand.

    Attributes:
        distance: from the source to the detector, mm; isocenter: from the aimed point to the detector, mm.
        pixel: at the detector, mm.
        shape: rows and columns.
        turn, tilt: of the patient against the standard view, degrees: about the long axis, and sideways in the image.
    """

    distance: float
    isocenter: float
    pixel: float
    shape: tuple[int, int]
    turn: float = 0.0
    tilt: float = 0.0


def aim(view: ViewSpec, target: Vector, setup: Setup) -> Beam:
    """A beam through `target` (RAS mm)."""
    right, anterior, up = (_opposite(axis) for axis in (view.columns, view.beam, view.rows))
    frame = Frame(target, right, anterior, up).rolled(sine(setup.tilt)).turned(sine(setup.turn))
    return Beam(frame.at(0, setup.distance - setup.isocenter, 0), frame, setup.distance, setup.pixel, setup.shape)


def _opposite(axis: tuple[int, int, int]) -> Vector:
    return -float(axis[0]), -float(axis[1]), -float(axis[2])


def bounds(beam: Beam, points: Points) -> tuple[float, float, float, float]:
    """x0, y0, x1, y1 in pixel edges around projected (n, 3) points."""
    rows, columns, _ = beam.project(points)
    return float(columns.min()), float(rows.min()), float(columns.max()), float(rows.max())


def corners(frame: Frame, half: Vector) -> Points:
    """(8, 3) RAS mm of the corners of a block."""
    return np.array(
        [frame.at(x * half[0], y * half[1], z * half[2]) for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)]
    )


def sine(degrees: float) -> float:
    """Rounded, so that mathematics libraries agree."""
    return round(math.sin(math.radians(degrees)), 12)


def cosine(degrees: float) -> float:
    """Rounded, so that mathematics libraries agree."""
    return round(math.cos(math.radians(degrees)), 12)


def _along(points: Points, axis: Vector) -> Points:
    return points[:, 0] * axis[0] + points[:, 1] * axis[1] + points[:, 2] * axis[2]


def _minus(first: Vector, second: Vector) -> Vector:
    return first[0] - second[0], first[1] - second[1], first[2] - second[2]


def _dot(first: Vector, second: Vector) -> float:
    return first[0] * second[0] + first[1] * second[1] + first[2] * second[2]
