"""Where things are drawn, pixel by pixel, against millimetres worked out by hand."""

from io import BytesIO

import numpy as np
import pytest
from matplotlib.colors import to_rgb
from matplotlib.image import imread

from spinedet.core.colors import FINDING_COLOR, REFERENCE_COLOR
from spinedet.core.geometry import EdgeBox, Grid
from spinedet.core.types import Box
from spinedet.imaging.planes import AXIAL, SAGITTAL
from spinedet.imaging.volume import Volume
from spinedet.report.slice_pictures import Mark, draw_series, telling_slices

# A sagittal stack stored R, A, S: 9 slices of 4 mm, 80 mm front to back by 1 mm, 100 mm head to feet by 0.5 mm; its
# outer corner (left, back, feet) is the origin. Drawn at 360 px / 100 mm = 3.6 px/mm, tiles of 360 x 288 px, 6 px in.
SHAPE, SPACING, SCALE, MARGIN, TILE = (9, 80, 200), (4.0, 1.0, 0.5), 3.6, 6, 288
GRID = Grid(SHAPE, np.block([[np.diag(SPACING), np.array(SPACING)[:, None] / 2], [np.zeros((1, 3)), np.ones((1, 1))]]))
# 30 to 50 mm from the front, 20 to 35 mm from the top, in slices 3 to 5.
BOX = Box(center=(18.0, 40.0, 72.5), size=(12.0, 20.0, 15.0))


def volume() -> Volume:
    """Dark, with the box bright and one brighter mark at the front of the head end."""
    array = np.zeros(SHAPE, np.float32)
    array[3:6, 30:50, 130:160] = 100
    array[:, 70:78, 185:195] = 200
    return Volume(array, GRID)


def decoded(png: bytes) -> np.ndarray:
    """(rows, columns, 3) in 0..1."""
    return imread(BytesIO(png))[..., :3]


def tile(picture: np.ndarray, place: int) -> np.ndarray:
    left = MARGIN + place * (TILE + MARGIN)
    return picture[MARGIN : MARGIN + 360, left : left + TILE]


def near(picture: np.ndarray, color: str) -> np.ndarray:
    return np.abs(picture - to_rgb(color)).max(axis=-1) < 0.25


def span(mask: np.ndarray) -> list[int]:
    """First row, first column, last row, last column."""
    index = np.argwhere(mask)
    return [*index.min(axis=0).tolist(), *index.max(axis=0).tolist()]


def test_a_reference_box_is_drawn_where_its_millimetres_are() -> None:
    picture = decoded(draw_series(volume(), SAGITTAL, [BOX], []))
    expected = [20 * SCALE, 30 * SCALE, 35 * SCALE, 50 * SCALE]
    assert picture.shape[:2] == (360 + 6 + 22, 3 * TILE + 4 * MARGIN)
    for place in range(3):
        assert span(near(tile(picture, place), REFERENCE_COLOR)) == pytest.approx(expected, abs=1.5)


def test_a_score_near_the_edge_is_not_cut() -> None:
    edge = Box(center=(18.0, 12.0, 72.5), size=(12.0, 16.0, 15.0))
    picture = decoded(draw_series(volume(), SAGITTAL, [], [Mark(edge, 0.88, "degeneration")]))
    drawn = near(tile(picture, 1), FINDING_COLOR)
    assert drawn[:, 150:].any()
    assert not drawn[:, -2:].any()


def test_a_finding_is_drawn_where_its_lesion_shines() -> None:
    picture = decoded(draw_series(volume(), SAGITTAL, [], [Mark(BOX, 0.91, "L4/L5")]))
    for place in range(3):
        shown = tile(picture, place)
        frame = near(shown, FINDING_COLOR)
        shine = shown.mean(axis=-1) > 0.9
        assert span(frame[40:170, 40:180]) == pytest.approx(span(shine[40:170, 40:180]), abs=2)
        assert frame[:, 185:].any(), "its score stands beside it"


def test_front_is_left_and_head_is_up_however_it_was_stored() -> None:
    reference = draw_series(volume(), SAGITTAL, [BOX], [])
    bright = tile(decoded(reference), 0).mean(axis=-1) > 0.95
    assert span(bright[:50, :50]) == pytest.approx([2.5 * SCALE, 2 * SCALE, 7.5 * SCALE, 10 * SCALE], abs=2)
    stored = volume()
    affine = GRID.affine.copy()
    affine[:3, 3] += affine[:3, 1] * 79
    affine[:3, 1] *= -1
    turned = Volume(
        np.ascontiguousarray(np.flip(stored.array, 1).transpose(2, 0, 1)), Grid((200, 9, 80), affine[:, [2, 0, 1, 3]])
    )
    assert draw_series(turned, SAGITTAL, [BOX], []) == reference


def test_a_box_is_drawn_only_on_the_slices_it_reaches_into() -> None:
    thin = Box(center=(2.0, 40.0, 72.5), size=(4.0, 20.0, 15.0))  # the first slice, edge to edge
    picture = decoded(draw_series(volume(), SAGITTAL, [thin], []))
    assert [bool(near(tile(picture, place), REFERENCE_COLOR).any()) for place in range(3)] == [True, False, False]


def test_an_oblique_box_is_drawn_as_its_hull() -> None:
    half = 0.5**0.5
    turned = Box(
        center=(18.0, 40.0, 50.0), size=(12.0, 20.0, 20.0), axes=((1, 0, 0), (0, half, half), (0, -half, half))
    )
    reach = 20 * half
    expected = [(50 - reach) * SCALE, (40 - reach) * SCALE, (50 + reach) * SCALE, (40 + reach) * SCALE]
    picture = decoded(draw_series(volume(), SAGITTAL, [turned], []))
    assert span(near(tile(picture, 1), REFERENCE_COLOR)) == pytest.approx(expected, abs=1.5)


def test_the_bar_is_as_long_as_it_says() -> None:
    picture = decoded(draw_series(volume(), SAGITTAL, [], []))
    row = tile(picture, 0)[int(0.97 * 360)]
    assert (row.mean(axis=-1) > 0.8).sum() == pytest.approx(20 * SCALE, abs=2), "20 mm is the longest that fits"


def test_an_axial_picture_has_the_right_at_its_left() -> None:
    grid = Grid((100, 80, 5), np.diag([1.0, 1.0, 4.0, 1.0]))
    array = np.zeros(grid.shape, np.float32)
    array[90:98, 70:78] = 1  # right, front
    picture = decoded(draw_series(Volume(array, grid), AXIAL, [], []))
    height, width = round(80 * 3.6 * 420 / 360), 420
    first = picture[MARGIN : MARGIN + height, MARGIN : MARGIN + width].mean(axis=-1)
    assert span(first[:60, :60] > 0.9) == pytest.approx([2 * 4.2, 2 * 4.2, 10 * 4.2, 10 * 4.2], abs=2)


@pytest.mark.parametrize("value", [0.0, 7.0])
def test_a_slice_without_contrast_is_still_drawn(value: float) -> None:
    array = np.full(SHAPE, value, np.float32)
    array[0] = 1
    assert decoded(draw_series(Volume(array, GRID), SAGITTAL, [], [])).size


def edges(low: float, high: float) -> EdgeBox:
    return EdgeBox(np.array([low, 0.0, 0.0]), np.array([high, 1.0, 1.0]))


@pytest.mark.parametrize(
    ("boxes", "shown"),
    [
        ([], [6, 9, 13]),
        ([(4, 5)], [4, 6, 9]),
        ([(2, 5), (2, 5), (12, 15)], [3, 9, 13]),
        ([(0, 1), (5, 6), (9, 10), (12, 13), (15, 16), (18, 19)], None),
        ([(-4, -1)], [6, 9, 13]),
        ([(2, 7), (5, 8)], [6, 9, 13]),
    ],
)
def test_slices_are_chosen_for_what_they_show(boxes: list[tuple[float, float]], shown: list[int] | None) -> None:
    chosen = telling_slices(20, [edges(*box) for box in boxes])
    assert chosen == sorted(set(chosen))
    if shown is None:
        assert len(chosen) == 5
        assert sum(any(low <= index < high for low, high in boxes) for index in chosen) == 5
    else:
        assert chosen == shown


def test_a_thin_volume_shows_all_it_has() -> None:
    assert telling_slices(2, []) == [0, 1]
