"""The graded detector: it proposes structures, then classifies each as lesion or sound, and grades it."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from typing_extensions import Self

from spinedet.detection.batch import Batch, Detections, Structures, Targets
from spinedet.detection.boxes import distinct, iou, limits
from spinedet.detection.models.base import ModelCard
from spinedet.detection.models.disc_grader import DiscGrader, Places, ordered
from spinedet.detection.models.two_stage_detr import TwoStageDetr
from spinedet.detection.settings import GradedConfig

# Scores of proposals by which they may be structures, are numbered as such, and surely are structures. A structure's
# score is the IoU of its box: about .85, but down to .2 where a disc has collapsed; that of S1/S2 reaches .6.
LEAST, CERTAIN, SURE = 0.2, 0.3, 0.5
# Proposals that hit no structure teach the graders as well: so many, from this score, if their IoU is below that.
_MOST_DECOYS, _LEAST_DECOY, _BESIDE = 6, 0.05, 0.05
# How fast the probability of a structure falls below `SURE`.
FALL = 3.0
# IoU above which two structures are one.
SAME = 0.3


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
        """The detector's terms for structures, and the graders' on the reference boxes and on proposals beside them.

        Proposals that are no structure are examples without a lesion: where the grader reads at them later, it must
        not answer at random.
        """
        structures = [_of(targets) for targets in batch.targets]
        found: dict[str, Tensor] = {}
        if self.kept:
            proposed = super().detect(batch.images)
        else:
            wanted = replace(batch, targets=tuple(_as_targets(each) for each in structures))
            found, proposed = super().losses_and_boxes(wanted)
        depths = batch.depths or (batch.images.shape[2],) * len(batch.images)
        ends = [depth * self.card.spacing[0] for depth in depths]
        examples = [
            grading_examples(*scan, caudal=self.card.caudal) for scan in zip(structures, proposed, ends, strict=True)
        ]
        places = ordered([each.boxes for each in examples], self.card.caudal, [each.certain for each in examples])
        own, known = torch.tensor(depths, device=batch.images.device), [each.known for each in examples]
        terms = [_terms(grader, batch.images, places, own, known) for grader in self.members]
        return found | {name: torch.stack([each[name] for each in terms]).sum() for name in terms[0]}

    @torch.no_grad()
    def detect(self, images: Tensor) -> list[Detections]:
        """Structures that hold a lesion with its probability, graded."""
        found = super().detect(images)
        return [self._graded(image[None], each) for image, each in zip(images, found, strict=True)]

    def _graded(self, image: Tensor, found: Detections) -> Detections:
        single = distinct(found.boxes, found.scores[:, 0], SAME, len(found.boxes))
        found = found.select(single.row[~single.filler])
        kept = found.select(found.scores[:, 0] >= LEAST)
        if not len(kept.boxes):
            empty = found.scores.new_empty(0, len(self.card.categories))
            return replace(kept, scores=empty, grades=found.scores.new_empty(0, len(self.card.grades)))
        places = ordered([kept.boxes], self.card.caudal, [kept.scores[:, 0] >= CERTAIN])
        own = torch.tensor([image.shape[2]], device=image.device)
        predicted = [grader.graded(grader.over_views(image, places, own)[0]) for grader in self.members]
        lesion, grades = (torch.stack(part).mean(0) for part in zip(*predicted, strict=True))
        ranked = kept.select(places.rows[0])
        structure = (ranked.scores / SURE).clamp(max=1) ** FALL
        return replace(ranked, scores=lesion * structure, grades=grades)


def _terms(
    grader: DiscGrader, images: Tensor, places: Places, depths: Tensor, structures: list[Structures]
) -> dict[str, Tensor]:
    if not places.valid.any():
        return grader.no_losses()
    return grader.losses(grader(images, places, depths), places, structures)


def _of(targets: Targets) -> Structures:
    assert targets.structures is not None  # noqa: S101  # every scan has them
    return targets.structures


class Examples(NamedTuple):
    """What graders learn from in one scan: boxes (n, 6) mm within its slices, what is `known` of each, and which are
    `certain` (n,) bool, as in `Places`.
    """

    boxes: Tensor
    known: Structures
    certain: Tensor


def grading_examples(structures: Structures, proposed: Detections, end: float, *, caudal: tuple[int, int]) -> Examples:
    """The structures of a scan, then proposals that hit none of them and so hold no lesion.

    Proposals above the highest structure are left out: references seldom go up to the border of the image.

    Args:
        end: of the scan's own slices, mm. caudal: as in `ModelCard`.
    """
    axis, sense = caudal
    boxes, scores = proposed.boxes, proposed.scores[:, 0]
    free = scores >= _LEAST_DECOY
    if len(structures.boxes):
        free &= (iou(boxes[:, None], structures.boxes[None]) < _BESIDE).all(1)
        free &= sense * boxes[:, axis] > (sense * structures.boxes[:, axis]).min()
    rows = free.nonzero()[:, 0]
    chosen = distinct(boxes[rows], scores[rows], SAME, _MOST_DECOYS)
    rows = rows[chosen.row[~chosen.filler]]
    known = Structures(
        torch.cat([structures.boxes, boxes[rows]]),
        torch.cat([structures.lesion, structures.lesion.new_zeros(len(rows), structures.lesion.shape[1])]),
        F.pad(structures.ignore, (0, len(rows))),
        F.pad(structures.grades, (0, 0, 0, len(rows)), value=torch.nan),
    )
    certain = torch.cat([torch.ones_like(structures.ignore), scores[rows] >= CERTAIN])
    return Examples(_within(known.boxes, end), known, certain)


def _within(boxes: Tensor, end: float) -> Tensor:
    """Boxes as far as they lie in the image's own slices."""
    low, high = limits(boxes)
    high = torch.cat([high[:, :1].clamp_max(end), high[:, 1:]], dim=1)
    return torch.cat([(low + high) / 2, high - low], dim=1)


def _as_targets(structures: Structures) -> Targets:
    labels = torch.zeros(len(structures.boxes), dtype=torch.long, device=structures.boxes.device)
    return Targets(structures.boxes, labels, structures.ignore)
