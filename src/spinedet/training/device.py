"""The device that a setting names: a GPU when there is one and it is wanted."""

from __future__ import annotations

import os
from collections.abc import Mapping

import torch

from spinedet.core.errors import InputError

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
