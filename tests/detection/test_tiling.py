"""Looking in tiles, from both sides, and together, with a detector that marks bright voxels."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from spinedet.core.anatomy import Plane, Region
from spinedet.core.errors import InputError
from spinedet.detection.batch import Batch, Detections
from spinedet.detection.box_fusion import weighted_box_fusion
from spinedet.detection.inference import as_ensemble
from spinedet.detection.model_files import Model, PlaneDetector
from spinedet.detection.models import CONFIGS, Detector, ModelCard
from spinedet.detection.test_time_augmentation import TestTimeAugmentation, detect_augmented
from spinedet.imaging.planes import AXIAL, SAGITTAL

CARD = ModelCard(("degeneration",), SAGITTAL.spacing, (40.0, 12.0, 35.0))


class Bright(Detector):
    """Says that every voxel above 0 is the middle of a lesion, as surely as it is bright."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[tuple[int, ...]] = []

    def losses(self, batch: Batch) -> dict[str, Tensor]:
        raise NotImplementedError

    def detect(self, images: Tensor) -> list[Detections]:
        self.seen.append(tuple(images.shape[2:]))
        places = images[0, 0].nonzero()
        spacing = torch.tensor(SAGITTAL.spacing)
        boxes = torch.cat([(places + 0.5) * spacing, torch.tensor([[20.0, 10, 20]]).expand(len(places), -1)], dim=1)
        return [Detections(boxes, images[0, 0][tuple(places.T)][:, None])]


def test_a_long_volume_is_read_in_tiles_and_every_lesion_found_once() -> None:
    image = torch.zeros(1, 1, 10, 411, 100)
    rows = [3, 79, 80, 120, 159, 160, 205, 300, 303, 408]
    for row in rows:
        image[0, 0, 5, row, 50] = 0.5 + row / 1000
    network = Bright()
    found = detect_augmented([network], image, SAGITTAL, TestTimeAugmentation())
    assert len(network.seen) == 5
    assert set(network.seen) == {(10, 160, 100)}
    wanted = torch.tensor([(row + 0.5) * 1.6 for row in rows if row not in (79, 159, 300)])
    # Of neighbours that overlap by more than a fifth, the surer one stays.
    assert found.boxes[:, 1].sort().values.tolist() == pytest.approx(wanted.tolist())


def test_a_usual_volume_is_read_as_a_whole() -> None:
    network = Bright()
    detect_augmented([network], torch.zeros(1, 1, 10, 250, 200), SAGITTAL, TestTimeAugmentation())
    assert network.seen == [(10, 250, 200)]


@pytest.mark.parametrize("spec", [SAGITTAL, AXIAL])
def test_the_mirror_image_shows_the_same_place(spec: object) -> None:
    image = torch.zeros(1, 1, 9, 30, 40)
    image[0, 0, 2, 4, 7] = 0.8
    found = detect_augmented([Bright()], image, spec, TestTimeAugmentation(flip=True))  # type: ignore[arg-type]  # either is a PlaneSpec
    assert found.scores.flatten().tolist() == pytest.approx([0.8])
    assert found.boxes[0, :3].tolist() == pytest.approx([10, 7.2, 12])


def test_a_score_is_the_mean_over_all_looks() -> None:
    box, apart = torch.tensor([[10.0, 10, 10, 8, 8, 8]]), torch.tensor([[90.0, 10, 10, 8, 8, 8]])
    first = Detections(torch.cat([box, apart]), torch.tensor([[0.9], [0.4]]))
    second = Detections(box + torch.tensor([[1.0, 0, 0, 0, 0, 0]]), torch.tensor([[0.3]]))
    both = weighted_box_fusion([first, second])
    assert both.scores.flatten().tolist() == pytest.approx([0.6, 0.2])
    assert both.boxes[0].tolist() == pytest.approx([10.25, 10, 10, 8, 8, 8])  # 0.9 x 10 + 0.3 x 11, over 1.2


def test_the_best_box_of_a_place_counts_and_not_the_one_that_fits_best() -> None:
    box = torch.tensor([[10.0, 10, 10, 8, 8, 8]])
    # The second look has dismissed a box that lies exactly there, and settled on one that lies 1 mm beside it.
    second = Detections(torch.cat([box, box + torch.tensor([[1.0, 0, 0, 0, 0, 0]])]), torch.tensor([[0.02], [0.7]]))
    both = weighted_box_fusion([Detections(box, torch.tensor([[0.9]])), second])
    assert both.scores.flatten().tolist() == pytest.approx([0.8, 0.01])


def test_nothing_seen_twice_is_nothing() -> None:
    assert (
        len(
            detect_augmented(
                [Bright(), Bright()], torch.zeros(1, 1, 4, 8, 8), SAGITTAL, TestTimeAugmentation(flip=True)
            ).boxes
        )
        == 0
    )


def test_models_answer_together_only_when_they_fit() -> None:
    part = PlaneDetector(CONFIGS["dense"](), CARD, Bright())
    model = Model("one", Region.LUMBAR, {Plane.SAGITTAL: part})
    assert len(as_ensemble([model, model, model]).detectors[Plane.SAGITTAL].others) == 2
    other = replace(part, card=replace(CARD, spacing=(4.0, 2.0, 2.0)))
    with pytest.raises(InputError, match="same planes, categories and working spacing"):
        as_ensemble([model, replace(model, detectors={Plane.SAGITTAL: other})])
