"""MONAI's 3D ResNet18 with strides that leave thick slices alone."""

from __future__ import annotations

from typing import NamedTuple

import torch
from monai.networks.nets.resnet import ResNet, ResNetBlock
from torch import Tensor, nn

# Per stage: the stride along (slice, row, column). Halving 4 mm slices before the tokens are read costs two thirds
# of the F1 (measured), so the slice axis is left alone until stride 8 in plane.
STEM_STRIDE = (1, 2, 2)
POOL_STRIDE = (1, 2, 2)
STAGE_STRIDES = {"layer2": (1, 2, 2), "layer3": (2, 2, 2)}
FINE_STRIDE = (1, 8, 8)
COARSE_STRIDE = (2, 16, 16)
DETAIL_STRIDE = (1, 4, 4)


class Features(NamedTuple):
    """Feature maps (b, channels, d, h, w) at `DETAIL_STRIDE`, `FINE_STRIDE` and `COARSE_STRIDE`."""

    detail: Tensor
    fine: Tensor
    coarse: Tensor


class Backbone(nn.Module):
    """ResNet18 up to its third stage.

    MONAI's module keeps its names and shapes, so that MedicalNet weights fit; only strides are changed.

    Args:
        width: channels of the first stage; 64 is the published ResNet18.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        net = ResNet(
            ResNetBlock,
            layers=[2, 2, 2, 2],
            block_inplanes=[width, 2 * width, 4 * width, 8 * width],
            spatial_dims=3,
            n_input_channels=1,
            conv1_t_size=(3, 7, 7),  # type: ignore[arg-type]  # MONAI takes one size per axis, its hint does not
            conv1_t_stride=STEM_STRIDE,  # type: ignore[arg-type]  # likewise
            shortcut_type="B",
            feed_forward=False,
            bias_downsample=False,
        )
        del net.layer4, net.avgpool
        net.maxpool = nn.MaxPool3d((1, 3, 3), POOL_STRIDE, (0, 1, 1))
        for name, stride in STAGE_STRIDES.items():
            first = getattr(net, name)[0]
            first.conv1.stride = first.downsample[0].stride = stride
        self.net = net
        self.channels = (width, 2 * width, 4 * width)

    def forward(self, images: Tensor) -> Features:
        """Features of images (b, 1, slices, rows, columns)."""
        net = self.net
        x = net.maxpool(net.act(net.bn1(net.conv1(images))))
        detail = net.layer1(x)
        fine = net.layer2(detail)
        return Features(detail, fine, net.layer3(fine))


def token_centers(features: Tensor, stride: tuple[int, int, int], spacing: tuple[float, float, float]) -> Tensor:
    """Centres of the cells of a feature map (b, c, d, h, w), (d * h * w, 3) mm from the grid's outer corner.

    A stride-s convolution with symmetric padding centres cell i on input index i * s, edge coordinate i * s + 0.5.
    """
    sizes = zip(features.shape[2:], stride, spacing, strict=True)
    axes = [(torch.arange(n, device=features.device) * s + 0.5) * mm for n, s, mm in sizes]
    return torch.stack(torch.meshgrid(*axes, indexing="ij"), dim=-1).reshape(-1, 3)
