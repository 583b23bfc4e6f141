"""The truth about a disc against what is painted of it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from spinedet.simulation.anatomy.degeneration import DiscState, Herniation
from spinedet.simulation.anatomy.discs import PaintedDisc
from spinedet.simulation.anatomy.spine import UPRIGHT, Disc
from spinedet.simulation.painting.canvas import Canvas, Palette, Raster
from spinedet.simulation.painting.texture import draw_texture
from spinedet.simulation.painting.tissue import KINDS, Sequence
from spinedet.simulation.prevalence import Findings

GRAIN = draw_texture(1.0, (1, 1, 1), np.random.default_rng(0))
# Everything is made bright enough to be seen.
PALETTE = Palette(Sequence(1.5, 4000, 10), dict.fromkeys(KINDS, 0.0))
DISC = Disc("L4/L5", UPRIGHT, 25.0, 18.0, 10.0, 0.0)
STATES = {
    "young": DiscState(),
    "bulging": DiscState(Findings(3, bulging=1), darkness=0.5, bulge=3.0),
    "protruded": DiscState(Findings(4, herniation=1), bulge=1.5, herniation=Herniation(5.0, 6.0, 7.0)),
    "extruded": DiscState(Findings(4, herniation=1), bulge=1.0, herniation=Herniation(5.0, -5.0, 5.0, migration=-9.0)),
}


def painted(pad: PaintedDisc) -> np.ndarray:
    """Bounds (2, 3) of what is painted beyond the bodies' outline or within the disc's height, in mm."""
    found = []
    for x in np.arange(-36, 36.5, 1.0):
        raster = Raster((float(x), -40.0, -20.0), (0.0, 0.5, 0.0), (0.0, 0.0, 0.5), (160, 80))
        page = Canvas.blank(raster, PALETTE)
        pad.paint(page)
        rows, columns = np.nonzero(page.layers.sum(axis=0) > 0.02)
        found += [(x, -40 + 0.5 * r, -20 + 0.5 * c) for r, c in zip(rows, columns, strict=True)]
    points = np.array(found)
    return np.array([points.min(axis=0), points.max(axis=0)])


@pytest.mark.parametrize("name", STATES)
def test_the_surface_bounds_what_is_painted_aside_and_behind(name: str) -> None:
    pad = PaintedDisc(DISC, STATES[name], 0.0, GRAIN)
    surface, seen = pad.surface(), painted(pad)
    for axis in (0, 1):  # the slab's faces are painted too thick, for the bodies cut them
        assert surface[:, axis].min() == pytest.approx(seen[0, axis], abs=1.3)
        assert surface[:, axis].max() == pytest.approx(seen[1, axis], abs=1.3)


def test_a_plain_disc_by_hand() -> None:
    surface = PaintedDisc(DISC, DiscState(bulge=2.0), 0.0, GRAIN).surface()
    low, high = surface.min(axis=0), surface.max(axis=0)
    assert (low[1], high[1]) == pytest.approx((-20, 20), abs=0.1)
    assert (low[2], high[2]) == pytest.approx((-5, 5))
    # The squarer rear corners reach 2 mm outwards along the diagonal, so the width grows by a little less than 2 mm.
    assert high[0] == pytest.approx(27, abs=0.1)


def test_a_hollow_makes_the_middle_higher() -> None:
    surface = PaintedDisc(DISC, DiscState(), 2.0, GRAIN).surface()
    # At half the reach the hollow is 2 (1 - 1/4) mm deep.
    assert surface[:, 2].max() == pytest.approx(6.5)


def test_an_extrusion_reaches_where_it_has_moved() -> None:
    surface = PaintedDisc(DISC, STATES["extruded"], 0.0, GRAIN).surface()
    # Its middle is 4.5 mm down and it is 2 * (4.5 + 2) mm high.
    assert surface[:, 2].min() == pytest.approx(-11)


def test_the_focus_is_behind_the_bodies_and_smaller_than_the_disc() -> None:
    pad = PaintedDisc(DISC, STATES["protruded"], 0.0, GRAIN)
    focus, whole = pad.focus(), pad.surface()
    assert focus[:, 1].max() == pytest.approx(-17)
    assert focus[:, 1].min() == pytest.approx(-18 - 6.5)
    assert (focus[:, 0].min(), focus[:, 0].max()) == pytest.approx((-1, 13))
    assert np.prod(np.ptp(focus, axis=0)) < np.prod(np.ptp(whole, axis=0))


def test_a_narrowed_canal_belongs_to_the_focus() -> None:
    pad = PaintedDisc(DISC, replace(STATES["bulging"], stenosis=0.5), 0.0, GRAIN)
    assert pad.focus()[:, 1].min() == pytest.approx(-18 - 15)


def test_worn_discs_are_darker() -> None:
    def middle(darkness: float) -> float:
        raster = Raster((0.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0), (1, 1))
        page = Canvas.blank(raster, Palette(Sequence(1.5, 3500, 100)))
        PaintedDisc(DISC, DiscState(darkness=darkness), 0.0, GRAIN).paint(page)
        return float(page.layers[0, 0, 0])

    assert middle(1.0) > 2.5 * middle(0.4) > 0
