"""Where networks predict: a GPU when there is one and it is wanted, in the precision that it multiplies fastest."""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace

import torch

from spinedet.core.errors import InputError
from spinedet.detection.model_files import Model

# Series that are predicted at once when nobody says how many: more gain nothing on a CPU.
BATCH_ON_CPU, BATCH_ON_GPU = 1, 8
# Where torchrun and srun say which of a machine's processes this is.
_LOCAL_RANKS = ("LOCAL_RANK", "SLURM_LOCALID")


def choose_device(name: str, environment: Mapping[str, str] = os.environ) -> torch.device:
    """The device that `auto`, `cpu`, `cuda` or `cuda:N` names; several processes of one machine get a GPU each.

    Raises:
        InputError: a GPU is asked for and this machine, or this build of PyTorch, has none of that number.
    """
    if name == "cpu" or (name == "auto" and not torch.cuda.is_available()):
        return torch.device("cpu")
    if not torch.cuda.is_available():
        why = "no GPU is visible" if torch.version.cuda else "this build of PyTorch has no CUDA"
        raise InputError(f"device={name}: {why}; use device=cpu, or leave it out")
    count = torch.cuda.device_count()
    if ":" not in name:
        local = next((int(environment[key]) for key in _LOCAL_RANKS if key in environment), 0)
        return torch.device("cuda", local % count)
    number = int(name.partition(":")[2])
    if number >= count:
        raise InputError(f"device={name}: this machine shows {count} GPUs, cuda:0 to cuda:{count - 1}")
    return torch.device("cuda", number)


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
