"""The 3D ResNet18 (He et al., CVPR 2016; Chen et al., Med3D, 2019) up to its third stage."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from spinedet.detection.models.onednn_conv import is_inference

# Of the stem, so that thick slices are not mixed too widely.
_STEM = (3, 7, 7)
_BLOCKS = 2


class Block(nn.Module):
    """Two 3 x 3 x 3 convolutions around which the input is led."""

    def __init__(self, inputs: int, outputs: int, stride: tuple[int, int, int]) -> None:
        super().__init__()
        same = inputs == outputs and stride == (1, 1, 1)
        around = (
            None if same else nn.Sequential(nn.Conv3d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm3d(outputs))
        )
        self.conv1, self.bn1 = nn.Conv3d(inputs, outputs, 3, stride, padding=1, bias=False), nn.BatchNorm3d(outputs)
        self.conv2, self.bn2 = nn.Conv3d(outputs, outputs, 3, padding=1, bias=False), nn.BatchNorm3d(outputs)
        self.downsample = around

    def forward(self, x: Tensor) -> Tensor:
        """(b, inputs, d, h, w) -> (b, outputs, d, h, w) / stride."""
        around = x if self.downsample is None else self.downsample(x)
        inside = F.relu(self.bn1(self.conv1(x)), inplace=True)
        return F.relu(self.bn2(self.conv2(inside)).add_(around), inplace=True)


class Pooling(nn.MaxPool3d):
    """Maxima over windows of 3, or of 1 along slices that stay, of maps that nowhere lie below 0.

    PyTorch's own walks through all 27 voxels of a window one by one, a tenth of the time that a network takes on a CPU.
    One axis after the other gives the same maxima in a fifth of the time; training keeps PyTorch's for its gradients.

    Args:
        stride: along slices, rows and columns, 1 or 2 each. A stride of 1 along slices means a window of 1.
    """

    def __init__(self, stride: tuple[int, int, int]) -> None:
        self.reaches = (1 if stride[0] == 2 else 0, 1, 1)
        super().__init__(tuple(1 + 2 * reach for reach in self.reaches), stride, self.reaches)
        self.strides = stride

    def forward(self, maps: Tensor) -> Tensor:
        """(b, channels, d, h, w), not negative -> (b, channels, d, h, w) / stride."""
        if not is_inference(maps):
            return super().forward(maps)
        for axis, (reach, stride) in enumerate(zip(self.reaches, self.strides, strict=True), 2):
            if reach:
                maps = _maxima_of_three(maps, axis, stride)
        return maps


def _maxima_of_three(maps: Tensor, axis: int, stride: int) -> Tensor:
    """The larger of each `stride`-th voxel and its two neighbours along an axis; zeros lie beyond the border."""
    inner_axes = maps.dim() - 1 - axis
    padded = F.pad(maps, [*([0, 0] * inner_axes), 1, 1])
    every = (*[slice(None)] * axis, slice(None, None, stride))
    before, here, after = (padded.narrow(axis, k, maps.shape[axis])[every] for k in range(3))
    return torch.maximum(torch.maximum(before, here), after)


class ResNet18(nn.Module):
    """Stem and three stages under the names of MedicalNet's weights, which MONAI's ResNet has too.

    A seed gives the weights that it gives in MONAI's, whose package takes longer to import than a scan to predict.

    Args:
        width: channels of the first stage. strides: of the stem, of the pooling, of the second and the third stage.
    """

    def __init__(self, width: int, strides: tuple[tuple[int, int, int], ...]) -> None:
        super().__init__()
        stem, pool, second, third = strides
        self.conv1 = nn.Conv3d(1, width, _STEM, stem, padding=(1, 3, 3), bias=False)
        self.bn1 = nn.BatchNorm3d(width)
        self.maxpool = Pooling(pool)
        self.layer1 = _stage(width, width, (1, 1, 1))
        self.layer2 = _stage(width, 2 * width, second)
        self.layer3 = _stage(2 * width, 4 * width, third)
        self.layer4 = _stage(4 * width, 8 * width, (2, 2, 2))
        for module in self.modules():
            if isinstance(module, nn.Conv3d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
        del self.layer4  # it was there for its share of the random numbers

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """The three stages' maps of images (b, 1, slices, rows, columns)."""
        first = self.layer1(self.maxpool(F.relu(self.bn1(self.conv1(images)), inplace=True)))
        second = self.layer2(first)
        return first, second, self.layer3(second)


def _stage(inputs: int, outputs: int, stride: tuple[int, int, int]) -> nn.Sequential:
    blocks = [Block(inputs, outputs, stride), *(Block(outputs, outputs, (1, 1, 1)) for _ in range(_BLOCKS - 1))]
    return nn.Sequential(*blocks)
