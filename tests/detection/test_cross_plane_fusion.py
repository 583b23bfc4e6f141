"""Findings of two planes as one list."""

from __future__ import annotations

import numpy as np
import pytest

from spinedet.core.anatomy import Plane
from spinedet.core.geometry import Grid
from spinedet.core.types import Box, Finding
from spinedet.detection.cross_plane_fusion import SeriesFindings, fuse

# Both cover R 0-64 and A 0-200; the sagittal stack covers S 0-200, the axial one S 0-40 only.
SAGITTAL_GRID = Grid((16, 100, 100), np.array([[4.0, 0, 0, 2], [0, 2, 0, 1], [0, 0, 2, 1], [0, 0, 0, 1]]))
AXIAL_GRID = Grid((32, 100, 10), np.array([[2.0, 0, 0, 1], [0, 2, 0, 1], [0, 0, 4, 2], [0, 0, 0, 1]]))


def finding(series: str, score: float, center: tuple[float, float, float], category: str = "d") -> Finding:
    return Finding(series=series, category=category, score=score, box=Box(center=center, size=(40, 30, 12)))


def sagittal(*found: Finding) -> SeriesFindings:
    return SeriesFindings("sag", Plane.SAGITTAL, SAGITTAL_GRID, found)


def axial(*found: Finding) -> SeriesFindings:
    return SeriesFindings("ax", Plane.AXIAL, AXIAL_GRID, found)


def test_what_both_planes_see_is_one_finding_with_the_mean_score() -> None:
    seen = [sagittal(finding("sag", 0.9, (32, 100, 20))), axial(finding("ax", 0.5, (32, 100, 24)))]
    (one,) = fuse(seen)
    assert one.score == pytest.approx(0.7)
    assert (one.series, one.scores, one.covered) == (("sag", "ax"), (0.9, 0.5), 2)
    # Along S the sagittal plane counts (4 / 1.6)**2 times as much, for its pixels there are so much finer.
    share = 0.9 / 1.6**2 / (0.9 / 1.6**2 + 0.5 / 4**2)
    assert one.box.center == pytest.approx((32, 100, 20 * share + 24 * (1 - share)))
    assert one.box.size == pytest.approx((40, 30, 12))


def test_what_one_plane_shows_and_does_not_report_counts_less() -> None:
    (one,) = fuse([sagittal(finding("sag", 0.8, (32, 100, 20))), axial()])
    assert (one.score, one.covered) == (pytest.approx(0.4), 2)


def test_where_only_one_plane_looks_its_word_stands() -> None:
    (one,) = fuse([sagittal(finding("sag", 0.8, (32, 100, 150))), axial()])
    assert (one.score, one.covered) == (0.8, 1)


def test_other_discs_and_other_categories_stay_apart() -> None:
    above, other = finding("ax", 0.5, (32, 100, 36)), finding("ax", 0.4, (32, 100, 10), "other")
    fused = fuse([sagittal(finding("sag", 0.9, (32, 100, 10))), axial(above, other)])
    assert [len(each.series) for each in fused] == [1, 1, 1]


def test_two_findings_of_one_series_are_never_one() -> None:
    fused = fuse([sagittal(finding("sag", 0.9, (32, 100, 100)), finding("sag", 0.8, (32, 100, 101)))])
    assert len(fused) == 2
    assert fuse([sagittal(), axial()]) == ()
