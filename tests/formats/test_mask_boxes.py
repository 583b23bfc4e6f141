"""Boxes of mask labels, against edges counted by hand."""

from __future__ import annotations

import numpy as np
import pytest

from spinedet.core.errors import InputError
from spinedet.core.geometry import Grid
from spinedet.formats.mask_boxes import label_boxes, refuse_other_grid
from spinedet.imaging.volume import Volume


def volume(array: np.ndarray, affine: np.ndarray) -> Volume:
    return Volume(array.astype(np.float32), Grid(array.shape, affine))


def two_labels() -> np.ndarray:
    labels = np.zeros((5, 10, 10))
    labels[2, 3:6, 4:9] = 2
    labels[1:4, 7, 0] = 7
    labels[3, 9, 1] = 7
    return labels


def test_boxes_cover_voxel_edges() -> None:
    boxes = label_boxes(volume(two_labels(), np.diag([4.0, 0.5, 1.0, 1.0])))
    assert list(boxes) == [2, 7]
    # Label 2: voxels 2 | 3..5 | 4..8, so edges 2-3, 3-6 and 4-9; voxel 0 is centred on 0 mm.
    assert boxes[2].center == (8.0, 2.0, 6.0)
    assert boxes[2].size == (4.0, 1.5, 5.0)
    assert boxes[7].center == (8.0, 4.0, 0.5)
    assert boxes[7].size == (12.0, 1.5, 2.0)


def test_boxes_of_an_oblique_image_keep_its_axes() -> None:
    c, s = np.cos(np.pi / 6), np.sin(np.pi / 6)
    affine = np.eye(4)
    affine[:3, :3] = np.array([[1, 0, 0], [0, c, -s], [0, s, c]]) @ np.diag([4.0, 0.5, 1.0])
    affine[:3, 3] = (10, 20, 30)
    box = label_boxes(volume(two_labels(), affine))[2]
    assert box.size == pytest.approx((4.0, 1.5, 5.0))
    assert box.center == pytest.approx((18.0, 20 + 2 * c - 6 * s, 30 + 2 * s + 6 * c))
    assert box.axes == pytest.approx(np.array([[1, 0, 0], [0, c, s], [0, -s, c]]))


@pytest.mark.parametrize("value", [0.5, -1.0])
def test_values_that_are_no_labels_are_refused(value: float) -> None:
    labels = two_labels()
    labels[0, 0, 0] = value
    with pytest.raises(InputError, match="no labels"):
        label_boxes(volume(labels, np.eye(4)))


def test_a_mask_must_lie_on_its_image() -> None:
    image = Grid((5, 10, 10), np.eye(4))
    refuse_other_grid(Grid((5, 10, 10), np.eye(4)), image)
    with pytest.raises(InputError, match=r"\(4, 10, 10\) voxels and the image \(5, 10, 10\)"):
        refuse_other_grid(Grid((4, 10, 10), np.eye(4)), image)
    moved = np.eye(4)
    moved[2, 3] = 0.5
    with pytest.raises(InputError, match=r"0\.50 mm away"):
        refuse_other_grid(Grid((5, 10, 10), moved), image)
