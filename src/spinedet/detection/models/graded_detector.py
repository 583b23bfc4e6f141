"""The graded detector: it proposes structures, then says of each whether it holds a lesion, and how it is graded."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor, nn
from typing_extensions import Self

from spinedet.detection.batch import Batch, Detections, Structures, Targets
from spinedet.detection.boxes import distinct, limits
from spinedet.detection.models.base import ModelCard
from spinedet.detection.models.disc_grader import DiscGrader, Places, ordered
from spinedet.detection.models.two_stage_detr import TwoStageDetr
from spinedet.detection.settings import GradedConfig

# Scores of proposals by which they may be structures, are numbered as such, and surely are structures: a structure's
# score is the IoU of its box, about .85 in nineteen of twenty, of S1/S2, half discs and duplicates mostly below .6.
LEAST, CERTAIN, SURE = 0.2, 0.5, 0.7
# How fast the probability of a structure falls below `SURE`.
_FALL = 3.0
# IoU above which two structures are one.
_SAME = 0.3


class GradedDetector(TwoStageDetr):
    """Set prediction of structures, and a `DiscGrader` that reads the image at each of them.

    "Is it a structure" and "does it hold a lesion" are learned apart: a score is the product of both probabilities, so
    that a threshold means the same wherever structures are found equally well.
    """

    config: GradedConfig

    def __init__(self, config: GradedConfig, card: ModelCard) -> None:
        super().__init__(config, replace(card, categories=("structure",)))
        self.card = card
        graders = [DiscGrader(config.grader, card) for _ in range(config.grader.members)]
        self.members, self.graders = tuple(graders), nn.ModuleList(graders)
        self.kept = (self.dense, self.decoder) if config.learn == "grader" else ()
        for part in self.kept:
            part.requires_grad_(False)

    def train(self, mode: bool = True) -> Self:
        """Training mode, but for what does not learn."""
        super().train(mode)
        for part in self.kept:
            part.eval()
        return self

    def losses(self, batch: Batch) -> dict[str, Tensor]:
        """The detector's terms for structures, and the graders' on the reference boxes."""
        structures = [_of(targets) for targets in batch.targets]
        wanted = replace(batch, targets=tuple(_as_targets(each) for each in structures))
        found = {} if self.kept else super().losses(wanted)
        depths = batch.depths or (batch.images.shape[2],) * len(batch.images)
        ends = [depth * self.card.spacing[0] for depth in depths]
        seen = [_within(each.boxes, end) for each, end in zip(structures, ends, strict=True)]
        places = ordered(seen, self.card.caudal)
        own = torch.tensor(depths, device=batch.images.device)
        terms = [_terms(grader, batch.images, places, own, structures) for grader in self.members]
        return found | {name: torch.stack([each[name] for each in terms]).sum() for name in terms[0]}

    @torch.no_grad()
    def detect(self, images: Tensor) -> list[Detections]:
        """Structures that hold a lesion with its probability, graded."""
        found = super().detect(images)
        return [self._graded(image[None], each) for image, each in zip(images, found, strict=True)]

    def _graded(self, image: Tensor, found: Detections) -> Detections:
        single = distinct(found.boxes, found.scores[:, 0], _SAME, len(found.boxes))
        found = found.select(single.row[~single.filler])
        kept = found.select(found.scores[:, 0] >= LEAST)
        if not len(kept.boxes):
            empty = found.scores.new_empty(0, len(self.card.categories))
            return replace(kept, scores=empty, grades=found.scores.new_empty(0, len(self.card.grades)))
        places = ordered([kept.boxes], self.card.caudal, [kept.scores[:, 0] >= CERTAIN])
        own = torch.tensor([image.shape[2]], device=image.device)
        told = [grader.graded(grader(image, places, own)[0]) for grader in self.members]
        lesion, grades = (torch.stack(part).mean(0) for part in zip(*told, strict=True))
        ranked = kept.select(places.rows[0])
        structure = (ranked.scores / SURE).clamp(max=1) ** _FALL
        return replace(ranked, scores=lesion * structure, grades=grades)


def _terms(
    grader: DiscGrader, images: Tensor, places: Places, depths: Tensor, structures: list[Structures]
) -> dict[str, Tensor]:
    if not places.valid.any():
        return grader.no_losses()
    return grader.losses(grader(images, places, depths), places, structures)


def _of(targets: Targets) -> Structures:
    assert targets.structures is not None  # noqa: S101  # a scan always tells them
    return targets.structures


def _within(boxes: Tensor, end: float) -> Tensor:
    """Boxes as far as they lie in the image's own slices."""
    low, high = limits(boxes)
    high = torch.cat([high[:, :1].clamp_max(end), high[:, 1:]], dim=1)
    return torch.cat([(low + high) / 2, high - low], dim=1)


def _as_targets(structures: Structures) -> Targets:
    labels = torch.zeros(len(structures.boxes), dtype=torch.long, device=structures.boxes.device)
    return Targets(structures.boxes, labels, structures.ignore)
