"""Every kind of detector, so small that it answers at once."""

from __future__ import annotations

import torch
from torch import nn

from spinedet.detection.models import Detector, ModelCard, ModelConfig
from spinedet.detection.settings import (
    DenseConfig,
    DetrConfig,
    GradedConfig,
    GraderConfig,
    RetinaNetConfig,
    TwoStageDetrConfig,
)
from spinedet.imaging.planes import SAGITTAL

CARD = ModelCard(
    ("degeneration",),
    SAGITTAL.spacing,
    (40.0, 12.0, 35.0),
    structures=True,
    caudal=SAGITTAL.caudal,
    grades=("bulging",),
)
SMALL: dict[str, ModelConfig] = {
    "dense": DenseConfig(width=4, channels=24, heads=2, queries=6),
    "set": TwoStageDetrConfig(width=4, channels=24, heads=2, decoder_layers=1, queries=6),
    "graded": GradedConfig(
        width=4,
        channels=24,
        heads=2,
        decoder_layers=1,
        queries=6,
        grader=GraderConfig(width=4, channels=8, heads=2, layers=1, members=1),
    ),
    "detr": DetrConfig(width=4, channels=24, heads=2, decoder_layers=1, queries=6),
    "retinanet": RetinaNetConfig(width=4, channels=8),
}


def spread(network: Detector) -> Detector:
    """Scores of an untrained network made so different that rounding does not change their order."""
    torch.manual_seed(1)
    for name, parameter in network.named_parameters():
        if name.endswith(("score.weight", "cls_logits.weight", "cls_logits.conv.weight")):
            nn.init.normal_(parameter, std=0.5)
        if name.endswith(("score.bias", "cls_logits.bias", "cls_logits.conv.bias")):
            nn.init.zeros_(parameter)
    return network
