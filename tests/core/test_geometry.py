"""Boxes and grids against numbers worked out by hand."""

from __future__ import annotations

import math
from itertools import permutations, product
from typing import TypeAlias

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from spinedet.core.errors import InputError
from spinedet.core.geometry import (
    EdgeBox,
    Grid,
    bounds,
    canonical,
    corners,
    inside,
    iou,
    pairwise_iou,
    same_axes,
)
from spinedet.core.types import RAS_AXES, Axes, Box

Array: TypeAlias = NDArray[np.float64]
COS, SIN = math.cos(math.radians(20)), math.sin(math.radians(20))
# 20 degrees about the left-right axis, as an axial stack laid along the L5/S1 disc.
TILT: Axes = ((1.0, 0.0, 0.0), (0.0, COS, SIN), (0.0, -SIN, COS))
ORIENTATIONS = list(product(permutations(range(3)), product((1, -1), repeat=3)))


def grid(spacing: tuple[float, float, float], origin: tuple[float, float, float], axes: Axes = RAS_AXES) -> Grid:
    affine = np.eye(4)
    affine[:3, :3] = np.array(axes).T * spacing
    affine[:3, 3] = origin
    return Grid(shape=(20, 30, 8), affine=affine)


def cells(low: tuple[float, float, float], high: tuple[float, float, float]) -> EdgeBox:
    return EdgeBox(np.array(low, dtype=np.float64), np.array(high, dtype=np.float64))


def ras(center: tuple[float, float, float], size: tuple[float, float, float], axes: Axes = RAS_AXES) -> Box:
    return Box(center=center, size=size, axes=axes)


def reoriented(base: Grid, order: tuple[int, ...], signs: tuple[int, ...]) -> Grid:
    """The same voxels, stored along other axes: new axis n is old axis order[n], backwards where its sign is -1."""
    affine = np.eye(4)
    start = [base.shape[old] - 1 if sign < 0 else 0 for old, sign in zip(order, signs, strict=True)]
    affine[:3, 3] = base.affine[:3, 3]
    for new, (old, sign) in enumerate(zip(order, signs, strict=True)):
        affine[:3, new] = sign * base.affine[:3, old]
        affine[:3, 3] += start[new] * base.affine[:3, old]
    return Grid(shape=tuple(base.shape[old] for old in order), affine=affine)  # type: ignore[arg-type]


def reoriented_cells(box: EdgeBox, shape: tuple[int, ...], order: tuple[int, ...], signs: tuple[int, ...]) -> EdgeBox:
    low = [box.low[old] if sign > 0 else shape[old] - box.high[old] for old, sign in zip(order, signs, strict=True)]
    high = [box.high[old] if sign > 0 else shape[old] - box.low[old] for old, sign in zip(order, signs, strict=True)]
    return EdgeBox(np.array(low), np.array(high))


# --- grids ---


@pytest.mark.parametrize(
    ("affine", "fault"),
    [
        (np.diag([1.0, 1.0, 0.0, 1.0]), "singular"),
        (np.array([[1.0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 0], [0, 0, 0, 1]]), "singular"),
        (np.array([[1.0, 1, 0, 0], [0, 0, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]]), "singular"),
        (np.array([[1.0, 0.2, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]]), "sheared"),
        (np.diag([1.0, np.nan, 1.0, 1.0]), "finite"),
        (np.array([[1.0, 0, 0, np.inf], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]]), "finite"),
        (np.eye(3), "4 x 4"),
    ],
)
def test_affines_that_are_no_grid(affine: Array, fault: str) -> None:
    with pytest.raises(InputError, match=fault):
        Grid(shape=(2, 2, 2), affine=affine)


def test_an_affine_in_single_precision_is_orthogonal_enough() -> None:
    affine = grid((0.3, 0.3, 4.4), (10.0, 20.0, 30.0), TILT).affine.astype(np.float32)
    assert Grid(shape=(2, 2, 2), affine=affine).affine.dtype == np.float64


def test_a_grid_by_hand() -> None:
    # A radiological axial stack: i runs to the left, j to the back, k to the head.
    affine = np.array([[-0.5, 0, 0, 60], [0, -0.5, 0, 40], [0, 0, 4, -20], [0, 0, 0, 1]])
    stack = Grid(shape=(240, 200, 10), affine=affine)
    np.testing.assert_allclose(stack.spacing, [0.5, 0.5, 4])
    np.testing.assert_allclose(stack.axes, [[-1, 0, 0], [0, -1, 0], [0, 0, 1]])
    np.testing.assert_allclose(stack.extent, [120, 100, 40])
    np.testing.assert_allclose(stack.corner, [60.25, 40.25, -22])


# --- voxel edges to the world and back ---


def test_one_voxel_on_4_mm_slices_is_4_mm_thick() -> None:
    box = grid((0.5, 0.5, 4), (0, 0, 0)).world(cells((0, 0, 1), (1, 1, 2)))
    assert box.center == (0.0, 0.0, 4.0)
    assert box.size == (0.5, 0.5, 4.0)


@pytest.mark.parametrize("stored", [1, -1])
def test_half_a_voxel_is_not_forgotten_on_flipped_slices(stored: int) -> None:
    # Slices 1 and 2 of five 5 mm slices whose first centre is at 0 cover 2.5 to 12.5 mm, however they are stored.
    affine = np.diag([1.0, 1.0, 5.0 * stored, 1.0])
    affine[2, 3] = 0 if stored > 0 else 20
    low, high = (1, 3) if stored > 0 else (2, 4)
    stack = Grid(shape=(4, 4, 5), affine=affine)
    box = stack.world(cells((0, 0, low), (1, 1, high)))
    assert (box.center[2] - box.size[2] / 2, box.center[2] + box.size[2] / 2) == (2.5, 12.5)
    assert (stack.edges(box).low[2], stack.edges(box).high[2]) == (low, high)


def test_a_box_inside_one_voxel_keeps_its_size() -> None:
    # 1 mm thick around the centre of slice 1 (4 mm slices): a quarter of the voxel, edges 1.375 to 1.625.
    edge = grid((1, 1, 4), (0, 0, 0)).edges(ras((0, 0, 4), (1, 1, 1)))
    np.testing.assert_allclose((edge.low, edge.high), ((0, 0, 1.375), (1, 1, 1.625)))


@pytest.mark.parametrize(("order", "signs"), ORIENTATIONS)
@pytest.mark.parametrize("axes", [RAS_AXES, TILT], ids=["straight", "tilted"])
def test_a_box_is_the_same_however_its_voxels_are_stored(
    axes: Axes, order: tuple[int, ...], signs: tuple[int, ...]
) -> None:
    base, block = grid((0.5, 0.75, 4.0), (-3.0, 7.0, 100.0), axes), cells((2, 5, 1), (6, 13, 4))
    # Mean edge (4, 9, 2.5) is index (3.5, 8.5, 2): 1.75, 6.375 and 8 mm along the axes from the first centre.
    center = np.array([-3.0, 7.0, 100.0]) + np.array([1.75, 6.375, 8.0]) @ np.array(axes)
    stored, stored_block = reoriented(base, order, signs), reoriented_cells(block, base.shape, order, signs)

    box = stored.world(stored_block)
    np.testing.assert_allclose(box.center, center, atol=1e-9)
    np.testing.assert_allclose(box.size, (2, 6, 12), atol=1e-9)
    np.testing.assert_allclose(box.axes, axes, atol=1e-9)

    back = stored.edges(box)
    np.testing.assert_allclose((back.low, back.high), (stored_block.low, stored_block.high), atol=1e-9)


def test_edges_without_size_are_no_box() -> None:
    with pytest.raises(ValueError, match="greater than 0"):
        grid((1, 1, 1), (0, 0, 0)).world(cells((1, 1, 1), (2, 1, 2)))


def test_the_hull_takes_all_eight_corners() -> None:
    # 8 x 20 x 4 mm turned by 20 degrees about R: 20 cos + 4 sin = 20.16193 along A, 20 sin + 4 cos = 10.59917 along S.
    box = ras((5, 10, 3), (8, 20, 4), TILT)
    low, high = bounds([box])
    np.testing.assert_allclose(high - low, [[8, 20.16193, 10.59917]], atol=1e-5)
    np.testing.assert_allclose((high + low) / 2, [[5, 10, 3]])
    edge = grid((1, 1, 1), (0, 0, 0)).edges(box)
    np.testing.assert_allclose(edge.high - edge.low, [8, 20.16193, 10.59917], atol=1e-5)
    np.testing.assert_allclose((edge.low + edge.high) / 2, [5.5, 10.5, 3.5])  # edge coordinate is index + 1/2


def test_corners_by_hand() -> None:
    found = {tuple(corner) for corner in corners(ras((1, 2, 3), (2, 4, 6))).tolist()}
    assert found == set(product((0.0, 2.0), (0.0, 4.0), (0.0, 6.0)))


# --- canonical frames ---


@pytest.mark.parametrize(("order", "signs"), ORIENTATIONS)
def test_one_box_is_written_in_one_way(order: tuple[int, ...], signs: tuple[int, ...]) -> None:
    rows = np.array(TILT)[list(order)] * np.array(signs)[:, None] + 0.0  # every zero is positive
    box = canonical(np.array([1.0, 2.0, 3.0]), np.array([10.0, 20.0, 30.0])[list(order)], rows)
    assert box.center == (1.0, 2.0, 3.0)
    assert box.size == (10.0, 20.0, 30.0)
    np.testing.assert_allclose(box.axes, TILT)
    assert not np.signbit(np.array(box.axes)[np.array(box.axes) == 0]).any()


def test_a_frame_that_is_ras_but_for_rounding_is_ras() -> None:
    nearly = np.array([[1, 5e-5, 0], [-5e-5, 1, 0], [0, 0, 1]])
    assert canonical(np.zeros(3), np.ones(3), nearly).axes == RAS_AXES
    turned = np.array([[1, 5e-4, 0], [-5e-4, 1, 0], [0, 0, 1]])
    assert canonical(np.zeros(3), np.ones(3), turned).axes == ((1.0, 5e-4, 0.0), (-5e-4, 1.0, 0.0), (0.0, 0.0, 1.0))


@pytest.mark.parametrize(("order", "signs"), ORIENTATIONS)
def test_row_order_and_sign_do_not_make_another_frame(order: tuple[int, ...], signs: tuple[int, ...]) -> None:
    rows = (np.array(TILT)[list(order)] * np.array(signs)[:, None]).tolist()
    other: Axes = tuple(map(tuple, rows))
    assert same_axes(TILT, other)
    assert same_axes(other, TILT)
    assert not same_axes(RAS_AXES, other)


def test_frames_rounded_to_four_digits_agree_and_half_a_degree_does_not() -> None:
    rounded: Axes = ((1.0, 0.0, 0.0), (0.0, 0.9397, 0.3420), (0.0, -0.3420, 0.9397))
    assert same_axes(TILT, rounded)
    turn = math.radians(20.5)
    other: Axes = ((1.0, 0.0, 0.0), (0.0, math.cos(turn), math.sin(turn)), (0.0, -math.sin(turn), math.cos(turn)))
    assert not same_axes(TILT, other)


def test_a_frame_agrees_with_itself_even_when_carelessly_rounded() -> None:
    careless: Axes = ((1.0, 0.0, 0.0), (0.0, 0.9399, 0.3417), (0.0, -0.3424, 0.9396))
    assert same_axes(careless, careless)
    low, high = bounds([ras((5, -30, 110), (8, 20, 4), careless)], careless)
    np.testing.assert_allclose(high - low, [[8, 20, 4]], rtol=1e-12)


# --- overlap ---


def shifted(box: Box, row: int, millimetres: float) -> Box:
    center = np.array(box.center) + millimetres * np.array(box.axes)[row]
    return Box(center=tuple(center.tolist()), size=box.size, axes=box.axes)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("other", "truth"),
    [
        (ras((0, 0, 0), (4, 4, 4)), 1.0),
        (ras((2, 0, 0), (4, 4, 4)), 1 / 3),  # half of each is shared
        (ras((0, 0, 0), (2, 2, 2)), 1 / 8),  # inside
        (ras((1, 1, 1), (4, 4, 4)), 27 / 101),  # 3 x 3 x 3 of 64 + 64
        (ras((4, 0, 0), (4, 4, 4)), 0.0),  # touching
        (ras((9, 9, 9), (4, 4, 4)), 0.0),
        (ras((3, 3, 0), (1, 1, 1)), 0.0),  # apart on two axes: two negative overlaps make no positive
    ],
)
def test_overlap_by_hand(other: Box, truth: float) -> None:
    box = ras((0, 0, 0), (4, 4, 4))
    assert iou([box], [other])[0, 0] == pytest.approx(truth)
    assert iou([other], [box])[0, 0] == pytest.approx(truth)


@pytest.mark.parametrize("row", [0, 1, 2])
def test_boxes_of_one_tilted_frame_are_compared_in_that_frame(row: int) -> None:
    # A quarter along any row of the frame: 3/4 of each is shared, 3/5 of the union; hulls along RAS differ.
    box = ras((5, -30, 110), (8, 20, 4), TILT)
    other = shifted(box, row, box.size[row] / 4)
    assert iou([box], [other])[0, 0] == pytest.approx(0.6)


@pytest.mark.parametrize(("order", "signs"), ORIENTATIONS)
def test_row_order_and_sign_do_not_change_the_overlap(order: tuple[int, ...], signs: tuple[int, ...]) -> None:
    box = ras((5, -30, 110), (8, 20, 4), TILT)
    other = shifted(box, 1, 5)
    rows = (np.array(TILT)[list(order)] * np.array(signs)[:, None]).tolist()
    size = np.array(other.size)[list(order)].tolist()
    stored = Box(center=other.center, size=tuple(size), axes=tuple(map(tuple, rows)))
    assert iou([box], [stored])[0, 0] == pytest.approx(0.6)
    assert iou([stored], [box])[0, 0] == pytest.approx(0.6)


def test_boxes_of_different_frames_are_compared_through_their_hulls() -> None:
    # Around a 10 mm cube turned by 20 degrees lies a hull of 10 x 12.81713 x 12.81713 mm: 1000 / 1642.788.
    straight, turned = ras((1, 2, 3), (10, 10, 10)), ras((1, 2, 3), (10, 10, 10), TILT)
    assert iou([straight], [turned])[0, 0] == pytest.approx(0.608721, abs=1e-6)
    np.testing.assert_allclose(iou([straight, turned], [straight, turned]), [[1, 0.608721], [0.608721, 1]], atol=1e-6)


def test_nothing_overlaps_with_nothing() -> None:
    box = ras((0, 0, 0), (1, 1, 1))
    assert iou([], []).shape == (0, 0)
    assert iou([box, box], []).shape == (2, 0)
    assert iou([], [box]).shape == (0, 1)
    assert iou([], [box, ras((0, 0, 0), (1, 1, 1), TILT)]).shape == (0, 2)


def test_limits_without_volume_overlap_by_zero() -> None:
    flat = np.zeros((1, 3))
    assert pairwise_iou(flat, flat, flat, flat)[0, 0] == 0


integer_boxes = st.lists(
    st.tuples(*[st.tuples(st.integers(0, 5), st.integers(1, 4)) for _ in range(3)]), min_size=1, max_size=4
)
frames = st.sampled_from([RAS_AXES, TILT])


def in_frame(spans: list[tuple[tuple[int, int], ...]], axes: Axes) -> list[Box]:
    """Boxes that span (start, length) whole mm along each row of the frame."""
    middles = [np.array([start + length / 2 for start, length in span]) @ np.array(axes) for span in spans]
    sizes = [tuple(float(length) for _, length in span) for span in spans]
    return [
        Box(center=tuple(middle.tolist()), size=size, axes=axes)  # type: ignore[arg-type]
        for middle, size in zip(middles, sizes, strict=True)
    ]


def filled(span: tuple[tuple[int, int], ...]) -> NDArray[np.bool_]:
    space = np.zeros((9, 9, 9), dtype=bool)
    space[tuple(slice(start, start + length) for start, length in span)] = True
    return space


@settings(max_examples=60, deadline=None)
@given(integer_boxes, integer_boxes, frames)
def test_overlap_equals_counting_cubes(
    first: list[tuple[tuple[int, int], ...]], second: list[tuple[tuple[int, int], ...]], axes: Axes
) -> None:
    counted = [[np.sum(filled(a) & filled(b)) / np.sum(filled(a) | filled(b)) for b in second] for a in first]
    np.testing.assert_allclose(iou(in_frame(first, axes), in_frame(second, axes)), counted, atol=1e-9)


coordinates = st.floats(-300, 300)
lengths = st.floats(0.1, 60)
any_box = st.builds(ras, st.tuples(coordinates, coordinates, coordinates), st.tuples(lengths, lengths, lengths), frames)


@settings(max_examples=60, deadline=None)
@given(st.lists(any_box, max_size=4), st.lists(any_box, max_size=4))
def test_overlap_is_symmetric_and_bounded(first: list[Box], second: list[Box]) -> None:
    found = iou(first, second)
    assert found.shape == (len(first), len(second))
    assert ((found >= 0) & (found <= 1 + 1e-12)).all()
    np.testing.assert_allclose(found, iou(second, first).T, atol=1e-12)
    np.testing.assert_allclose(np.diag(iou(first, first)), np.ones(len(first)), atol=1e-9)


# --- inside the image ---


@pytest.mark.parametrize(
    ("center", "size", "truth"),
    [
        ((9.5, 14.5, 3.5), (20, 30, 8), True),  # the whole block
        ((9.5, 14.5, 3.5), (20.9, 30, 8), True),  # 0.45 mm over on both sides
        ((9.5, 14.5, 3.5), (21.1, 30, 8), False),  # 0.55 mm over
        ((-0.5, 14.5, 3.5), (4, 4, 4), False),  # half of it outside
        ((-0.8, 14.5, 3.5), (0.2, 0.2, 0.2), False),  # every corner within the tolerance, its centre outside
        ((200, 14.5, 3.5), (4, 4, 4), False),
    ],
)
def test_inside_by_hand(center: tuple[float, float, float], size: tuple[float, float, float], truth: bool) -> None:
    # 20 x 30 x 8 voxels of 1 mm from edge -0.5 to 19.5, 29.5 and 7.5.
    assert inside(ras(center, size), grid((1, 1, 1), (0, 0, 0))) is truth


def test_the_tolerance_is_in_mm_not_in_voxels() -> None:
    # 4 mm slices cover -2 to 30 mm; a box up to 31 mm is out by 1 mm, a quarter of a voxel.
    thick = grid((1, 1, 4), (0, 0, 0))
    assert not inside(ras((10, 10, 29), (2, 2, 4)), thick)
    assert inside(ras((10, 10, 29), (2, 2, 4)), thick, tolerance_mm=1.01)
