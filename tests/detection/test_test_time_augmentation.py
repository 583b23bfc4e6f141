"""Prediction by several networks and of the mirror image, with a detector that marks bright voxels."""

from __future__ import annotations

import pytest
import torch

from spinedet.detection.test_time_augmentation import TestTimeAugmentation, detect_augmented
from spinedet.imaging.planes import AXIAL, SAGITTAL
from tests.detection.tiny import Bright


@pytest.mark.parametrize("spec", [SAGITTAL, AXIAL])
def test_the_mirror_image_shows_the_same_place(spec: object) -> None:
    image = torch.zeros(1, 1, 9, 30, 40)
    image[0, 0, 2, 4, 7] = 0.8
    (found,) = detect_augmented([Bright()], image, spec, TestTimeAugmentation(flip=True))  # type: ignore[arg-type]  # either is a PlaneSpec
    assert found.scores.flatten().tolist() == pytest.approx([0.8])
    assert found.boxes[0, :3].tolist() == pytest.approx([10, 7.2, 12])


def test_nothing_seen_twice_is_nothing() -> None:
    image, twice = torch.zeros(1, 1, 4, 8, 8), TestTimeAugmentation(flip=True)
    (found,) = detect_augmented([Bright(), Bright()], image, SAGITTAL, twice)
    assert len(found.boxes) == 0


def test_a_single_prediction_stays_as_it_is() -> None:
    image = torch.zeros(1, 1, 9, 30, 40)
    image[0, 0, 2, 4, 7], image[0, 0, 2, 4, 8] = 0.8, 0.6  # overlapping boxes, which fusion would average
    (found,) = detect_augmented([Bright()], image, SAGITTAL, TestTimeAugmentation())
    assert found.scores.flatten().tolist() == pytest.approx([0.8, 0.6])


def test_each_network_sees_the_image_and_its_mirror_image() -> None:
    networks = [Bright(), Bright()]
    image = torch.zeros(1, 1, 9, 30, 40)
    image[0, 0, 1, 4, 7] = 0.8
    (found,) = detect_augmented(networks, image, SAGITTAL, TestTimeAugmentation(flip=True))
    assert [len(network.seen) for network in networks] == [2, 2]
    assert found.scores.flatten().tolist() == pytest.approx([0.8])  # the mean of four
