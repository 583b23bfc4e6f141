"""The gradients of convolutions over few slices in half precision."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from spinedet.detection.models.onednn_conv import use_onednn


@pytest.mark.parametrize("slices", [1, 2, 3])
def test_the_gradient_of_thin_maps_is_that_of_full_precision(slices: int) -> None:
    torch.manual_seed(0)
    conv = nn.Conv3d(64, 64, 3, padding=1, bias=False)
    use_onednn(conv)
    for _ in range(5):
        image = torch.randn(4, 64, slices, 10, 8).contiguous(memory_format=torch.channels_last_3d)
        del_me = torch.full((1_000_000,), 1e30)  # what unwritten memory may hold
        del del_me
        with torch.autocast("cpu", torch.bfloat16):
            out = conv(image)
        pull = torch.randn(out.shape)
        conv.zero_grad()
        out.backward(pull.to(out.dtype))
        wanted = torch.nn.grad.conv3d_weight(image, conv.weight.shape, pull, padding=1)
        assert (conv.weight.grad - wanted).abs().max() < 0.05 * wanted.abs().max()
