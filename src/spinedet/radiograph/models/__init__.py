"""Classifiers of radiographs: what each config builds."""

from __future__ import annotations

from dataclasses import replace
from typing import Protocol

import torch
from torch import Tensor, nn

from spinedet.radiograph.models.frozen import FewPixels, FrozenFeatures, LogisticHead
from spinedet.radiograph.models.inverted import TABLES, InvertedNet
from spinedet.radiograph.models.weights import FILE, Start, load_weights
from spinedet.radiograph.phantom_weights import PHANTOMS, weights_file
from spinedet.radiograph.settings import (
    EfficientNetConfig,
    FrozenConfig,
    InvertedConfig,
    LinearConfig,
    NetworkConfig,
)


class Classifier(Protocol):
    """What every network offers, beside being a module: (N, 1, H, W) to logits (N, labels)."""

    width: int

    @property
    def last_convolution(self) -> str | None:
        """Name of the module whose output heat maps are made of; None where there is none."""

    def embed(self, x: Tensor) -> Tensor:
        """(N, 1, H, W) to features (N, width)."""


def build(config: NetworkConfig, labels: int) -> nn.Module:
    """A network with fresh weights for so many labels."""
    network = _built(config, labels)
    for parameter in network.parameters():
        if parameter.ndim == 4:
            # Channels last: a third less time of a training step on CPUs (docs/radiographs.md).
            parameter.data = parameter.data.contiguous(memory_format=torch.channels_last)
    return network


def _built(config: NetworkConfig, labels: int) -> nn.Module:
    match config:
        case EfficientNetConfig():
            from spinedet.radiograph.models.efficient import EfficientNet  # MONAI takes two seconds to import

            return EfficientNet(config.variant, labels, dropout=config.dropout)
        case InvertedConfig():
            return InvertedNet(TABLES[config.table], labels, dropout=config.dropout)
        case FrozenConfig():
            return FrozenFeatures(InvertedNet(TABLES[config.table], 1), labels)
        case LinearConfig():
            return FewPixels(config.side, labels)


def begin(config: NetworkConfig, network: nn.Module) -> Start | None:
    """Copy the weights that the config names; None where it names none.

    Raises:
        InputError: they cannot be read, or belong to another network.
    """
    if isinstance(config, LinearConfig) or (path := weights_file(config.weights, config.table)) is None:
        return None
    start = load_weights(network.backbone if isinstance(network, FrozenFeatures) else network, path)
    return replace(start, source=PHANTOMS if config.weights == PHANTOMS else FILE)


def fits_without_gradients(network: nn.Module) -> bool:
    """Whether the network is a logistic regression on features that do not change."""
    return isinstance(getattr(network, "head", None), LogisticHead)


__all__ = ["Classifier", "begin", "build", "fits_without_gradients"]
