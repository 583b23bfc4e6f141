"""Loss terms on boxes in mm and category logits, each a mean per matched lesion."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from spinedet.detection.assignment import Match, hungarian
from spinedet.detection.batch import Targets
from spinedet.detection.boxes import giou, iou
from spinedet.detection.settings import LEAST_QUALITY
from spinedet.training.distributed import mean_over_processes, world_size

WEIGHT_CLASS, WEIGHT_L1, WEIGHT_GIOU, WEIGHT_SEVERITY = 1.0, 0.4, 2.0, 0.5
FOCAL_ALPHA, FOCAL_GAMMA = 0.75, 2.0
TERMS = ("class", "l1", "giou")


@dataclass(frozen=True, slots=True)
class Prediction:
    """Predictions for one scan.

    Attributes:
        boxes: (q, 6) mm. logits: (q, categories).
        severity: (q, grades), logits of being above each grade; None for a model without grades.
    """

    boxes: Tensor
    logits: Tensor
    severity: Tensor | None = None


@dataclass(frozen=True, slots=True)
class MatchedPredictions:
    """One scan's predictions and lesions, and which prediction is matched to which lesion."""

    prediction: Prediction
    targets: Targets
    match: Match


def match_decoder_layers(
    boxes: Tensor, logits: Tensor, targets: Sequence[Targets]
) -> dict[str, list[MatchedPredictions]]:
    """Each decoder layer's predictions for each scan, one of them matched to each lesion.

    Args:
        boxes: (layers, scans, q, 6) mm. logits: (layers, scans, q, categories).
    """
    scans = [hungarian(boxes[:, row], logits[:, row], truth.certain) for row, truth in enumerate(targets)]
    return {
        f"decoder{layer}": [
            MatchedPredictions(Prediction(boxes[layer, row], logits[layer, row]), truth, scans[row][layer])
            for row, truth in enumerate(targets)
        ]
        for layer in range(len(boxes))
    }


def batch_losses(
    matched: Mapping[str, Sequence[MatchedPredictions]], least_quality: float = LEAST_QUALITY
) -> dict[str, Tensor]:
    """Class, L1 and GIoU terms of each part, `part/term`, per matched prediction; weights are applied.

    A part with grades has a term `severity` too, see `severity_term`.

    All parts (layers, kinds of queries) and scans are computed at once, because the number of small operations, not the
    arithmetic, determines the time. A scan without lesions has a class term too, which lowers every score.

    Args:
        matched: for each part, one for each scan of the batch.
        least_quality: a positive's target score is its box's IoU, but at least this; with 1 it is 1.
    """
    summed = _terms(list(matched.values()), least_quality)
    losses: dict[str, Tensor] = {}
    for (name, part), terms in zip(matched.items(), summed, strict=True):
        count = mean_over_processes(_count(part))  # the weights must not depend on how a batch is distributed
        total = terms / max(count, 1 / world_size())
        losses |= {f"{name}/{term}": value for term, value in zip(TERMS, total, strict=True)}
        if part[0].prediction.severity is not None:
            losses[f"{name}/severity"] = severity_term(part)
    return losses


def severity_term(part: Sequence[MatchedPredictions]) -> Tensor:
    """Cross-entropy of being above each grade, a mean over the matched predictions whose lesion's grade is known.

    A grade between two integers sets its fraction as the probability in between; grades are clipped to the highest.
    """
    predicted = [a.prediction.severity[a.match.prediction] for a in part if a.prediction.severity is not None]
    logits, grade = torch.cat(predicted), torch.cat([a.targets.certain.severity[a.match.target] for a in part])
    known = ~grade.isnan()
    above = (grade.nan_to_num()[:, None] - torch.arange(logits.shape[1], device=grade.device)).clamp(0, 1)
    terms = F.binary_cross_entropy_with_logits(logits, above, reduction="none").sum(1)
    count = mean_over_processes(int(known.sum()))
    return WEIGHT_SEVERITY * (terms * known).sum() / max(count, 1 / world_size())


def _count(part: Sequence[MatchedPredictions]) -> int:
    return sum(len(scan.match.target) for scan in part)


def _terms(parts: Sequence[Sequence[MatchedPredictions]], least_quality: float) -> Tensor:
    """Class, L1 and GIoU terms of each part, (parts, 3), summed over its predictions."""
    scans = [scan for part in parts for scan in part]
    boxes = torch.cat([a.prediction.boxes[a.match.prediction] for a in scans]).float()
    reference = torch.cat([a.targets.certain.boxes[a.match.target] for a in scans])
    quality = iou(boxes.detach(), reference).clamp_min(least_quality)
    classes = torch.split(_class_terms(scans, quality), [sum(len(a.prediction.logits) for a in part) for part in parts])
    relative = (boxes - reference) / reference[:, 3:].repeat(1, 2)
    distance = F.smooth_l1_loss(relative, torch.zeros_like(relative), beta=0.1, reduction="none").sum(1)
    terms = torch.stack([WEIGHT_L1 * distance, WEIGHT_GIOU * (1 - giou(boxes, reference))], dim=1)
    placed = torch.split(terms, [_count(part) for part in parts])
    return torch.stack([torch.cat([d.sum()[None], p.sum(0)]) for d, p in zip(classes, placed, strict=True)])


def _class_terms(scans: Sequence[MatchedPredictions], quality: Tensor) -> Tensor:
    """The class term of each prediction, (predictions,); `quality` is the target of the matched ones, in order."""
    logits = torch.cat([a.prediction.logits for a in scans]).float()
    truth, counted = torch.zeros_like(logits), torch.ones_like(logits[:, 0])
    rows, labels, first = [], [], 0
    for scan in scans:
        rows.append(scan.match.prediction + first)
        labels.append(scan.targets.certain.labels[scan.match.target])
        end = first + len(scan.prediction.logits)
        if scan.targets.ignore.any():
            counted[first:end] -= _ignored(scan).float()
        first = end
    truth[torch.cat(rows), torch.cat(labels)] = quality
    return WEIGHT_CLASS * counted * varifocal(logits, truth).sum(1)


def varifocal(logits: Tensor, truth: Tensor) -> Tensor:
    """Varifocal loss per element: positives weigh their IoU, negatives their score (Zhang et al., CVPR 2021)."""
    weight = torch.where(truth > 0, truth, FOCAL_ALPHA * logits.detach().sigmoid() ** FOCAL_GAMMA)
    return weight * F.binary_cross_entropy_with_logits(logits, truth, reduction="none")


def _ignored(matched: MatchedPredictions) -> Tensor:
    """Unmatched predictions whose centre lies in an ignored lesion: neither true nor false positives, (q,) bool."""
    ignored = matched.targets.boxes[matched.targets.ignore]
    offset = (matched.prediction.boxes.detach()[:, None, :3] - ignored[None, :, :3]).abs() / (ignored[None, :, 3:] / 2)
    inside = (offset.amax(-1) <= 1).any(1)
    inside[matched.match.prediction] = False
    return inside
