"""Which lesions a series covers well enough to count."""

from __future__ import annotations

import numpy as np
import pytest

from spinedet.core.geometry import EdgeBox, Grid
from spinedet.simulation.reference_standard import COVERED, covered

# 20 slices of 1 mm, 100 x 100 pixels of 1 mm.
SLAB = Grid((20, 100, 100), np.eye(4))


@pytest.mark.parametrize(
    ("low", "high", "share"),
    [
        ((5, 40, 40), (15, 80, 60), 1.0),  # inside
        ((-15, 40, 40), (35, 80, 60), 1.0),  # a disc 50 mm wide in a slab of 20 mm
        ((5, 40, -10), (15, 80, 10), 0.5),  # half below the picture
        ((-15, 40, -5), (35, 80, 15), 0.75),  # wide, and a quarter below the picture
        ((10, 40, 40), (60, 80, 60), 0.5),  # wide, but the slab lies beside its middle
    ],
)
def test_the_covered_share_is_of_what_the_stack_could_cover(
    low: tuple[int, ...], high: tuple[int, ...], share: float
) -> None:
    box = EdgeBox(np.array(low, float), np.array(high, float))
    assert covered(box, SLAB) == pytest.approx(share)
    assert (share < COVERED) == (share == 0.5)
