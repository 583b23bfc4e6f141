"""Convolutions that are quick at one scan give what PyTorch's own give."""

from __future__ import annotations

import copy

import torch
from torch import nn

from spinedet.detection.models.onednn_conv import use_onednn


def network() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv3d(1, 8, (3, 7, 7), stride=(1, 2, 2), padding=(1, 3, 3), bias=False),
        nn.ReLU(),
        nn.Conv3d(8, 8, 3, padding=1, groups=2),
        nn.Conv3d(8, 4, 1, stride=(1, 2, 2)),
    )


def test_a_quick_look_finds_the_same() -> None:
    plain = network()
    quick = copy.deepcopy(plain)
    use_onednn(quick)
    assert quick.state_dict().keys() == plain.state_dict().keys()
    image = torch.randn(1, 1, 5, 21, 18)
    with torch.inference_mode():
        torch.testing.assert_close(quick(image), plain(image))
        for layer in quick:
            assert type(layer) is not nn.Conv3d  # so the lines above compare something
    torch.testing.assert_close(quick(image), plain(image))
    quick(image).sum().backward()
    assert all(parameter.grad is not None for parameter in quick.parameters())


def test_what_it_cannot_do_is_left_alone() -> None:
    same = nn.Sequential(nn.Conv3d(1, 1, 3, padding="same"), nn.Conv3d(1, 1, 3, padding=1, padding_mode="circular"))
    use_onednn(same)
    assert [type(layer) for layer in same] == [nn.Conv3d, nn.Conv3d]
