"""Distances where geometry gives them exactly."""

from __future__ import annotations

import numpy as np
import pytest

from spinedet.simulation.painting.shapes import ellipse, ellipsoid, hump, outline, rounded_box, smooth_max


def f(*values: float) -> np.ndarray:
    return np.array(values, np.float32)


def test_a_ball_is_exact() -> None:
    assert ellipsoid(f(0, 7, 3), f(0, 0, 4), f(5, 0, 0), (5, 5, 5)) == pytest.approx([0, 2, 0], abs=1e-5)


def test_an_ellipsoid_is_zero_on_its_rim_and_right_beside_it() -> None:
    distance = ellipsoid(f(10, 10.1, 0, 0), f(0, 0, 4, 4.1), f(0, 0, 0, 0), (10, 4, 2))
    assert distance == pytest.approx([0, 0.1, 0, 0.1], abs=2e-2)
    assert ellipse(f(3), f(0), 3.0, 1.0) == pytest.approx([0], abs=1e-6)


def test_a_rounded_box() -> None:
    half = (4.0, 3.0, 2.0)
    assert rounded_box(f(6, 0), f(0, 0), f(0, 0), half, 1.0) == pytest.approx([2, -2], abs=1e-6)
    # Beyond an edge: the corner of the core (3, 2) is 1 mm inside; (3 + 3, 2 + 4) is 5 mm from it, less the radius.
    assert rounded_box(f(6), f(6), f(0), half, 1.0) == pytest.approx([4], abs=1e-6)


def test_the_outline_is_squarer_behind() -> None:
    diagonal = f(20 / np.sqrt(2))
    front, rear = outline(diagonal, f(10 / np.sqrt(2)), 20, 10), outline(diagonal, -f(10 / np.sqrt(2)), 20, 10)
    assert front == pytest.approx([1], abs=1e-6)
    # (2 (1/2)^2)^(1/4)
    assert rear == pytest.approx([0.5**0.25], abs=1e-6)


def test_bumps_and_rounded_edges() -> None:
    assert hump(f(0, 1, 2, 5), 2.0) == pytest.approx([1, 0.5625, 0, 0])
    assert smooth_max(f(3, 0), f(0, 0), 0.8)[0] == pytest.approx(3.05, abs=0.01)
    assert smooth_max(f(3, 0), f(0, 0), 0.8)[1] == pytest.approx(0.4)
