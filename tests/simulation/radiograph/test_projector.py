"""Projection: path lengths against closed forms, attenuation, and the stored image."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pytest

from spinedet.core.radiograph.views import VIEWS
from spinedet.simulation.anatomy.spine import UPRIGHT, Frame, Vector
from spinedet.simulation.painting.shapes import ellipsoid
from spinedet.simulation.radiograph.beam import Beam, Setup, aim, bounds, corners
from spinedet.simulation.radiograph.chords import Column, Ellipsoid
from spinedet.simulation.radiograph.display import Collimation, Marker, exposed_field, frame_image, stored
from spinedet.simulation.radiograph.exposure import Exposure, expose, negative_log, primary
from spinedet.simulation.radiograph.projector import Layer, Material, Place, Shadow
from spinedet.simulation.radiograph.tubes import tube

SETUP = Setup(1000.0, 200.0, 1.0, (160, 120))


@dataclass(frozen=True)
class Ball:
    """A ball of bone."""

    frame: Frame
    radius: float

    @property
    def half(self) -> Vector:
        return self.radius + 1, self.radius + 1, self.radius + 1

    def layers(self, place: Place) -> Iterable[Layer]:
        yield Layer(Material.BONE, 0.5, ellipsoid(*place, (self.radius,) * 3))


def beam(view: str = "ap") -> Beam:
    return aim(VIEWS[view], (0.0, 0.0, 0.0), SETUP)


def test_a_point_is_magnified_by_the_cone() -> None:
    row, column, pixel = beam().project(np.array([[-20.0, 0.0, 8.0], [-20.0, 150.0, 8.0]]))
    # 800 mm from the source, the detector at 1000: 20 mm to the patient's right are 25 mm to the left of the middle.
    assert column[0] == pytest.approx(60 + 25)
    assert row[0] == pytest.approx(80 - 10)
    assert column[1] == pytest.approx(60 + 20 / 0.65)
    assert pixel[1] == pytest.approx(0.65)


def test_the_patients_right_is_at_the_left_and_the_front_at_the_left() -> None:
    _, right, _ = beam("ap").project(np.array([[30.0, 0.0, 0.0]]))
    _, front, _ = beam("lateral").project(np.array([[0.0, 30.0, 0.0]]))
    assert right[0] < 60
    assert front[0] < 60


@pytest.mark.parametrize("view", VIEWS)
def test_a_sampled_ball_has_the_chords_of_a_ball(view: str) -> None:
    frame = UPRIGHT.moved(5, -8, 12)
    shadow = Shadow(beam(view))
    shadow.add_solid(Ball(frame, 20.0), 2.6)
    exact = Ellipsoid(frame, (20.0, 20.0, 20.0)).interval(shadow.beam).length
    assert exact.max() == pytest.approx(40, abs=0.1)
    difference = shadow.lengths[Material.BONE] - 0.5 * exact
    assert np.abs(difference).max() < 2.0
    assert np.abs(difference).mean() < 0.02


def test_a_tube_has_the_chords_of_a_cylinder_and_its_wall() -> None:
    shadow, walled = Shadow(beam()), Shadow(beam())
    solid = tube([(0.0, 0.0, -30.0), (0.0, 0.0, 30.0)], [6.0, 6.0], Material.TITANIUM, 1.0, spacing=0.3)
    shadow.add_tube(solid)
    row = shadow.lengths[Material.TITANIUM, 80]
    # Pixel 59 is 0.5 pixels from the axis, 0.4 mm at 800 mm.
    assert row[59] == pytest.approx(2 * math.sqrt(36 - 0.16), rel=0.02)
    assert row.sum() * 0.8 == pytest.approx(math.pi * 36, rel=0.01)
    assert row[50] == 0
    walled.add_tube(type(solid)(solid.points, solid.radii, solid.lengths, Material.BONE, 1.0, wall=1.0, core=0.25))
    wall = walled.lengths[Material.BONE, 80]
    assert wall.sum() * 0.8 == pytest.approx(math.pi * (36 - 0.75 * 25), rel=0.01)


def test_a_tube_along_the_ray_keeps_its_length() -> None:
    shadow = Shadow(beam())
    shadow.add_tube(tube([(0.0, -20.0, 0.0), (0.0, 20.0, 0.0)], [4.0, 4.0], Material.COBALT, 1.0, spacing=0.3))
    assert shadow.lengths[Material.COBALT].max() == pytest.approx(40, rel=0.02)


def test_a_column_has_the_chord_of_its_section() -> None:
    column = Column((-500.0, 500.0), (0.0, 0.0), (0.0, 0.0), (120.0, 120.0), (80.0, 80.0))
    assert column.interval(beam("ap")).length[80, 60] == pytest.approx(160, rel=0.001)
    assert column.interval(beam("lateral")).length[80, 60] == pytest.approx(240, rel=0.001)


def test_shared_lengths() -> None:
    first = Ellipsoid(UPRIGHT, (30.0, 30.0, 30.0)).interval(beam())
    second = Ellipsoid(UPRIGHT.moved(0, 30, 0), (30.0, 30.0, 30.0)).interval(beam())
    assert first.shared(second)[80, 60] == pytest.approx(30, rel=0.01)
    far = Ellipsoid(UPRIGHT.moved(0, 90, 0), (20.0, 20.0, 20.0)).interval(beam())
    assert first.shared(far).max() == 0


def test_what_lies_outside_the_image_is_left_out() -> None:
    shadow = Shadow(beam())
    shadow.add_solid(Ball(UPRIGHT.moved(400, 0, 0), 10.0), 2.0)
    assert not shadow.lengths.any()


def test_attenuation_by_hand() -> None:
    lengths = np.zeros((len(Material), 1, 1), np.float32)
    lengths[Material.SOFT] = 100
    # 10 cm of tissue of 1.05 g/cm3 at 80 kVp: four energies with their shares.
    by_hand = sum(
        w * math.exp(-10 * 1.05 * mu)
        for w, mu in zip((0.20, 0.33, 0.30, 0.17), (0.2683, 0.2269, 0.2059, 0.1837), strict=True)
    )
    assert primary(lengths, 80)[0, 0] == pytest.approx(by_hand, rel=0.002)
    hard = primary(lengths, 100)[0, 0]
    lengths[Material.TITANIUM] = 5
    assert primary(lengths, 80)[0, 0] < 0.4 * by_hand < hard


def test_the_logarithm_is_a_logarithm() -> None:
    values = np.geomspace(1e-5, 3, 1000).astype(np.float32)
    assert np.abs(negative_log(values) + np.log(values.astype(np.float64))).max() < 1e-5


def test_noise_follows_the_dose_and_scatter_lowers_contrast() -> None:
    lengths = np.zeros((len(Material), 64, 64), np.float32)
    lengths[Material.SOFT] = 200
    lengths[Material.BONE, 24:40, 24:40] = 10

    def image(scatter: float, quanta: float) -> np.ndarray:
        return expose(lengths, Exposure(80, scatter, quanta, 0.5), 1.0, np.random.default_rng(0))

    assert image(0.4, 400)[:16].std() > 2.5 * image(0.4, 6400)[:16].std()
    contrast = [im[28:36, 28:36].mean() - im[:8].mean() for im in (image(0.4, 6400), image(1.4, 6400))]
    assert contrast[0] > 1.3 * contrast[1] > 0.1


def test_collimation_marker_and_stored_values() -> None:
    collimation = Collimation((0.1, 0.2, 0.1, 0.2), 0.0, 0.25)
    field = exposed_field((100, 80), collimation)
    assert field[50, 40] == 1
    assert field[50, 5] == 0
    assert field[15, 40] == 0
    image = frame_image(np.full((100, 80), 0.5, np.float32), field, collimation, (Marker("L", (0.5, 0.5), 14),))
    assert image[0, 0] == pytest.approx(0.25)
    assert image.max() > 0.9
    assert image[50, 20] == pytest.approx(0.5)
    assert len(np.unique(stored(np.linspace(0, 1, 5000, dtype=np.float32)[None], 8))) == 256
    assert stored(np.ones((1, 1), np.float32), 16)[0, 0] == 65535


def test_bounds_of_a_block() -> None:
    x0, y0, x1, y1 = bounds(beam(), corners(UPRIGHT, (10.0, 0.0, 20.0)))
    assert (x0, y0, x1, y1) == pytest.approx((60 - 12.5, 80 - 25, 60 + 12.5, 80 + 25))
