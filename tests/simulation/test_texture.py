"""Textures belong to the patient, not to the slice."""

from __future__ import annotations

import numpy as np
import pytest

from spinedet.simulation.painting.canvas import Canvas, Palette, Raster
from spinedet.simulation.painting.texture import draw_texture
from spinedet.simulation.painting.tissue import Sequence

PALETTE = Palette(Sequence(1.5, 3000, 100))


def test_a_texture_is_standardised_and_smooth() -> None:
    values = draw_texture(1.0, (2, 2, 2), np.random.default_rng(0)).values
    assert values.dtype == np.float32
    assert values.mean() == pytest.approx(0, abs=0.05)
    assert values.std() == pytest.approx(1, abs=1e-3)
    neighbours = np.corrcoef(values[1:].ravel(), values[:-1].ravel())[0, 1]
    assert neighbours > 0.8


def test_two_planes_show_the_same_grain_where_they_cross() -> None:
    texture = draw_texture(1.0, (2, 2, 2), np.random.default_rng(1))
    sagittal = Canvas.empty(Raster((0.5, 0.5, 0.5), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0), (20, 20)), PALETTE)
    axial = Canvas.empty(Raster((0.5, 0.5, 7.5), (1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (20, 20)), PALETTE)
    along, across = texture.over(sagittal, sagittal.whole), texture.over(axial, axial.whole)
    assert along[:, 7] == pytest.approx(across[0, :])
