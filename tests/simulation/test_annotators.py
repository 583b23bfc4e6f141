"""Readers' habits, by hand."""

from __future__ import annotations

import numpy as np
import pytest

from spinedet.core.geometry import EdgeBox, Grid
from spinedet.simulation.annotators import AnnotationHabits, annotate

# Pixels of 0.5 mm, slices 4 mm apart.
GRID = Grid((100, 100, 20), np.diag([0.5, 0.5, 4.0, 1.0]))
NEARLY_CUBIC = Grid((100, 100, 20), np.diag([0.5, 0.5, 0.9, 1.0]))
TRUTH = EdgeBox(np.array([10.0, 20.0, 3.4]), np.array([30.0, 44.0, 8.6]))


def rng() -> np.random.Generator:
    return np.random.default_rng(0)


def test_an_exact_reader_takes_the_slices_that_are_half_filled() -> None:
    mark = annotate(TRUTH, GRID, 2, AnnotationHabits(), rng())
    assert mark is not None
    # Slice 3 is filled from 3.4 (more than half), slice 8 up to 8.6 (more than half): slices 3 to 8.
    assert mark.box.low == pytest.approx([10, 20, 3])
    assert mark.box.high == pytest.approx([30, 44, 9])
    assert not mark.disputed


def test_a_lesion_thinner_than_a_slice_keeps_one() -> None:
    thin = EdgeBox(np.array([10.0, 20.0, 5.6]), np.array([30.0, 44.0, 5.9]))
    mark = annotate(thin, GRID, 2, AnnotationHabits(), rng())
    assert mark is not None
    assert (mark.box.low[2], mark.box.high[2]) == (5, 6)


def test_nobody_draws_slice_by_slice_on_nearly_cubic_voxels() -> None:
    mark = annotate(TRUTH, NEARLY_CUBIC, 2, AnnotationHabits(), rng())
    assert mark is not None
    assert (mark.box.low[2], mark.box.high[2]) == pytest.approx((3.4, 8.6))


def test_a_margin_is_in_mm_and_in_the_slice_plane() -> None:
    mark = annotate(TRUTH, GRID, 2, AnnotationHabits(margin=1.0), rng())
    assert mark is not None
    assert mark.box.low == pytest.approx([8, 18, 3])
    assert mark.box.high == pytest.approx([32, 46, 9])


def test_a_box_never_turns_inside_out() -> None:
    mark = annotate(TRUTH, GRID, 2, AnnotationHabits(margin=-50.0), rng())
    assert mark is not None
    assert (mark.box.high > mark.box.low).all()


def test_overlooked_and_disputed_lesions() -> None:
    assert annotate(TRUTH, GRID, 1, AnnotationHabits(misses=1.0), rng()) is None
    marks = [
        annotate(TRUTH, GRID, 1, AnnotationHabits(misses=0.5, raters=2), np.random.default_rng(seed))
        for seed in range(400)
    ]
    # Two readers who overlook half each: a quarter is lost, half is disputed.
    assert sum(mark is None for mark in marks) / 400 == pytest.approx(0.25, abs=0.07)
    assert sum(mark is not None and mark.disputed for mark in marks) / 400 == pytest.approx(0.5, abs=0.08)


def test_severe_lesions_are_overlooked_less() -> None:
    missed = [
        annotate(TRUTH, GRID, 3, AnnotationHabits(misses=0.6), np.random.default_rng(seed)) is None
        for seed in range(400)
    ]
    assert np.mean(missed) == pytest.approx(0.2, abs=0.06)
