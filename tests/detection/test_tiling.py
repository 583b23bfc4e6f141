"""Long volumes are predicted in overlapping tiles, with a detector that marks bright voxels."""

from __future__ import annotations

import pytest
import torch

from spinedet.detection.test_time_augmentation import TestTimeAugmentation, detect_augmented
from spinedet.imaging.planes import SAGITTAL
from tests.detection.tiny import Bright


def test_a_long_volume_is_read_in_tiles_and_every_lesion_found_once() -> None:
    image = torch.zeros(1, 1, 10, 411, 100)
    rows = [3, 79, 80, 120, 159, 160, 205, 300, 303, 408]
    for row in rows:
        image[0, 0, 5, row, 50] = 0.5 + row / 1000
    network = Bright()
    (found,) = detect_augmented([network], image, SAGITTAL, TestTimeAugmentation())
    assert len(network.seen) == 5
    assert set(network.seen) == {(10, 160, 100)}
    wanted = torch.tensor([(row + 0.5) * 1.6 for row in rows if row not in (79, 159, 300)])
    # Of neighbours that overlap by more than a fifth, the surer one stays.
    assert found.boxes[:, 1].sort().values.tolist() == pytest.approx(wanted.tolist())


def test_a_usual_volume_is_read_as_a_whole() -> None:
    network = Bright()
    detect_augmented([network], torch.zeros(1, 1, 10, 250, 200), SAGITTAL, TestTimeAugmentation())
    assert network.seen == [(10, 250, 200)]
