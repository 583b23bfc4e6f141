"""The precision of a training's arithmetic."""

from __future__ import annotations

from typing import Any

import torch

from spinedet.training.settings import TrainerConfig


def precision_for(config: TrainerConfig) -> Any:
    """Lightning's precision flag: bf16 where the device multiplies it natively, else fp32.

    A deterministic training on a CPU is in fp32 on every one, so that its results do not follow from the model of it.
    """
    if config.precision != "auto":
        return config.precision
    if config.accelerator in ("auto", "gpu", "cuda") and torch.cuda.is_available():
        return "bf16-mixed" if torch.cuda.is_bf16_supported() else "16-mixed"
    if config.deterministic:
        return "32-true"
    fast = config.accelerator in ("auto", "cpu") and torch.cpu._is_avx512_bf16_supported()
    return "bf16-mixed" if fast else "32-true"
