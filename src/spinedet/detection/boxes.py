"""Boxes as tensors: (..., 6) = centre and full size along slice, row, column of the model grid, float32 mm."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor


def limits(boxes: Tensor) -> tuple[Tensor, Tensor]:
    """Lower and upper limits, two (..., 3) tensors in mm."""
    center, half = boxes[..., :3], boxes[..., 3:] / 2
    return center - half, center + half


def iou(first: Tensor, second: Tensor) -> Tensor:
    """Intersection over union; the leading shapes broadcast (so `a[:, None], b[None]` gives every pair)."""
    shared, union, _ = _overlap(first, second)
    return shared / union.clamp_min(1e-6)


def giou(first: Tensor, second: Tensor) -> Tensor:
    """Generalised IoU in [-1, 1] (Rezatofighi et al., CVPR 2019); the leading shapes broadcast."""
    shared, union, hull = _overlap(first, second)
    union = union.clamp_min(1e-6)
    return shared / union - (hull - union) / hull.clamp_min(1e-6)


def _overlap(first: Tensor, second: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    (low_a, high_a), (low_b, high_b) = limits(first.float()), limits(second.float())
    shared = (torch.minimum(high_a, high_b) - torch.maximum(low_a, low_b)).clamp_min(0).prod(-1)
    hull = (torch.maximum(high_a, high_b) - torch.minimum(low_a, low_b)).prod(-1)
    union = (high_a - low_a).prod(-1) + (high_b - low_b).prod(-1) - shared
    return shared, union, hull


def refine(reference: Tensor, delta: Tensor) -> Tensor:
    """Move and stretch reference boxes by (..., 6) offsets relative to their size; no offset can leave fp range."""
    delta = delta.float()
    center = reference[..., :3] + delta[..., :3] * reference[..., 3:]
    size = reference[..., 3:] * delta[..., 3:].clamp(-3, 3).exp()
    return torch.cat([center, size], dim=-1)


class Distinct(NamedTuple):
    """Boxes chosen by `distinct`: their `row` (count,) int64, and `filler` (count,) bool, where one only fills up."""

    row: Tensor
    filler: Tensor


def compared(count: int) -> int:
    """How many of the best boxes are looked through for so many distinct ones."""
    return max(8 * count, 128)


def distinct(boxes: Tensor, scores: Tensor, overlap: float, count: int) -> Distinct:
    """The best `count` boxes by score, those that overlap a better one pushed behind the rest.

    Greedy non-maximum suppression whose suppressed boxes fill the places that are left: the decoder needs distinct
    queries, but a fixed number of them.

    Args:
        boxes: (n, 6) mm. scores: (n,). overlap: IoU above which two boxes are the same one.
    """
    order = scores.argsort(descending=True)[: compared(count)]
    rows = (iou(boxes[order][:, None], boxes[order][None]) > overlap).cpu().numpy()  # torch takes longer to read one
    kept: list[int] = []
    suppressed: list[int] = []
    blocked = np.zeros(len(order), dtype=bool)
    for index in range(len(order)):
        if len(kept) == count:
            break
        if blocked[index]:
            suppressed.append(index)
        else:
            kept.append(index)
            blocked |= rows[index]
    chosen = torch.tensor((kept + suppressed)[:count], device=order.device, dtype=torch.long)
    return Distinct(order[chosen], torch.arange(len(chosen), device=order.device) >= len(kept))


def distinct_unrolled(boxes: Tensor, scores: Tensor, overlap: float, sizes: tuple[int, int]) -> Distinct:
    """As `distinct`, by tensors of fixed sizes alone, since an exported graph has no loop over data.

    Args:
        sizes: how many boxes are compared, no more than there are, and how many of them are chosen.
    """
    most, count = sizes
    order = scores.topk(most).indices
    same = (iou(boxes[order][:, None], boxes[order][None]) > overlap).float()
    place = torch.arange(most, device=boxes.device)
    blocked, taken = torch.zeros(most, device=boxes.device), torch.zeros(most, device=boxes.device)
    picks, fillers = [], []
    for _ in range(count):
        # The best that is free; when none is left, the best of those that overlap a better one.
        pick = (-place.float() - most * blocked - 3 * most * taken).argmax(0, keepdim=True)
        picked = (place == pick).float()
        picks.append(pick)
        fillers.append((picked * blocked).sum(0, keepdim=True) > 0)
        blocked, taken = torch.maximum(blocked, (picked[:, None] * same).sum(0)), taken + picked
    return Distinct(order[torch.cat(picks)], torch.cat(fillers))


def contains(boxes: Tensor, points: Tensor) -> Tensor:
    """(p, n) bool, which of the points (p, 3) lie in which of the boxes (n, 6), given as low and high limits."""
    return ((points[:, None] >= boxes[None, :, :3]) & (points[:, None] <= boxes[None, :, 3:])).all(-1)


def typical_sizes(sizes: Tensor, count: int) -> Tensor:
    """At most `count` sizes (k, 3) that stand for many (n, 3), n > 0: k-means of their logarithms.

    It begins with sizes spread over the ranks of the volume, so the same data always give the same answer.
    """
    logs = sizes.double().log()
    ranked = logs[logs.sum(1).argsort()]
    places = ((torch.arange(count) + 0.5) / count * len(logs)).long()
    centers = ranked[sorted(set(places.tolist()))]
    for _ in range(100):
        nearest = torch.cdist(logs, centers).argmin(1)
        moved = torch.stack([logs[nearest == each].mean(0) for each in sorted(set(nearest.tolist()))])
        if moved.shape == centers.shape and torch.allclose(moved, centers):
            break
        centers = moved
    return centers.exp().float()
