"""MONAI's EfficientNet with one input channel and its parts by name."""

from __future__ import annotations

from monai.networks.nets.efficientnet import EfficientNetBN
from torch import Tensor, nn

from spinedet.radiograph.models.initial import initialize

# MONAI's .01 is for trainings of hundreds of epochs: after a few hundred steps the statistics would still be near their
# initial values, and every image would get the same output.
_NORM_MOMENTUM = 0.1


class EfficientNet(nn.Module):
    """EfficientNet b0 to b8; nothing is downloaded.

    MONAI's padding is made for the variant's own size: other sizes shift features by up to half a pixel, so multiples
    of 32 are best.
    """

    last_convolution = "net._conv_head"

    def __init__(self, variant: str, labels: int, channels: int = 1, dropout: float = 0.2) -> None:
        super().__init__()
        self.net = EfficientNetBN(f"efficientnet-{variant}", pretrained=False, in_channels=channels, num_classes=1)
        self.width: int = self.net._fc.in_features
        for module in self.net.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.momentum = _NORM_MOMENTUM
        self.net.add_module("_fc", nn.Identity())
        self.net.add_module("_dropout", nn.Identity())
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(self.width, labels)
        initialize(self)

    def embed(self, x: Tensor) -> Tensor:
        """(N, 1, H, W) to (N, width): what the labels are told from."""
        embedded: Tensor = self.net(x)
        return embedded

    def forward(self, x: Tensor) -> Tensor:
        """(N, 1, H, W) to logits (N, labels)."""
        logits: Tensor = self.head(self.dropout(self.embed(x)))
        return logits
