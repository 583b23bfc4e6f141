"""Detectors on the device where they predict, in the precision that it multiplies fastest."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace

import torch

from spinedet.detection.model_files import Model

# Series that are predicted at once when nobody says how many: more gain nothing on a CPU.
BATCH_ON_CPU, BATCH_ON_GPU = 1, 8


def batch_for(requested: int | None, device: torch.device) -> int:
    """How many series are predicted at once."""
    return requested or (BATCH_ON_GPU if device.type == "cuda" else BATCH_ON_CPU)


def on_device(model: Model, device: torch.device) -> Model:
    """The model with its networks, those of an ensemble too, on this device."""
    detectors = {
        plane: replace(
            detector,
            network=detector.network.to(device),
            others=tuple(other.to(device) for other in detector.others),
        )
        for plane, detector in model.detectors.items()
    }
    return replace(model, detectors=detectors)


def fast_precision(device: torch.device) -> AbstractContextManager[object]:
    """Half precision (bf16) on GPUs that multiply it natively; elsewhere everything stays in fp32.

    Boxes and what the decoder computes are in fp32 in any case.
    """
    if device.type == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False):
        return torch.autocast("cuda", dtype=torch.bfloat16)
    return nullcontext()
