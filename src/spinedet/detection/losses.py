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
    """Predictions for one scan: `boxes` (q, 6) mm, `logits` (q, categories), and where grades are learned `severity`
    (q, grades), the logits of being above each grade.
    """

    boxes: Tensor
    logits: Tensor
    severity: Tensor | None = None


@dataclass(frozen=True, slots=True)
class MatchedPredictions:
    """One scan's predictions, its lesions, and which of the former answers for which of the latter."""

    prediction: Prediction
    targets: Targets
    match: Match


def match_decoder_layers(
    boxes: Tensor, logits: Tensor, targets: Sequence[Targets]
) -> dict[str, list[MatchedPredictions]]:
    """What each decoder layer says of each scan, one prediction answering for each lesion.

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
    answers: Mapping[str, Sequence[MatchedPredictions]], least_quality: float = LEAST_QUALITY
) -> dict[str, Tensor]:
    """Class, L1 and GIoU terms of each part, `part/term`, per matched prediction; weights are applied.

    A part that grades has a term `severity` too, see `severity_term`.

    All parts (layers, kinds of queries) and scans are worked out in one go: what takes time is not the arithmetic but
    the number of small operations. A scan without lesions still teaches: its class term pushes every prediction down.

    Args:
        answers: of each part, one for each scan of the batch.
        least_quality: a positive is asked for a score of its box's IoU, but for no less than this; with 1, for 1.
    """
    summed = _terms(list(answers.values()), least_quality)
    losses: dict[str, Tensor] = {}
    for (name, part), terms in zip(answers.items(), summed, strict=True):
        matched = mean_over_processes(_matched(part))  # sharing a batch out must not change a weight
        total = terms / max(matched, 1 / world_size())
        losses |= {f"{name}/{term}": value for term, value in zip(TERMS, total, strict=True)}
        if part[0].prediction.severity is not None:
            losses[f"{name}/severity"] = severity_term(part)
    return losses


def severity_term(part: Sequence[MatchedPredictions]) -> Tensor:
    """Cross-entropy of being above each grade, a mean over the matched predictions whose lesion's grade is known.

    A grade between two whole ones asks for its share of the chance in between; one beyond the highest is the highest.
    """
    said = [a.prediction.severity[a.match.prediction] for a in part if a.prediction.severity is not None]
    logits, grade = torch.cat(said), torch.cat([a.targets.certain.severity[a.match.target] for a in part])
    known = ~grade.isnan()
    above = (grade.nan_to_num()[:, None] - torch.arange(logits.shape[1], device=grade.device)).clamp(0, 1)
    terms = F.binary_cross_entropy_with_logits(logits, above, reduction="none").sum(1)
    count = mean_over_processes(int(known.sum()))
    return WEIGHT_SEVERITY * (terms * known).sum() / max(count, 1 / world_size())


def _matched(part: Sequence[MatchedPredictions]) -> int:
    return sum(len(answer.match.target) for answer in part)


def _terms(parts: Sequence[Sequence[MatchedPredictions]], least_quality: float) -> Tensor:
    """Class, L1 and GIoU terms of each part, (parts, 3), summed over its predictions."""
    answers = [answer for part in parts for answer in part]
    boxes = torch.cat([a.prediction.boxes[a.match.prediction] for a in answers]).float()
    wanted = torch.cat([a.targets.certain.boxes[a.match.target] for a in answers])
    quality = iou(boxes.detach(), wanted).clamp_min(least_quality)
    doubt = torch.split(_doubt(answers, quality), [sum(len(a.prediction.logits) for a in part) for part in parts])
    relative = (boxes - wanted) / wanted[:, 3:].repeat(1, 2)
    distance = F.smooth_l1_loss(relative, torch.zeros_like(relative), beta=0.1, reduction="none").sum(1)
    apart = torch.stack([WEIGHT_L1 * distance, WEIGHT_GIOU * (1 - giou(boxes, wanted))], dim=1)
    placed = torch.split(apart, [_matched(part) for part in parts])
    return torch.stack([torch.cat([d.sum()[None], p.sum(0)]) for d, p in zip(doubt, placed, strict=True)])


def _doubt(answers: Sequence[MatchedPredictions], quality: Tensor) -> Tensor:
    """The class term of each prediction, (predictions,); `quality` is asked of those that are matched, in order."""
    logits = torch.cat([a.prediction.logits for a in answers]).float()
    truth, counted = torch.zeros_like(logits), torch.ones_like(logits[:, 0])
    rows, labels, first = [], [], 0
    for answer in answers:
        rows.append(answer.match.prediction + first)
        labels.append(answer.targets.certain.labels[answer.match.target])
        end = first + len(answer.prediction.logits)
        if answer.targets.ignore.any():
            counted[first:end] -= _excused(answer).float()
        first = end
    truth[torch.cat(rows), torch.cat(labels)] = quality
    return WEIGHT_CLASS * counted * varifocal(logits, truth).sum(1)


def varifocal(logits: Tensor, truth: Tensor) -> Tensor:
    """Varifocal loss per element: positives weigh their IoU, negatives their score (Zhang et al., CVPR 2021)."""
    weight = torch.where(truth > 0, truth, FOCAL_ALPHA * logits.detach().sigmoid() ** FOCAL_GAMMA)
    return weight * F.binary_cross_entropy_with_logits(logits, truth, reduction="none")


def _excused(answer: MatchedPredictions) -> Tensor:
    """Unmatched predictions whose centre lies in an ignored lesion: neither right nor wrong, (q,) bool."""
    ignored = answer.targets.boxes[answer.targets.ignore]
    away = (answer.prediction.boxes.detach()[:, None, :3] - ignored[None, :, :3]).abs() / (ignored[None, :, 3:] / 2)
    excused = (away.amax(-1) <= 1).any(1)
    excused[answer.match.prediction] = False
    return excused
