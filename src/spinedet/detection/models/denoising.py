"""Jittered copies of the reference boxes that a decoder learns to denoise (DN-DETR, Li et al., CVPR 2022)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from spinedet.detection.batch import Targets

CENTER_JITTER, SIZE_JITTER = 0.4, 0.4


@dataclass(frozen=True, slots=True)
class Jittered:
    """Copies of each scan's certain lesions, padded to the batch's largest count m; query g * m + i is lesion i.

    Attributes:
        boxes: (b, groups * m, 6) mm. real: (b, groups * m) bool, False on padding. groups: copies of each lesion.
    """

    boxes: Tensor
    real: Tensor
    groups: int

    @property
    def lesion(self) -> Tensor:
        """Which lesion each query copies, (groups * m,) int64."""
        each = self.boxes.shape[1] // max(1, self.groups)
        return torch.arange(each, device=self.boxes.device).repeat(self.groups)


def jitter(targets: tuple[Targets, ...], groups: int) -> Jittered:
    """Shift centres by up to 0.4 of the size and stretch edges by up to exp(0.4)."""
    device = targets[0].boxes.device
    most = max(len(t.certain.boxes) for t in targets)
    boxes = torch.ones(len(targets), groups, most, 6, device=device)
    real = torch.zeros(len(targets), groups, most, dtype=torch.bool, device=device)
    for row, truth in enumerate(targets):
        certain = truth.certain.boxes
        noise = torch.rand(groups, len(certain), 6, device=device) * 2 - 1
        center = certain[:, :3] + noise[..., :3] * CENTER_JITTER * certain[:, 3:]
        size = certain[:, 3:] * (noise[..., 3:] * SIZE_JITTER).exp()
        boxes[row, :, : len(certain)] = torch.cat([center, size], dim=-1)
        real[row, :, : len(certain)] = True
    return Jittered(boxes.flatten(1, 2), real.flatten(1, 2), groups)


def attention_mask(queries: int, jittered: Jittered) -> Tensor | None:
    """(q, q) bool, True where query may not see query: a copy is seen only by the copies of its own group."""
    copies = jittered.boxes.shape[1]
    if not copies:
        return None
    group = torch.arange(copies, device=jittered.boxes.device) // (copies // jittered.groups)
    blocked = torch.zeros(queries + copies, queries + copies, dtype=torch.bool, device=group.device)
    blocked[:queries, queries:] = True
    blocked[queries:, queries:] = group[:, None] != group[None]
    return blocked
