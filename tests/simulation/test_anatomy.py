"""Frames and stacks worked out by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from spinedet.simulation.anatomy.lumbar import Variant, draw_spine, levels_of
from spinedet.simulation.anatomy.spine import (
    UPRIGHT,
    Patient,
    Posture,
    Segment,
    SegmentChange,
    Support,
    Vertebra,
    stack,
    upright_along,
)

ADULT = Patient("F", 50, 1.0, 15.0)


def test_a_frame_moves_and_turns() -> None:
    assert UPRIGHT.moved(1, 2, 3).center == (1, 2, 3)
    forwards = UPRIGHT.pitched(math.pi / 2)
    assert forwards.up == pytest.approx((0, 1, 0))
    assert forwards.at(0, 0, 10) == pytest.approx((0, 10, 0))
    assert UPRIGHT.rolled(math.pi / 2).up == pytest.approx((1, 0, 0))
    assert UPRIGHT.turned(math.pi / 2).anterior == pytest.approx((-1, 0, 0))


def test_many_points_agree_with_one() -> None:
    frame = UPRIGHT.pitched(0.3).turned(0.2).moved(1, 2, 3)
    points = np.array([[1.0, 2.0, 3.0], [-4.0, 0.5, 9.0]])
    assert frame.many(points) == pytest.approx(np.array([frame.at(*point) for point in points.tolist()]), abs=1e-8)


def test_bodies_rest_on_discs() -> None:
    class Average(np.random.Generator):
        """No chance at all."""

        def standard_normal(self, *_: object, **__: object) -> float:  # type: ignore[override]
            return 0.0

        def normal(self, *_: object, **__: object) -> float:  # type: ignore[override]
            return 0.0

    segments = (Segment("L5", 25, 18, 28, 0, 10, 0), Segment("L4", 25, 18, 26, 0, 12, 0))
    wearing = {"L5/S1": SegmentChange(0.5), "L4/L5": SegmentChange(1.0, slip=4.0)}
    foot = Support("S1", UPRIGHT, 25, 18)
    bodies, discs = stack(foot, segments, Posture(1.0), wearing, ADULT, Average(np.random.PCG64(0)))
    assert [disc.level for disc in discs] == ["L5/S1", "L4/L5"]
    # Half a disc of 5 mm, body of 28 mm, disc of 12 mm, body of 26 mm that has slipped 4 mm forwards.
    assert discs[0].frame.center == pytest.approx((0, 0, 2.5))
    assert bodies[0].frame.center == pytest.approx((0, 0, 5 + 14))
    assert discs[1].frame.center == pytest.approx((0, 2, 5 + 28 + 6))
    assert bodies[1].frame.center == pytest.approx((0, 4, 5 + 28 + 12 + 13))


def test_the_aim_follows_a_bent_spine() -> None:
    low = Vertebra("L5", UPRIGHT, 25, 18, 28, 0)
    high = Vertebra("L1", UPRIGHT.moved(10, 5, 100), 25, 18, 28, 0)
    frame = upright_along(low, high)
    assert frame.center == pytest.approx((5, 2.5, 50))
    assert frame.up == pytest.approx((10 / math.hypot(10, 100), 0, 100 / math.hypot(10, 100)))


@pytest.mark.parametrize(
    ("variant", "lowest"),
    [
        (Variant(), ("L5/S1", "L4/L5")),
        (Variant(extra=True), ("L6/S1", "L5/L6")),
        (Variant(sacralised=True), ("L4/L5", "L3/L4")),
    ],
)
def test_transitional_spines(variant: Variant, lowest: tuple[str, str]) -> None:
    spine = draw_spine(ADULT, variant, {}, np.random.default_rng(3))
    assert levels_of(variant)[:2] == lowest
    assert [disc.level for disc in spine.discs if not disc.stub][:2] == list(lowest)
    assert any(disc.stub and disc.level == "S1/S2" for disc in spine.discs)
    centers = [disc.frame.center[2] for disc in spine.discs if not disc.stub]
    assert centers == sorted(centers)


def test_the_curve_runs_along_the_rear_walls() -> None:
    spine = draw_spine(ADULT, Variant(), {}, np.random.default_rng(4))
    for name in ("L2", "L3", "L4"):
        rear = spine.bone(name).rear
        entry = int(np.searchsorted(spine.curve.z, rear[2]))
        assert spine.curve.y[entry] == pytest.approx(rear[1], abs=2.0)
        assert spine.curve.behind(entry, 0.0, 10.0)[1] < spine.curve.y[entry] - 9.9
