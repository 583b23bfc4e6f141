"""Ordered grades of severity from one latent value (CORAL, Cao et al., Pattern Recognition Letters 2020)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

# Between the cuts at first, in logits: a lesion of which nothing is known is hardly of the lowest or highest grade.
APART = 2.0


class SeverityHead(nn.Module):
    """The chances that a lesion is worse than each grade below `highest`: one direction, and a cut for each grade.

    One direction for all cuts keeps the chances in order. It begins at zero and draws no random numbers, so that all
    else is learned from the same start as without it.
    """

    def __init__(self, channels: int, highest: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(1, channels))
        self.cuts = nn.Parameter(APART * (torch.arange(highest) - (highest - 1) / 2))

    def forward(self, features: Tensor) -> Tensor:
        """Features (..., c) -> logits of being above grade 0, 1, ..., `highest` - 1, (..., highest)."""
        return F.linear(features, self.weight).float() - self.cuts


def expected_grade(logits: Tensor) -> Tensor:
    """Logits of being above each grade (..., highest) -> expected grades (...)."""
    return logits.sigmoid().sum(-1)
