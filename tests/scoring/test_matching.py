"""Who meets whom, drawn by hand: cubes of 10 mm along R, so an offset of d mm gives an IoU of (10 - d) / (10 + d)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from spinedet.scoring.matching.cohort import Selection, gather
from spinedet.scoring.matching.criteria import CenterCriterion, Criterion, DistanceCriterion, IouCriterion
from spinedet.scoring.matching.greedy import ABSORBED, MISSED
from spinedet.scoring.matching.overlaps import Boxes, Sites, touching
from spinedet.scoring.metrics.matched_cohort import match_cohort

Draw = Callable[..., Any]
TILTED = [[1.0, 0.0, 0.0], [0.0, 0.8, 0.6], [0.0, -0.6, 0.8]]


def cube(place: float, size: float = 10.0) -> dict[str, Any]:
    return {"center": [place, 0.0, 0.0], "size": [size, 10.0, 10.0]}


def matched(drawn: Any, criterion: Criterion) -> list[int]:
    placed = gather(drawn.manifest, drawn.table, Selection())
    return match_cohort(placed, criterion).matches.lesion.tolist()


def test_the_highest_score_takes_the_lesion_and_the_second_is_a_duplicate(draw: Draw) -> None:
    drawn = draw().study([0.0], [(1.0, 0.6), (3.0, 0.9), (50.0, 0.8)])
    placed = gather(drawn.manifest, drawn.table, Selection())
    matches = match_cohort(placed, IouCriterion()).matches
    assert matches.lesion.tolist() == [MISSED, 0, MISSED]
    assert matches.finding.tolist() == [1]
    assert matches.duplicate.tolist() == [True, False, False]


def test_a_finding_takes_the_closest_free_lesion(draw: Draw) -> None:
    assert matched(draw().study([0.0, 6.0], [(4.0, 0.9)]), IouCriterion()) == [1]
    # The first finding takes the closer lesion 1; the second still overlaps the free lesion 0.
    assert matched(draw().study([0.0, 6.0], [(4.0, 0.9), (5.0, 0.8)]), IouCriterion()) == [1, 0]


def test_equal_scores_are_matched_by_closeness_in_whatever_order_they_are_listed(draw: Draw) -> None:
    # The far one could only take lesion 0, the near one is closest to it: near goes first, far gets nothing.
    assert matched(draw().study([0.0], [(4.0, 0.5), (1.0, 0.5)]), IouCriterion()) == [MISSED, 0]
    assert matched(draw().study([0.0], [(1.0, 0.5), (4.0, 0.5)]), IouCriterion()) == [0, MISSED]


def test_an_ignored_lesion_absorbs_any_number_but_yields_to_a_real_one(draw: Draw) -> None:
    ignored: dict[str, Any] = {"box": cube(0.0), "ignore": True}
    assert matched(draw().study([ignored], [(1.0, 0.9), (2.0, 0.8)]), IouCriterion()) == [ABSORBED, ABSORBED]
    assert matched(draw().study([ignored, 3.0], [(1.0, 0.9), (2.0, 0.8)]), IouCriterion()) == [1, ABSORBED]


@pytest.mark.parametrize(("offset", "hit"), [(6.0, 0), (6.001, MISSED)])
def test_an_overlap_of_exactly_t_counts(draw: Draw, offset: float, hit: int) -> None:
    assert matched(draw().study([0.1], [(0.1 + offset, 0.9)]), IouCriterion(iou=0.25)) == [hit]


@pytest.mark.parametrize(("place", "hit"), [(-5.0, 0), (4.999, 0), (5.0, MISSED)])
def test_a_centre_lies_in_a_half_open_box(draw: Draw, place: float, hit: int) -> None:
    assert matched(draw().study([0.0], [(place, 0.9)]), CenterCriterion()) == [hit]


def test_centres_take_the_nearest_first(draw: Draw) -> None:
    wide = {"box": cube(0.0, size=40.0)}
    assert matched(draw().study([wide, 12.0], [(10.0, 0.9)]), CenterCriterion()) == [1]


@pytest.mark.parametrize(("place", "hit"), [(6.0, 0), (6.01, MISSED)])
def test_a_distance_of_exactly_mm_counts(draw: Draw, place: float, hit: int) -> None:
    assert matched(draw().study([0.0], [(place, 0.9)]), DistanceCriterion(mm=6.0)) == [hit]


def test_boxes_in_one_tilted_frame_are_compared_in_it(draw: Draw) -> None:
    lesion = {"box": {"center": [0, 0, 0], "size": [10, 10, 10], "axes": TILTED}}
    # 5 mm along the tilted second axis: IoU 5 / 15 in that frame.
    finding = {"box": {"center": [0, 4.0, 3.0], "size": [10, 10, 10], "axes": TILTED}, "score": 0.9}
    drawn = draw().study([lesion], [finding])
    assert matched(drawn, IouCriterion(iou=1 / 3)) == [0]
    assert matched(drawn, IouCriterion(iou=0.334)) == [MISSED]


def test_boxes_in_different_frames_are_compared_by_their_hulls(draw: Draw) -> None:
    # The tilted cube's hull is 10 x 14 x 14 mm; the cube inside it covers 1000 of its 1960 mm3.
    lesion = {"box": {"center": [0, 0, 0], "size": [10, 10, 10], "axes": TILTED}}
    drawn = draw().study([lesion], [(0.0, 0.9)])
    assert matched(drawn, IouCriterion(iou=1000 / 1960)) == [0]
    assert matched(drawn, IouCriterion(iou=0.511)) == [MISSED]


def test_matches_cross_neither_scans_nor_categories(draw: Draw) -> None:
    drawn = draw(categories=("a", "b")).study([0.0], [{"box": cube(0.0), "score": 0.9, "category": "b"}])
    drawn.study([], [(0.0, 0.9)])
    assert matched(drawn, IouCriterion()) == [MISSED, MISSED]


def test_many_pairs_are_judged_in_pieces(draw: Draw, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    drawn = draw()
    for _ in range(5):
        drawn.study(rng.uniform(0, 60, 4).tolist(), [(p, s) for p, s in rng.uniform(0, 60, (9, 2)).tolist()])
    whole = matched(drawn, IouCriterion())
    monkeypatch.setattr("spinedet.scoring.matching.overlaps._CHUNK", 7)
    assert matched(drawn, IouCriterion()) == whole
    assert max(whole) > 0


def some_boxes(rng: np.random.Generator, count: int, cells: tuple[int, int]) -> Sites:
    upright = np.zeros(count, dtype=np.int32)
    boxes = Boxes(rng.uniform(0, 40, (count, 3)), rng.uniform(5, 20, (count, 3)), upright, np.eye(3)[None])
    return Sites(boxes, rng.integers(*cells, count))


def test_no_pair_of_a_cell_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    findings, lesions = some_boxes(rng, 200, (0, 5)), some_boxes(rng, 30, (1, 7))
    low, high = ([one.boxes.center + sign * one.boxes.size / 2 for one in (findings, lesions)] for sign in (-1.0, 1.0))
    expected = set()
    for row, column in np.ndindex(200, 30):
        extent = np.minimum(high[0][row], high[1][column]) - np.maximum(low[0][row], low[1][column])
        shared = float(extent.clip(0).prod())
        union = float(findings.boxes.size[row].prod() + lesions.boxes.size[column].prod()) - shared
        if findings.cell[row] == lesions.cell[column] and shared / union >= 0.1:
            expected.add((row, column))
    for most in (1 << 15, 7):
        monkeypatch.setattr("spinedet.scoring.matching.overlaps._CHUNK", most)
        pairs = touching(findings, lesions, IouCriterion(iou=0.1))
        assert sorted(zip(pairs.finding.tolist(), pairs.lesion.tolist(), strict=True)) == sorted(expected)
    assert len(expected) > 10
