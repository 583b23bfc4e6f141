"""Classifiers without gradients through a network: frozen features or a few pixels, and logistic regression."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from spinedet.radiograph.models.inverted import InvertedNet

_ITERATIONS = 100


class LogisticHead(nn.Module):
    """Standardised features and one linear layer."""

    mean: Tensor
    scale: Tensor

    def __init__(self, width: int, labels: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(width))
        self.register_buffer("scale", torch.ones(width))
        self.linear = nn.Linear(width, labels)

    def forward(self, x: Tensor) -> Tensor:
        """(N, width) to logits (N, labels)."""
        logits: Tensor = self.linear((x - self.mean) / self.scale)
        return logits


def fit_logistic(head: LogisticHead, features: Tensor, labels: Tensor, weight: Tensor, penalty: float) -> None:
    """Multinomial logistic regression with squared penalty, by L-BFGS to its minimum; the result has no seed.

    Args:
        features: (N, width). labels: (N,) rows. weight: (labels,) of the loss. penalty: of squared weights.
    """
    head.mean.copy_(features.mean(0))
    head.scale.copy_(features.std(0, correction=0).clamp_min(1e-6))
    nn.init.zeros_(head.linear.weight)
    nn.init.zeros_(head.linear.bias)
    solver = torch.optim.LBFGS(head.linear.parameters(), max_iter=_ITERATIONS, line_search_fn="strong_wolfe")

    def closure() -> Tensor:
        solver.zero_grad()
        loss = F.cross_entropy(head(features), labels, weight)
        loss = loss + penalty * head.linear.weight.square().sum()
        loss.backward()  # type: ignore[no-untyped-call]
        return loss

    solver.step(closure)  # type: ignore[no-untyped-call]


class FrozenFeatures(nn.Module):
    """The features of a network that stays as it is."""

    def __init__(self, backbone: InvertedNet, labels: int) -> None:
        super().__init__()
        self.backbone = backbone.requires_grad_(False)
        self.backbone.head = nn.Linear(1, 1).requires_grad_(False)  # its own labels are nobody's
        self.width = backbone.width
        self.head = LogisticHead(self.width, labels)

    @property
    def last_convolution(self) -> str:
        """Name of the module whose output heat maps are made of."""
        return f"backbone.{self.backbone.last_convolution}"

    def train(self, mode: bool = True) -> FrozenFeatures:
        """Never in training mode: its norms stay too."""
        return super().train(False)

    def embed(self, x: Tensor) -> Tensor:
        """(N, 1, H, W) to (N, width)."""
        return self.backbone.embed(x)

    def forward(self, x: Tensor) -> Tensor:
        """(N, 1, H, W) to logits (N, labels)."""
        logits: Tensor = self.head(self.embed(x))
        return logits


class FewPixels(nn.Module):
    """The image shrunk to a small square, pixel by pixel."""

    last_convolution = None

    def __init__(self, side: int, labels: int) -> None:
        super().__init__()
        self.side, self.width = side, side * side
        self.head = LogisticHead(self.width, labels)

    def embed(self, x: Tensor) -> Tensor:
        """(N, 1, H, W) to (N, side x side)."""
        return F.interpolate(x, (self.side, self.side), mode="area").flatten(1)

    def forward(self, x: Tensor) -> Tensor:
        """(N, 1, H, W) to logits (N, labels)."""
        logits: Tensor = self.head(self.embed(x))
        return logits
