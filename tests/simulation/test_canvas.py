"""Rasters, windows and paint, with truths counted by hand."""

from __future__ import annotations

import numpy as np
import pytest

from spinedet.simulation.anatomy.spine import UPRIGHT
from spinedet.simulation.painting.canvas import Block, Canvas, Palette, Raster, doubled
from spinedet.simulation.painting.tissue import Sequence, Tissue

# Ten by ten pixels of 1 mm in the plane x = 0: rows along y, columns along z, centres at 0..9.
RASTER = Raster((0.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0), (10, 10))
INK = Tissue("x", 1.0, (1, 1), (1e9, 1e9))
PALETTE = Palette(Sequence(1.5, 1e6, 0.0))


def canvas() -> Canvas:
    return Canvas.blank(RASTER, PALETTE)


def test_a_window_holds_the_block_and_little_more() -> None:
    window = canvas().window(Block(UPRIGHT.moved(0, 5, 5), (1.0, 1.0, 2.0)))
    assert window is not None
    assert window.rows.start <= 4
    assert 7 <= window.rows.stop <= 9
    assert window.columns.start <= 3
    assert 8 <= window.columns.stop <= 10


@pytest.mark.parametrize("place", [(3.0, 5.0, 5.0), (0.0, 30.0, 5.0), (0.0, 5.0, -20.0)])
def test_no_window_where_the_block_is_not(place: tuple[float, float, float]) -> None:
    assert canvas().window(Block(UPRIGHT.moved(*place), (2.0, 2.0, 2.0))) is None


def test_coordinates_broadcast_where_they_do_not_change() -> None:
    along = canvas().coordinate(RASTER.whole, (0.0, 2.0, 0.0), (0.0, 1.0, 0.0))
    assert along.shape == (10, 1)
    assert along[:, 0] == pytest.approx(np.arange(10) - 2.0)


def test_local_coordinates_are_those_of_the_frame() -> None:
    frame = UPRIGHT.pitched(0.4).moved(1, 2, 3)
    right, anterior, up = canvas().local(RASTER.whole, frame)
    assert frame.at(right[4, 6], anterior[4, 6], up[4, 6]) == pytest.approx((0, 4, 6), abs=1e-5)


def test_paint_covers_a_share_of_the_edge_pixel() -> None:
    page = canvas()
    distance = page.coordinate(RASTER.whole, (0.0, 4.25, 0.0), (0.0, 1.0, 0.0))
    page.paint(RASTER.whole, page.cover(distance), INK)
    # The edge lies a quarter pixel beyond the middle of row 4: that row is covered to three quarters.
    assert page.layers[0, :, 0] == pytest.approx([1, 1, 1, 1, 0.75, 0, 0, 0, 0, 0])
    assert page.layers.dtype == np.float32


def test_coarser_pixels_cover_the_same() -> None:
    coarse = RASTER.coarser()
    assert coarse.shape == (5, 5)
    assert coarse.origin == (0.0, 0.5, 0.5)
    assert coarse.pixel == pytest.approx(2.0)


def test_doubling_keeps_a_slope() -> None:
    slope = np.tile(np.arange(5, dtype=np.float32)[:, None], (1, 5))
    fine = doubled(slope, (10, 9))
    assert fine.shape == (10, 9)
    # Fine pixel i lies at coarse position (i - 0.5) / 2, held at the ends.
    assert fine[:, 3] == pytest.approx(np.clip((np.arange(10) - 0.5) / 2, 0, 4))


def test_a_tint_changes_only_its_kind() -> None:
    tinted = Palette(Sequence(1.5, 1e6, 0.0), {"x": np.log(2.0)})
    other = Tissue("y", 1.0, (1, 1), (1e9, 1e9))
    assert tinted[INK].water == pytest.approx(2.0)
    assert tinted[other].water == pytest.approx(1.0)
