"""Vertebrae are found where simulated radiographs have them."""

from __future__ import annotations

import numpy as np
import pytest

from spinedet.imaging.radiograph.read import prepare
from spinedet.imaging.radiograph.records import Spacing, SpacingSource, StoredRadiograph
from spinedet.imaging.radiograph.vertebrae import CELL, OUTPUTS, shipped_vertebra_locator, vertebrae_of
from spinedet.simulation.radiograph.cohort import draw_radiograph_study
from spinedet.simulation.radiograph.settings import RadiographCohort

COHORT = RadiographCohort(task="fractures", seed=8, pixels=320)


@pytest.mark.parametrize("center", ["A", "C"])
def test_bodies_are_found_within_a_few_millimetres(center: str) -> None:
    errors, missed = [], 0
    for index in (1, 2, 3):
        drawn = draw_radiograph_study(COHORT, "fresh", center, index)
        (image,) = drawn.images
        spacing = Spacing(image.mm, image.mm, SpacingSource.DETECTOR)
        read = prepare(StoredRadiograph(image.pixels.astype(np.float32), spacing=spacing), "drawn")
        found = shipped_vertebra_locator()(read)
        x0, y0, x1, y1 = read.field.box
        for mark in drawn.landmarks:
            box = image.box(mark.points)
            if box is None or not (x0 + 2 < box[0] and y0 + 2 < box[1] and box[2] < x1 - 2 and box[3] < y1 - 2):
                continue
            middle = np.array([box[0] + box[2], box[1] + box[3]]) / 2
            nearest = min((float(np.hypot(*(middle - one.middle))) for one in found), default=np.inf)
            missed += nearest > (box[3] - box[1]) / 2
            errors.append(nearest * image.mm)
        heights = [one.middle[1] for one in found]
        assert heights == sorted(heights)
        assert all(one.up[1] < -0.5 for one in found)
    assert len(errors) >= 15
    assert missed <= 0.15 * len(errors)
    assert np.median(errors) < 4


def test_of_two_middles_of_one_body_the_surer_counts() -> None:
    cells = np.zeros((OUTPUTS, 20, 20), np.float32)
    cells[0] = -9
    cells[3] = np.log(3.0)  # bodies of six cells
    cells[0, 5, 5], cells[0, 7, 5], cells[0, 15, 10] = 2.0, 3.0, 1.0
    cells[1, 7, 5], cells[2, 7, 5] = 0.25, -0.5
    first, second = vertebrae_of(cells)
    assert first.middle == (CELL * 5.75, CELL * 7.0)
    assert first.height == pytest.approx(6 * CELL)
    assert second.middle == (CELL * 10.5, CELL * 15.5)
    assert vertebrae_of(np.full_like(cells, -9)) == []
