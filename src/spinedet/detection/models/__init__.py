"""Networks behind one `Detector` protocol."""

from __future__ import annotations

import torch

from spinedet.core.errors import InputError
from spinedet.detection.models.base import Detector, ModelCard, TrainableModel
from spinedet.detection.models.dense_detector import DenseDetector
from spinedet.detection.models.detr import DetrDetector
from spinedet.detection.models.graded_detector import GradedDetector
from spinedet.detection.models.onednn_conv import use_onednn
from spinedet.detection.models.shared_weights import SharedDetector
from spinedet.detection.models.two_stage_detr import TwoStageDetr
from spinedet.detection.settings import (
    CONFIGS,
    DenseConfig,
    DetrConfig,
    GradedConfig,
    ModelConfig,
    RetinaNetConfig,
    TwoStageDetrConfig,
)

__all__ = [
    "CONFIGS",
    "Detector",
    "ModelCard",
    "ModelConfig",
    "SharedDetector",
    "TrainableModel",
    "build",
    "config_from",
]


def build(config: ModelConfig, card: ModelCard) -> Detector:
    """The detector that a config describes, laid out for speed."""
    network = _new(config, card)
    use_onednn(network)
    for parameter in network.parameters():
        if parameter.ndim == 5:
            parameter.data = parameter.data.contiguous(memory_format=torch.channels_last_3d)
    return network


def _new(config: ModelConfig, card: ModelCard) -> Detector:
    match config:
        case GradedConfig() if card.structures:
            return GradedDetector(config, card)
        case TwoStageDetrConfig():
            return TwoStageDetr(config, card)
        case DenseConfig():
            return DenseDetector(config, card)
        case DetrConfig():
            return DetrDetector(config, card)
        case RetinaNetConfig():
            from spinedet.detection.models.retinanet import RetinaNetPeer  # MONAI takes longer to import than torch

            return RetinaNetPeer(config, card)


def config_from(content: dict[str, object]) -> ModelConfig:
    """A config from its stored fields.

    Raises:
        InputError: the model is of a kind, or has a field, that this version does not know.
    """
    try:
        return CONFIGS[str(content["name"])](**content)  # type: ignore[arg-type]  # fields are checked by the call
    except (KeyError, TypeError):
        raise InputError(f"unknown model {content}; it was made by another version of spinedet") from None
