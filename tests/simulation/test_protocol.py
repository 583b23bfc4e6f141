"""Where the slices lie and what protocols they are acquired with."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from spinedet.core.anatomy import Plane
from spinedet.core.errors import InputError
from spinedet.simulation.anatomy.lumbar import Variant, draw_spine
from spinedet.simulation.anatomy.spine import Patient
from spinedet.simulation.centers import CENTERS
from spinedet.simulation.scanner.protocol import Sampling, draw_stacks, protocols

SPINE = draw_spine(Patient("M", 50, 1.0, 15.0), Variant(), {}, np.random.default_rng(0))


def test_the_real_protocols() -> None:
    assert sum(p.series for p in protocols()) == 251
    assert {p.field_tesla for p in protocols()} == {1.5, 3.0}
    assert all(0 < p.thickness <= p.pitch and p.bandwidth_hz > 0 for p in protocols())


@pytest.mark.parametrize("name", [name for name, center in CENTERS.items() if center.region.value == "lumbar"])
def test_both_planes_hold_the_lowest_discs(name: str) -> None:
    for seed in range(5):
        stacks = draw_stacks(CENTERS[name], SPINE, Sampling(), np.random.default_rng(seed))
        assert [stack.plane for stack in stacks] == [Plane.SAGITTAL, Plane.AXIAL]
        for stack in stacks:
            place = np.linalg.solve(stack.grid.affine, [*SPINE.disc("L4/L5").frame.center, 1])[:3]
            assert (place > 0).all()
            assert (place < stack.grid.shape).all()


def test_slices_are_across_their_plane() -> None:
    sagittal, axial = draw_stacks(CENTERS["A"], SPINE, Sampling(), np.random.default_rng(0))
    assert abs(sagittal.grid.axes[2, 0]) > 0.95
    assert abs(axial.grid.axes[2, 2]) > 0.9
    assert sagittal.grid.spacing[2] > 2 * sagittal.grid.spacing[0]
    assert sagittal.scan.thickness <= sagittal.grid.spacing[2]


def test_blocks_lie_along_their_discs() -> None:
    center = replace(CENTERS["C"], axial=replace(CENTERS["C"].axial, angled=1.0))
    stacks = draw_stacks(center, SPINE, Sampling(), np.random.default_rng(1))
    assert [stack.id for stack in stacks] == ["sag", "ax1", "ax2", "ax3"]
    for stack, level in zip(stacks[1:], ("L5/S1", "L4/L5", "L3/L4"), strict=True):
        frame = SPINE.disc(level).frame
        assert stack.grid.axes[2] == pytest.approx(np.array(frame.up), abs=1e-5)
        middle = np.linalg.solve(stack.grid.affine, [*frame.center, 1])[2]
        assert middle == pytest.approx((stack.grid.shape[2] - 1) / 2, abs=0.01)


def test_an_unknown_scanner_is_refused() -> None:
    center = replace(CENTERS["A"], imaging=replace(CENTERS["A"].imaging, vendor="ACME"))
    with pytest.raises(InputError, match="no real protocol has"):
        draw_stacks(center, SPINE, Sampling(), np.random.default_rng(0))


def test_coarseness_stops_at_the_coarsest() -> None:
    assert Sampling(1.4, 0.95).pixel(0.5) == pytest.approx(0.7)
    assert Sampling(1.4, 0.95).pixel(0.8) == pytest.approx(0.95)
    # A hospital's own pixel is never made finer.
    assert Sampling(1.4, 0.95).pixel(1.1) == pytest.approx(1.1)
