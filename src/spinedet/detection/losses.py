"""Loss terms on boxes in mm and category logits, each a mean per matched lesion."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from spinedet.detection.batch import Targets
from spinedet.detection.boxes import giou, iou
from spinedet.detection.matcher import Match
from spinedet.detection.parallel import mean_over_processes, world_size

WEIGHT_CLASS, WEIGHT_L1, WEIGHT_GIOU = 1.0, 0.4, 2.0
FOCAL_ALPHA, FOCAL_GAMMA = 0.75, 2.0
TERMS = ("class", "l1", "giou")
# A positive's class target is its box's IoU, but not less than this, so that a first bad box still says "here".
LEAST_QUALITY = 0.2


@dataclass(frozen=True, slots=True)
class Prediction:
    """Predictions for one scan: `boxes` (q, 6) mm and `logits` (q, categories)."""

    boxes: Tensor
    logits: Tensor


def batch_loss(
    name: str,
    predictions: Sequence[Prediction],
    targets: Sequence[Targets],
    matches: Sequence[Match],
    least_quality: float = LEAST_QUALITY,
) -> dict[str, Tensor]:
    """The batch's terms per matched prediction, under their names."""
    scans = zip(predictions, targets, matches, strict=True)
    summed = torch.stack([set_loss(*scan, least_quality) for scan in scans]).sum(0)
    matched = mean_over_processes(sum(len(m.target) for m in matches))  # sharing a batch out must not change a weight
    total = summed / max(matched, 1 / world_size())
    return {f"{name}/{term}": value for term, value in zip(TERMS, total, strict=True)}


def set_loss(prediction: Prediction, targets: Targets, match: Match, least_quality: float = LEAST_QUALITY) -> Tensor:
    """Class, L1 and GIoU terms of one scan, (3,), summed over its predictions; weights are applied.

    A scan without lesions still teaches: its class term pushes every prediction down.

    Args:
        least_quality: a positive is asked for a score of its box's IoU, but for no less than this; with 1, for 1.
    """
    certain = targets.certain
    boxes, wanted = prediction.boxes[match.prediction].float(), certain.boxes[match.target]
    quality = iou(boxes.detach(), wanted).clamp_min(least_quality)
    truth = torch.zeros_like(prediction.logits, dtype=torch.float32)
    truth[match.prediction, certain.labels[match.target]] = quality
    counted = ~_excused(prediction.boxes.detach(), targets, match)
    focal = varifocal(prediction.logits.float(), truth) * counted[:, None]
    relative = (boxes - wanted) / wanted[:, 3:].repeat(1, 2)
    return torch.stack(
        [
            WEIGHT_CLASS * focal.sum(),
            WEIGHT_L1 * F.smooth_l1_loss(relative, torch.zeros_like(relative), beta=0.1, reduction="sum"),
            WEIGHT_GIOU * (1 - giou(boxes, wanted)).sum(),
        ]
    )


def varifocal(logits: Tensor, truth: Tensor) -> Tensor:
    """Varifocal loss per element: positives weigh their IoU, negatives their score (Zhang et al., CVPR 2021)."""
    weight = torch.where(truth > 0, truth, FOCAL_ALPHA * logits.detach().sigmoid() ** FOCAL_GAMMA)
    return weight * F.binary_cross_entropy_with_logits(logits, truth, reduction="none")


def _excused(boxes: Tensor, targets: Targets, match: Match) -> Tensor:
    """Unmatched predictions whose centre lies in an ignored lesion: neither right nor wrong, (q,) bool."""
    ignored = targets.boxes[targets.ignore]
    away = (boxes[:, None, :3] - ignored[None, :, :3]).abs() / (ignored[None, :, 3:] / 2)
    excused = (away.amax(-1) <= 1).any(1)
    excused[match.prediction] = False
    return excused
