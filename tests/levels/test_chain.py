"""The chain of discs among candidates."""

from __future__ import annotations

import numpy as np
import pytest

from spinedet.core.anatomy import Region
from spinedet.core.types import Finding
from spinedet.levels.chain import RULES, box_gains, candidates_of, find_chain

from .spines import finding, spine_findings

LUMBAR = RULES[Region.LUMBAR]


def chain_of(findings: list[Finding]) -> list[tuple[float, ...]]:
    candidates = candidates_of(findings)
    return [tuple(candidates.center[row]) for row in find_chain(candidates, LUMBAR)]


def centers(findings: list[Finding]) -> list[tuple[float, ...]]:
    return [f.box.center for f in findings]


def test_every_disc_is_in_the_chain_from_head_to_tail() -> None:
    discs = spine_findings()
    assert chain_of(discs[::-1]) == centers(discs)


def test_the_spinous_processes_are_no_discs_even_when_they_score_higher() -> None:
    discs = spine_findings()
    behind = [finding(np.array(f.box.center) - (0, 45, 8), (20.0, 41.0, 15.0), 0.9) for f in discs]
    assert chain_of([*discs, *behind]) == centers(discs)


@pytest.mark.filterwarnings("error")
def test_two_boxes_that_hardly_look_like_discs_are_compared_with_no_second_chain() -> None:
    poor = [finding((0, 0, 40.0 * row), (10.0, 12.0, 30.0), 0.002) for row in range(2)]
    assert len(chain_of(poor)) == 2


def test_a_doubled_box_is_in_the_chain_once() -> None:
    discs = spine_findings()
    again = finding(np.add(discs[3].box.center, (0, 2, 3)), (40.0, 35.0, 20.0), 0.1)
    assert chain_of([*discs, again]) == centers(discs)


@pytest.mark.parametrize("shift", [(0, 0, 0), (100, -300, 900)])
@pytest.mark.parametrize("side", [1, -1])
def test_neither_origin_nor_side_changes_it(shift: tuple[float, ...], side: int) -> None:
    discs = spine_findings(np.random.default_rng(1))
    moved = [
        finding(np.array(f.box.center) * (side, 1, 1) + (side * 3, 0, 0) + shift, f.box.size, f.score) for f in discs
    ]
    assert chain_of(moved) == centers(moved)


def test_the_high_box_of_a_steep_lumbosacral_disc_is_in_the_chain() -> None:
    """A disc 34 mm deep and 12 mm high at 40 degrees fills a box of 34 x 31 mm, here of a low score."""
    discs = spine_findings()
    steep = finding(np.add(discs[-2].box.center, (0, -22, -27)), (40.0, 34.0, 31.0), 0.08)
    assert chain_of([*discs[:-1], steep]) == [*centers(discs[:-1]), steep.box.center]


def test_a_box_is_compared_with_a_disc_at_the_tilt_that_fits_it() -> None:
    level, steep = finding((0, 0, 0), (40.0, 40.0, 13.0)), finding((0, 0, 0), (40.0, 38.2, 38.2))
    wide = finding((0, 0, 0), (40.0, 60.0, 13.0))
    gains = [float(box_gains(candidates_of([one]), LUMBAR)[0]) for one in (level, steep, wide)]
    assert gains[0] == pytest.approx(5 + 0.5 * np.log(0.3))
    assert gains[1] == pytest.approx(gains[0], abs=0.1)
    assert gains[2] < gains[0] - 3


@pytest.mark.parametrize("degrees", [-30, 30])
def test_a_tilted_patient_has_the_same_chain(degrees: float) -> None:
    turn = np.radians(degrees)
    rotation = np.array([[1, 0, 0], [0, np.cos(turn), -np.sin(turn)], [0, np.sin(turn), np.cos(turn)]])
    discs = [finding(rotation @ np.array(f.box.center), f.box.size, f.score) for f in spine_findings()]
    assert len(chain_of(discs)) >= len(discs) - 1


def test_a_neck_has_smaller_steps() -> None:
    neck = [finding((0, 0, 17.5 * row), (20.0, 21.0, 8.0)) for row in range(6, -1, -1)]
    candidates = candidates_of(neck)
    assert len(find_chain(candidates, RULES[Region.CERVICAL])) == 7
    assert len(find_chain(candidates, LUMBAR)) < 7


def test_no_link_no_chain() -> None:
    assert chain_of([]) == []
    assert chain_of([finding((0, 0, 0)), finding((0, 0, 300))]) == []


def test_categories_at_one_place_are_one_candidate() -> None:
    disc = finding((0, 0, 0), score=0.2)
    other = disc.model_copy(update={"category": "modic", "score": 0.6})
    assert candidates_of([disc, other]).score.tolist() == [0.6]


def test_a_curved_spine_is_one_chain() -> None:
    curved = [
        finding((18.0 * np.sin(row), *f.box.center[1:]), f.box.size, f.score) for row, f in enumerate(spine_findings())
    ]
    assert chain_of(curved) == centers(curved)
