"""Networks of inverted residual blocks: MobileNetV3-Large, MnasNet and EfficientNet-Lite0 from one block, by table.

MobileNetV3: Howard et al. 2019, arXiv:1905.02244. MnasNet: Tan et al. 2019, arXiv:1807.11626. EfficientNet-Lite0: Tan
and Le 2019 (arXiv:1905.11946) without squeeze-and-excitation and with ReLU6.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import torch
from torch import Tensor, nn

from spinedet.radiograph.models.initial import initialize

Activation: TypeAlias = Callable[[], nn.Module]


@dataclass(frozen=True, slots=True)
class Block:
    """One inverted residual block.

    Attributes:
        kernel: side. stride: 1 or 2. expanded: channels between the two 1 x 1 convolutions; as many as come in for no
            first one. out: channels. squeezed: channels of squeeze-and-excitation, 0 for none.
        activation: overrides that of the network.
    """

    kernel: int
    stride: int
    expanded: int
    out: int
    squeezed: int = 0
    activation: Activation | None = None


@dataclass(frozen=True, slots=True)
class Table:
    """A network: stem, blocks, last convolution, and hidden layer before the labels (0 for none)."""

    stem: int
    blocks: tuple[Block, ...]
    last: int
    hidden: int
    activation: Activation
    gate: Activation
    eps: float
    ends: Activation | None = None

    @property
    def end(self) -> Activation:
        """The activation of stem, last convolution and hidden layer."""
        return self.ends or self.activation


def _stages(stem: int, stages: tuple[tuple[int, int, int, int, int, float], ...]) -> tuple[Block, ...]:
    """Blocks from (kernel, stride, expansion, channels, repeats, squeeze ratio of the block's input)."""
    blocks, inside = [], stem
    for kernel, stride, expansion, out, repeats, squeeze in stages:
        for number in range(repeats):
            blocks.append(Block(kernel, 1 if number else stride, inside * expansion, out, round(inside * squeeze)))
            inside = out
    return tuple(blocks)


_H = nn.Hardswish
_MOBILE = (
    Block(3, 1, 16, 16),
    Block(3, 2, 64, 24),
    Block(3, 1, 72, 24),
    Block(5, 2, 72, 40, 24),
    Block(5, 1, 120, 40, 32),
    Block(5, 1, 120, 40, 32),
    Block(3, 2, 240, 80, activation=_H),
    Block(3, 1, 200, 80, activation=_H),
    Block(3, 1, 184, 80, activation=_H),
    Block(3, 1, 184, 80, activation=_H),
    Block(3, 1, 480, 112, 120, activation=_H),
    Block(3, 1, 672, 112, 168, activation=_H),
    Block(5, 2, 672, 160, 168, activation=_H),
    Block(5, 1, 960, 160, 240, activation=_H),
    Block(5, 1, 960, 160, 240, activation=_H),
)
_B1 = ((3, 1, 1, 16, 1, 0), (3, 2, 3, 24, 3, 0), (5, 2, 3, 40, 3, 0), (5, 2, 6, 80, 3, 0), (3, 1, 6, 96, 2, 0))
_A1 = ((3, 1, 1, 16, 1, 0), (3, 2, 6, 24, 2, 0), (5, 2, 3, 40, 3, 0.25), (3, 2, 6, 80, 4, 0), (3, 1, 6, 112, 2, 0.25))
_LITE = ((3, 1, 1, 16, 1, 0), (3, 2, 6, 24, 2, 0), (5, 2, 6, 40, 2, 0), (3, 2, 6, 80, 3, 0), (5, 1, 6, 112, 3, 0))

TABLES = {
    "mobilenet_v3_large": Table(16, _MOBILE, 960, 1280, nn.ReLU, nn.Hardsigmoid, 1e-3, _H),
    "mnasnet_b1": Table(
        32, _stages(32, (*_B1, (5, 2, 6, 192, 4, 0), (3, 1, 6, 320, 1, 0))), 1280, 0, nn.ReLU, nn.Sigmoid, 1e-5
    ),
    "mnasnet_a1": Table(
        32, _stages(32, (*_A1, (5, 2, 6, 160, 3, 0.25), (3, 1, 6, 320, 1, 0))), 1280, 0, nn.ReLU, nn.Sigmoid, 1e-5
    ),
    "efficientnet_lite0": Table(
        32, _stages(32, (*_LITE, (5, 2, 6, 192, 4, 0), (3, 1, 6, 320, 1, 0))), 1280, 0, nn.ReLU6, nn.Sigmoid, 1e-3
    ),
}


class SqueezeExcite(nn.Module):
    """Weighs channels by what the whole image holds (Hu et al. 2018, arXiv:1709.01507)."""

    def __init__(self, channels: int, squeezed: int, gate: Activation) -> None:
        super().__init__()
        self.reduce, self.expand = nn.Conv2d(channels, squeezed, 1), nn.Conv2d(squeezed, channels, 1)
        self.activation, self.gate = nn.ReLU(), gate()

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) to the same."""
        pooled = x.mean((2, 3), keepdim=True)
        return x * torch.as_tensor(self.gate(self.expand(self.activation(self.reduce(pooled)))))


def _convolution(inside: int, out: int, kernel: int, stride: int, groups: int, eps: float) -> list[nn.Module]:
    return [
        nn.Conv2d(inside, out, kernel, stride, kernel // 2, groups=groups, bias=False),
        nn.BatchNorm2d(out, eps=eps),
    ]


class InvertedResidual(nn.Module):
    """Widen, filter each channel, weigh the channels, narrow; the input is added where it fits."""

    def __init__(self, inside: int, block: Block, table: Table) -> None:
        super().__init__()
        activation = block.activation or table.activation
        layers: list[nn.Module] = []
        if block.expanded != inside:
            layers += [*_convolution(inside, block.expanded, 1, 1, 1, table.eps), activation()]
        depthwise = _convolution(block.expanded, block.expanded, block.kernel, block.stride, block.expanded, table.eps)
        layers += [*depthwise, activation()]
        if block.squeezed:
            layers.append(SqueezeExcite(block.expanded, block.squeezed, table.gate))
        layers += _convolution(block.expanded, block.out, 1, 1, 1, table.eps)
        self.layers = nn.Sequential(*layers)
        self.adds = block.stride == 1 and inside == block.out

    def forward(self, x: Tensor) -> Tensor:
        """(N, inside, H, W) to (N, out, H / stride, W / stride), rounded up."""
        narrowed: Tensor = self.layers(x)
        return x + narrowed if self.adds else narrowed


class InvertedNet(nn.Module):
    """A network by its table; `features`, `embed` and `head` one after the other make `forward`."""

    def __init__(self, table: Table, labels: int, channels: int = 1, dropout: float = 0.2) -> None:
        super().__init__()
        end = table.end
        layers: list[nn.Module] = [*_convolution(channels, table.stem, 3, 2, 1, table.eps), end()]
        inside = table.stem
        for block in table.blocks:
            layers.append(InvertedResidual(inside, block, table))
            inside = block.out
        layers += [*_convolution(inside, table.last, 1, 1, 1, table.eps), end()]
        self.features = nn.Sequential(*layers)
        self.hidden = nn.Sequential(nn.Linear(table.last, table.hidden), end()) if table.hidden else nn.Identity()
        self.dropout = nn.Dropout(dropout)
        self.width = table.hidden or table.last
        self.head = nn.Linear(self.width, labels)
        initialize(self)

    @property
    def last_convolution(self) -> str:
        """Name of the module whose output heat maps are made of."""
        return f"features.{len(self.features) - 1}"

    def embed(self, x: Tensor) -> Tensor:
        """(N, 1, H, W) to (N, width): what the labels are told from."""
        embedded: Tensor = self.hidden(self.features(x).mean((2, 3)))
        return embedded

    def forward(self, x: Tensor) -> Tensor:
        """(N, 1, H, W) to logits (N, labels)."""
        logits: Tensor = self.head(self.dropout(self.embed(x)))
        return logits
