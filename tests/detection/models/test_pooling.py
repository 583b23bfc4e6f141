"""Pooling at inference gives exactly what PyTorch's gives."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from spinedet.detection.models.resnet import Pooling


@pytest.mark.parametrize(("stride", "kernel"), [((1, 2, 2), (1, 3, 3)), ((2, 2, 2), (3, 3, 3)), ((1, 1, 1), (1, 3, 3))])
@pytest.mark.parametrize("shape", [(2, 3, 4, 10, 12), (1, 2, 1, 9, 7), (1, 1, 5, 1, 2)])
def test_pooling_at_inference_is_pytorchs(
    stride: tuple[int, int, int], kernel: tuple[int, int, int], shape: tuple[int, ...]
) -> None:
    maps = torch.randn(shape, generator=torch.Generator().manual_seed(0)).relu()
    plain = nn.MaxPool3d(kernel, stride, tuple(size // 2 for size in kernel))
    pooling = Pooling(stride)
    with torch.inference_mode():
        assert torch.equal(pooling(maps), plain(maps))
    leaf, same = maps.clone().requires_grad_(), maps.clone().requires_grad_()
    pooling(leaf).sum().backward()
    plain(same).sum().backward()
    assert leaf.grad is not None
    assert same.grad is not None
    assert torch.equal(leaf.grad, same.grad)
