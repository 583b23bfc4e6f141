"""An X-ray room: a patient is positioned, exposed, and the image processed and stored."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spinedet.core.radiograph.views import ViewSpec
from spinedet.simulation.anatomy.spine import Vector
from spinedet.simulation.radiograph.beam import Beam, Points, Setup, aim, bounds
from spinedet.simulation.radiograph.centers import RadiographCenter, Range
from spinedet.simulation.radiograph.display import (
    Collimation,
    Marker,
    Processing,
    develop,
    exposed_field,
    frame_image,
    stored,
)
from spinedet.simulation.radiograph.exposure import Exposure, expose
from spinedet.simulation.radiograph.skeleton import Patient, project

Box = tuple[float, float, float, float]


@dataclass(frozen=True, slots=True)
class Technique:
    """How a view of a body region is usually taken.

    Attributes:
        view: which. kilovolts: of the tube.
        isocenter: from the spine to the detector, mm.
        field: height of the image at the spine, mm; aspect: width over height.
        distance: from the source to the detector, mm.
        ahead: how far before the spine the beam is centred, mm.
        equalise: added to the equalisation of coarse differences that a maker uses for the region.
    """

    view: ViewSpec
    kilovolts: float
    isocenter: Range
    field: Range
    aspect: float
    distance: Range = (1000.0, 1150.0)
    ahead: float = 8.0
    equalise: float = 0.0


@dataclass(frozen=True, slots=True, eq=False)
class TakenImage:
    """A radiograph: (rows, columns) uint16, bone white; `mm` of a pixel at the detector."""

    view: ViewSpec
    pixels: NDArray[np.uint16]
    mm: float
    beam: Beam
    mirrored: bool

    def box(self, points: Points, spare: float = 0.0) -> Box | None:
        """x0, y0, x1, y1 in stored pixels around (n, 3) points RAS mm with `spare` pixels, cut at the image's edges;
        None where nothing of it is inside."""
        rows, columns = self.pixels.shape
        x0, y0, x1, y1 = bounds(self.beam, points)
        if self.mirrored:
            x0, x1 = columns - x1, columns - x0
        x0, y0, x1, y1 = max(x0 - spare, 0.0), max(y0 - spare, 0.0), min(x1 + spare, columns), min(y1 + spare, rows)
        return (round(x0, 2), round(y0, 2), round(x1, 2), round(y1, 2)) if x1 - x0 > 1 and y1 - y0 > 1 else None


@dataclass(frozen=True, slots=True)
class Room:
    """The X-ray room of a hospital.

    Attributes:
        center: the hospital.
        rows: height of its images, pixels.
        images: mean number of images of a patient, relative to one of each view.
        shortcut: where a confounder puts the lead letter along the upper edge, 0 to 1; None has none.
    """

    center: RadiographCenter
    rows: int
    images: float = 1.0
    shortcut: float | None = None

    def take(self, patient: Patient, technique: Technique, target: Vector, rng: np.random.Generator) -> TakenImage:
        """Take a radiograph with `target` (RAS mm) near its middle."""
        center, view = self.center, technique.view
        setup = self._setup(technique, rng)
        beam = aim(view, target, setup)
        body, noise = rng.spawn(2)
        lengths = project(patient, beam, body)
        exposure = Exposure(
            technique.kilovolts + _draw(center.kilovolts, rng),
            _draw(center.scatter, rng),
            _draw(center.quanta, rng) * setup.pixel * setup.pixel,
            min(_draw(center.blur, rng) * 0.7 / setup.pixel, 1.3),
        )
        density = expose(lengths, exposure, setup.pixel, noise)
        left, top, right, bottom = (_draw(center.margin, rng) for _ in range(4))
        turn = round(float(np.clip(rng.normal(0, 0.7), -2.5, 2.5)), 6)
        collimation = Collimation((left, top, right, bottom), turn, _draw(center.outside, rng))
        field = exposed_field(setup.shape, collimation)
        image = develop(density, field, self._processing(technique, rng), noise)
        mirrored = view.mirror and rng.random() < center.mirrored
        if mirrored:
            image, field = image[:, ::-1], field[:, ::-1]
        image = frame_image(image, field, collimation, self._markers(collimation, rng))
        return TakenImage(view, stored(image, center.bits), round(setup.pixel, 4), beam, mirrored)

    def _setup(self, technique: Technique, rng: np.random.Generator) -> Setup:
        distance, isocenter = _draw(technique.distance, rng), _draw(technique.isocenter, rng)
        magnified = distance / (distance - isocenter)
        pixel = _draw(technique.field, rng) * magnified / self.rows
        turn = float(np.clip(rng.normal(0, self.center.turn), -12, 12))
        tilt = float(np.clip(rng.normal(0, self.center.tilt), -6, 6))
        shape = (self.rows, int(self.rows * technique.aspect) // 2 * 2)
        return Setup(distance, isocenter, pixel, shape, turn, tilt)

    def _processing(self, technique: Technique, rng: np.random.Generator) -> Processing:
        c = self.center
        return Processing(
            equalise=min(_draw(c.equalise, rng) + technique.equalise, 0.9),
            detail=_draw(c.detail, rng),
            saturation=_draw(c.saturation, rng),
            window=(_draw((0.5, 3.0), rng), _draw(c.white, rng)),
            curve=_draw(c.curve, rng),
            darkness=_draw(c.darkness, rng),
            grain=c.grain,
        )

    def _markers(self, collimation: Collimation, rng: np.random.Generator) -> tuple[Marker, ...]:
        count = int(rng.choice(len(self.center.markers), p=self.center.markers))
        left, top, right, bottom = collimation.margins
        found = []
        for _ in range(count):
            beside = left + 0.06 if rng.random() < 0.5 else 1 - right - 0.06
            place = (beside + float(rng.normal(0, 0.01)), float(rng.uniform(top + 0.06, 1 - bottom - 0.1)))
            letter = "L" if rng.random() < 0.6 else "R"
            height = max(int(self.rows * rng.uniform(0.035, 0.06)), 7)
            found.append(Marker(letter, place, height, rng.random() < 0.06))
        if self.shortcut is not None:
            found = [Marker("R", (0.1 + 0.8 * self.shortcut, top + 0.06), max(self.rows // 14, 14))]
        return tuple(found)


def _draw(span: Range, rng: np.random.Generator) -> float:
    return round(float(rng.uniform(*span)), 6)
