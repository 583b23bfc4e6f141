"""A 3D ResNet18 with strides that leave thick slices alone."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

import torch
from torch import Tensor, nn

from spinedet.detection.models.resnet import ResNet18

# How deep each part lies; whatever stands behind the backbone is one deeper than its last stage.
DEPTHS = {"conv1": 0, "bn1": 0, "layer1": 1, "layer2": 2, "layer3": 3}
BEHIND = 4

Stride: TypeAlias = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class Strides:
    """The stride along (slice, row, column) of each stage, and of the feature maps against the image."""

    stem: Stride
    pool: Stride
    layer2: Stride
    layer3: Stride

    @property
    def detail(self) -> Stride:
        """Of the first stage's map."""
        return _times(self.stem, self.pool)

    @property
    def fine(self) -> Stride:
        """Of the second stage's map."""
        return _times(self.detail, self.layer2)

    @property
    def coarse(self) -> Stride:
        """Of the third stage's map."""
        return _times(self.fine, self.layer3)


def _times(first: Stride, second: Stride) -> Stride:
    slices, rows, columns = (a * b for a, b in zip(first, second, strict=True))
    return slices, rows, columns


def strides_for(spacing: tuple[float, float, float]) -> Strides:
    """Halve the plane at every stage; halve across slices only while that stays twice as fine as the plane, in mm.

    After nnU-Net's rule, with more care for slices: halving 4 mm slices before the tokens are read costs two thirds of
    the F1 (measured).

    Args:
        spacing: of the image along (slice, row, column), mm.
    """
    across, within = spacing[0], max(spacing[1:])
    stages: list[Stride] = []
    for _ in range(4):
        within *= 2
        halved = 2 * across < within / 2
        across *= 2 if halved else 1
        stages.append((2 if halved else 1, 2, 2))
    return Strides(*stages)


class Features(NamedTuple):
    """Feature maps (b, channels, d, h, w) at the strides `detail`, `fine` and `coarse`."""

    detail: Tensor
    fine: Tensor
    coarse: Tensor


class Backbone(nn.Module):
    """ResNet18 up to its third stage, with strides that leave thick slices alone.

    Args:
        width: channels of the first stage; 64 is the published ResNet18.
        spacing: of the images along (slice, row, column), mm; the strides follow from it.
    """

    def __init__(self, width: int, spacing: tuple[float, float, float]) -> None:
        super().__init__()
        self.strides = strides = strides_for(spacing)
        self.net = ResNet18(width, (strides.stem, strides.pool, strides.layer2, strides.layer3))
        self.channels = (width, 2 * width, 4 * width)

    def forward(self, images: Tensor) -> Features:
        """Features of images (b, 1, slices, rows, columns)."""
        return Features(*self.net(images))


def depth_of(name: str) -> int:
    """How deep in a detector the parameter of this name lies: 0 for the stem, `BEHIND` for all behind the backbone."""
    found = re.search(r"\bbackbone\.net\.(\w+)\.", name)
    return DEPTHS[found[1]] if found else BEHIND


def token_centers(features: Tensor, stride: Stride, spacing: tuple[float, float, float]) -> Tensor:
    """Centres of the cells of a feature map (b, c, d, h, w), (d * h * w, 3) mm from the grid's outer corner.

    A stride-s convolution with symmetric padding centres cell i on input index i * s, edge coordinate i * s + 0.5.
    """
    sizes = zip(features.shape[2:], stride, spacing, strict=True)
    axes = [(torch.arange(n, device=features.device) * s + 0.5) * mm for n, s, mm in sizes]
    return torch.stack(torch.meshgrid(*axes, indexing="ij"), dim=-1).reshape(-1, 3)
