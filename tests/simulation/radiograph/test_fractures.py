"""Fractures: the spine above collapses, and age is not height."""

from __future__ import annotations

import numpy as np

from spinedet.simulation.anatomy.lumbar import Variant
from spinedet.simulation.radiograph.fractures import collapsed, draw_fractured
from spinedet.simulation.radiograph.lumbar_scenes import draw_person, draw_worn_spine


def test_a_wedge_lowers_and_tips_what_stands_on_it() -> None:
    rng = np.random.default_rng(0)
    spine = draw_worn_spine(draw_person((60, 61), 1.0, rng), Variant(), rng).spine
    bent = collapsed(spine, "L1", (0.4, 0.0))
    assert bent.bone("L1") == spine.bone("L1")
    assert bent.bone("L2") == spine.bone("L2")
    before, after = spine.bone("T10").frame, bent.bone("T10").frame
    assert after.center[2] < before.center[2] - 3
    assert after.center[1] > before.center[1] + 5
    tip = np.degrees(np.arctan2(after.up[1], after.up[2]) - np.arctan2(before.up[1], before.up[2]))
    assert 8 < tip < 20


def test_old_fractures_lost_more_height_but_the_ranges_overlap() -> None:
    rng = np.random.default_rng(1)
    loss: dict[str, list[float]] = {"fresh": [], "old": []}
    for number in range(60):
        for fracture in draw_fractured(number % 2 == 0, 1.0, 1.0, rng).fractures:
            loss[fracture.age].append(fracture.loss)
    fresh, old = np.array(loss["fresh"]), np.array(loss["old"])
    # 15 % and 36 % of the anterior height (Qasem et al., 2014).
    assert 0.12 < fresh.mean() < 0.26
    assert 0.22 < old.mean() < 0.40
    assert (fresh > np.median(old)).mean() > 0.05
