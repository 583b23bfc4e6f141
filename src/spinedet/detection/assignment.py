"""Assignment of predictions to lesions: one-to-one for the decoder, one-to-many for the dense stage."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from spinedet.detection.batch import Targets
from spinedet.detection.boxes import giou

COST_CLASS, COST_L1, COST_GIOU = 2.0, 1.0, 2.0


@dataclass(frozen=True, slots=True)
class Match:
    """Indices of predictions and of the lesions that they are matched to, two (m,) int64 tensors."""

    prediction: Tensor
    target: Tensor


@torch.no_grad()
def hungarian(boxes: Tensor, logits: Tensor, targets: Targets) -> list[Match]:
    """The one-to-one assignment of least cost of each layer (Carion et al., ECCV 2020, with a focal class cost).

    Args:
        boxes: (layers, q, 6) mm. logits: (layers, q, categories). targets: n certain lesions; n may be 0.
    """
    from scipy.optimize import linear_sum_assignment  # for training alone, and slow to load

    device = boxes.device
    if not len(targets.boxes):
        return [Match(*(torch.empty(0, dtype=torch.long, device=device) for _ in range(2))) for _ in boxes]
    probability = logits.float().sigmoid()[..., targets.labels]
    cost_class = (
        0.25 * (1 - probability) ** 2 * -(probability + 1e-8).log()
        - 0.75 * probability**2 * -(1 - probability + 1e-8).log()
    )
    distance = (boxes[..., None, :] - targets.boxes) / targets.boxes[:, 3:].repeat(1, 2)
    overlap = giou(boxes[..., None, :], targets.boxes)
    cost = COST_CLASS * cost_class + COST_L1 * distance.abs().mean(-1) - COST_GIOU * overlap
    pairs = [linear_sum_assignment(layer) for layer in cost.nan_to_num(1e4, 1e4, -1e4).cpu().numpy()]
    return [Match(*(torch.as_tensor(side, device=device) for side in pair)) for pair in pairs]


@torch.no_grad()
def nearest_tokens(positions: Tensor, targets: Targets, count: int) -> Match:
    """One-to-many: the `count` tokens nearest to each lesion, distance measured in units of the lesion's size.

    A token near two lesions is assigned to the nearer one. Only tokens inside the lesion are assigned to it, and the
    nearest one in any case.

    Args:
        positions: (t, 3) mm. targets: n certain lesions; n may be 0.
    """
    device = positions.device
    if not len(targets.boxes):
        return Match(*(torch.empty(0, dtype=torch.long, device=device) for _ in range(2)))
    away = (positions[:, None] - targets.boxes[None, :, :3]).abs() / (targets.boxes[None, :, 3:] / 2)
    distance = away.square().sum(-1)
    near = distance.topk(min(count, len(positions)), dim=0, largest=False)
    chosen = torch.zeros_like(distance, dtype=torch.bool).scatter_(0, near.indices, True)
    inside = away.amax(-1) <= 1
    best = torch.zeros_like(chosen).scatter_(0, near.indices[:1], True)
    claimed = distance.masked_fill(~(chosen & inside | best), torch.inf)
    nearest, owner = claimed.min(dim=1)
    token = nearest.isfinite().nonzero().flatten()
    return Match(token, owner[token])
