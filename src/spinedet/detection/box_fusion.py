"""Weighted box fusion of several predictions for one volume."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from spinedet.detection.batch import Detections, concatenate
from spinedet.detection.boxes import iou

# Boxes of several predictions that overlap more than this are one finding.
SAME = 0.5


def weighted_box_fusion(predictions: Sequence[Detections]) -> Detections:
    """Boxes that overlap are averaged by score (Solovyev et al., Image and Vision Computing 2021).

    A score is the mean over all predictions, so that a box which only some of them hold counts less.
    """
    pooled = concatenate(predictions)
    boxes, scores = pooled.boxes, pooled.scores
    source = torch.cat([torch.full((len(one.boxes),), row) for row, one in enumerate(predictions)])
    best, free = scores.amax(-1), torch.ones(len(boxes), dtype=torch.bool)
    fused: list[Detections] = []
    for first in best.argsort(descending=True).tolist():
        if free[first]:
            same = free & (iou(boxes[first], boxes) > SAME)
            members = _group(first, best.masked_fill(~same, -1), source)
            free[members] = False
            weight = best[members, None].clamp_min(1e-6)
            box = (boxes[members] * weight).sum(0) / weight.sum()
            severity, grades = (
                None if part is None else _weighted_mean(part[members], weight)
                for part in (pooled.severity, pooled.grades)
            )
            fused.append(Detections(box[None], (scores[members].sum(0) / len(predictions))[None], severity, grades))
    return concatenate(fused) if fused else predictions[0]


def _weighted_mean(values: Tensor, weight: Tensor) -> Tensor:
    """The mean (1, ...) of the finite rows of (n, ...), by weight (n, 1); NaN where there is none."""
    weight = weight.view(-1, *[1] * (values.ndim - 1)) * ~values.isnan()
    return ((values.nan_to_num() * weight).sum(0) / weight.sum(0))[None]


def _group(first: int, candidates: Tensor, source: Tensor) -> list[int]:
    """The box itself, with the best one of each other prediction.

    Not the one that fits best: a network may have a second box of low score on the same disc that fits better.

    Args:
        candidates: scores of the boxes at the same place, below 0 elsewhere.
        source: which prediction each box belongs to.
    """
    members = [first]
    for other in source.unique().tolist():  # type: ignore[no-untyped-call]  # torch leaves `unique` without types
        theirs = candidates.masked_fill(source != other, -1)
        if other != source[first] and theirs.max() >= 0:
            members.append(int(theirs.argmax()))
    return members
