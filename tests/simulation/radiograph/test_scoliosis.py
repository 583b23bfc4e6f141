"""Spines with scoliosis: Cobb angle, balance, rotation, and the implants of each category."""

from __future__ import annotations

import numpy as np
import pytest

from spinedet.simulation.anatomy.spine import Patient
from spinedet.simulation.radiograph.child import KINDS, draw_child
from spinedet.simulation.radiograph.scoliosis import draw_cobb, draw_scoliosis

GIRL = Patient("F", 13, 0.9, 5.0)


def test_cobb_angles_before_and_after_the_decision_for_surgery() -> None:
    rng = np.random.default_rng(0)
    plain, surgical = ([draw_cobb(kind, rng) for _ in range(400)] for kind in (False, True))
    assert 36 < np.mean(plain) < 44
    assert min(plain) >= 12
    assert max(plain) <= 110
    assert 54 < np.mean(surgical) < 62
    assert min(surgical) >= 45


@pytest.mark.parametrize("cobb", [15.0, 50.0, 90.0])
def test_the_spine_has_the_curve_that_was_asked_for_and_stands_balanced(cobb: float) -> None:
    for seed in range(6):
        drawn = draw_scoliosis(GIRL, cobb, np.random.default_rng(seed))
        spine = drawn.spine
        # The lean that balances it adds a few degrees.
        assert drawn.cobb == pytest.approx(cobb, rel=0.35, abs=6)
        top = spine.bone("C7").frame.center
        foot = spine.bone("S1").frame.at(0, -spine.bone("S1").half_depth, spine.bone("S1").height / 2)
        assert abs(top[0]) < 45
        assert abs(top[1] - foot[1]) < 45


def test_bodies_rotate_into_the_convexity() -> None:
    found = 0
    for seed in range(12):
        drawn = draw_scoliosis(GIRL, 60.0, np.random.default_rng(seed))
        if drawn.curve != "thoracic":
            continue
        apex = max((b for b in drawn.spine.vertebrae if b.name[0] == "T"), key=lambda b: abs(b.frame.center[0]))
        # The front of the apical body looks to the side to which it is displaced.
        assert apex.frame.anterior[0] * apex.frame.center[0] > 0
        found += 1
    assert found >= 3


@pytest.mark.parametrize("name", KINDS)
def test_only_categories_after_surgery_and_braces_hold_metal(name: str) -> None:
    patient, drawn = draw_child(KINDS[name], 1.0, np.random.default_rng(3))
    assert bool(patient.metal) == (name != "plain")
    assert (patient.trunk.plastic is not None) == (name == "brace")
    low, high = KINDS[name].ages
    assert low <= patient.spine.patient.age <= high
    assert drawn.cobb < 130
