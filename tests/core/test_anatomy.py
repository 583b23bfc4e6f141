"""Names of levels, checked against the spine."""

from __future__ import annotations

import pytest

from spinedet.core.anatomy import CATEGORIES, DISCS, LEVELS, VERTEBRAE, level_rank
from spinedet.core.errors import InputError


@pytest.mark.parametrize("level", ["C2/C3", "C5/C6", "C7/T1", "T12/L1", "L4/L5", "L5/S1", "L5/L6", "L6/S1", "S1/S2"])
def test_discs_lie_between_neighbours(level: str) -> None:
    assert level in DISCS
    assert level in LEVELS


@pytest.mark.parametrize("level", ["C1/C2", "L5/L4", "L3/L5", "L7", "T13", "l4/l5", "L4-L5", "", "L4/"])
def test_what_is_no_level(level: str) -> None:
    assert level not in LEVELS
    with pytest.raises(InputError, match="write discs as 'L4/L5'"):
        level_rank(level)


def test_levels_rank_from_head_to_tail() -> None:
    order = ["C1", "C2", "C2/C3", "C3", "C7", "C7/T1", "T1", "T12", "T12/L1", "L1", "L4", "L4/L5", "L5", "L5/S1", "S1"]
    ranks = [level_rank(level) for level in order]
    assert ranks == sorted(ranks)
    assert len(set(ranks)) == len(ranks)


def test_a_disc_is_half_way_below_its_upper_vertebra() -> None:
    assert level_rank("C1") == 0
    assert level_rank("C2/C3") == 1.5
    assert level_rank("L4/L5") == 7 + 12 + 3 + 0.5


def test_counts() -> None:
    assert len(VERTEBRAE) == 7 + 12 + 6 + 2
    # 26 neighbours, less C1/C2 that has no disc, and L5/S1 of spines without L6.
    assert len(DISCS) == 26 - 1 + 1


def test_category_names_are_distinct() -> None:
    names = [category.name for category in CATEGORIES]
    assert len(set(names)) == len(names)
    assert "degeneration" in names
