"""Convolutions that are as fast for a single scan as for a batch."""

from __future__ import annotations

import torch
from torch import Tensor, nn

# On CPUs the half-precision gradient of a 3 x 3 x 3 kernel over two slices is memory that was never written (oneDNN of
# torch 2.13); such thin maps are multiplied in full precision.
_BROKEN_DEPTH = 2


def use_onednn(network: nn.Module) -> None:
    """Let the network's convolutions use oneDNN wherever it can be used; weights, names and results stay.

    PyTorch gives small fp32 convolutions of a single image to a plain matrix product, for which it copies the image
    27 times over. That is meant for tiny images in 2D; for a single scan it takes five times as long.
    """
    for module in network.modules():
        if type(module) is nn.Conv3d and module.padding_mode == "zeros" and not isinstance(module.padding, str):
            module.__class__ = _Conv3d


class _Conv3d(nn.Conv3d):
    def forward(self, x: Tensor) -> Tensor:
        """As `nn.Conv3d`."""
        if x.shape[2] == _BROKEN_DEPTH and x.device.type == "cpu" and torch.is_autocast_enabled("cpu"):
            with torch.autocast("cpu", enabled=False):
                return super().forward(x.float())
        if not is_inference(x):
            return super().forward(x)
        padding: tuple[int, ...] = self.padding  # type: ignore[assignment]  # `use_onednn` leaves those in words alone
        return torch.mkldnn_convolution(x, self.weight, self.bias, padding, self.stride, self.dilation, self.groups)


def is_inference(x: Tensor) -> bool:
    """Whether this is fp32 inference on a CPU that oneDNN knows."""
    return (
        not torch.is_grad_enabled()
        and x.device.type == "cpu"
        and x.dtype == torch.float32
        and torch.backends.mkldnn.is_available()  # type: ignore[no-untyped-call]  # torch's own
        and not torch.is_autocast_enabled("cpu")
    )
