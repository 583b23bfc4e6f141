"""The graded detector: it proposes structures, then says of each whether it holds a lesion, and how it is graded."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from spinedet.detection.batch import Batch, Detections, Structures, Targets
from spinedet.detection.models.base import Card
from spinedet.detection.models.disc_grader import DiscGrader, ordered
from spinedet.detection.models.two_stage_detr import SetDetector
from spinedet.detection.settings import GradedConfig

# Proposals that are hardly structures are not graded, and take no place in the order of the spine.
LEAST_STRUCTURE = 0.3


class GradedDetector(SetDetector):
    """Set prediction of structures, and a `DiscGrader` that reads the image at each of them.

    "Is it a structure" and "does it hold a lesion" are learned apart: a score is the product of both probabilities, so
    that a threshold means the same wherever structures are found equally well.
    """

    config: GradedConfig

    def __init__(self, config: GradedConfig, card: Card) -> None:
        super().__init__(config, replace(card, categories=("structure",)))
        self.card = card
        self.grader = DiscGrader(config.grader, card)

    def losses(self, batch: Batch) -> dict[str, Tensor]:
        """The detector's terms for structures, and the grader's on the reference boxes."""
        structures = [_of(targets) for targets in batch.targets]
        found = super().losses(replace(batch, targets=tuple(_as_targets(each) for each in structures)))
        places = ordered([each.boxes for each in structures], self.card.caudal)
        if not places.valid.any():
            return found | self.grader.no_losses()
        depths = batch.depths or (batch.images.shape[2],) * len(batch.images)
        logits = self.grader(batch.images, places, torch.tensor(depths, device=batch.images.device))
        return found | self.grader.losses(logits, places, structures)

    @torch.no_grad()
    def detect(self, images: Tensor) -> list[Detections]:
        """Structures that hold a lesion with its probability, graded."""
        found = super().detect(images)
        return [self._graded(image[None], each) for image, each in zip(images, found, strict=True)]

    def _graded(self, image: Tensor, found: Detections) -> Detections:
        structure = found.scores[:, 0]
        kept = found.some(structure >= LEAST_STRUCTURE)
        if not len(kept.boxes):
            empty = found.scores.new_empty(0, len(self.card.categories))
            return replace(kept, scores=empty, grades=found.scores.new_empty(0, len(self.card.grades)))
        places = ordered([kept.boxes], self.card.caudal)
        logits = self.grader(image, places, torch.tensor([image.shape[2]], device=image.device))[0]
        lesion, grades = self.grader.graded(logits)
        ranked = kept.some(places.rows[0])
        return replace(ranked, scores=lesion * ranked.scores, grades=grades)


def _of(targets: Targets) -> Structures:
    assert targets.structures is not None  # noqa: S101  # a scan always tells them
    return targets.structures


def _as_targets(structures: Structures) -> Targets:
    labels = torch.zeros(len(structures.boxes), dtype=torch.long, device=structures.boxes.device)
    return Targets(structures.boxes, labels, structures.ignore)
