"""Random weights that networks of radiographs begin with."""

from __future__ import annotations

import math

from torch import nn


def initialize(network: nn.Module) -> None:
    """Convolutions keep the variance of what goes out (He et al. 2015, arXiv:1502.01852)."""
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            # Of a group: PyTorch counts the channels of all, which all but silences convolutions of single channels.
            rows, columns = module.kernel_size
            outwards = rows * columns * module.out_channels / module.groups
            nn.init.normal_(module.weight, 0, math.sqrt(2 / outwards))
            if module.bias is not None:
                nn.init.zeros_(module.bias)
        elif isinstance(module, nn.Linear):
            nn.init.normal_(module.weight, 0, 0.01)
            nn.init.zeros_(module.bias)
