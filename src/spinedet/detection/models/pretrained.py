"""Published ResNet weights as a start: MedicalNet's (Med3D, Chen et al., arXiv 1904.00625), from a local file."""

from __future__ import annotations

import pickle
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from spinedet.core.errors import InputError
from spinedet.detection.models.backbone import Backbone


@dataclass(frozen=True)
class Transfer:
    """What became of a backbone's weights, by name.

    Attributes:
        taken: copied as they are. adapted: copied after their depth was changed. anew: not in the file.
        unused: in the file, without a place here.
    """

    taken: tuple[str, ...]
    adapted: tuple[str, ...]
    anew: tuple[str, ...]
    unused: tuple[str, ...]


def load_backbone(network: nn.Module, path: Path) -> Transfer:
    """Copy the weights of a published ResNet into the network's backbone.

    Args:
        network: any detector. path: a `.pth` as MedicalNet publishes it, or `.safetensors`; no code in it is run.

    Raises:
        InputError: the file cannot be read, or none of it fits, for which the width is the usual reason.
    """
    backbone = next(module for module in network.modules() if isinstance(module, Backbone))
    own, given = backbone.net.state_dict(), _read(path)
    fitted = {name: _fitted(given[name], tensor) for name, tensor in own.items() if name in given}
    copied = {name: tensor for name, tensor in fitted.items() if tensor is not None}
    if not any(tensor.ndim > 1 for tensor in copied.values()):
        raise InputError(f"{path}: no weight fits this backbone; published ResNet18 weights need model.width=64")
    backbone.net.load_state_dict(copied, strict=False)
    adapted = tuple(name for name in copied if given[name].shape != own[name].shape)
    return Transfer(
        taken=tuple(name for name in copied if name not in adapted),
        adapted=adapted,
        anew=tuple(name for name in own if name not in copied),
        unused=tuple(name for name in given if name not in copied),
    )


def _read(path: Path) -> dict[str, Tensor]:
    """Tensors by name, as the network itself calls them."""
    try:
        safe = path.suffix == ".safetensors"
        content: Any = load_file(path) if safe else torch.load(path, map_location="cpu", weights_only=True)
        content = dict(content).get("state_dict", content)
        return {name.removeprefix("module."): tensor for name, tensor in content.items() if isinstance(tensor, Tensor)}
    except (OSError, SafetensorError, pickle.UnpicklingError, RuntimeError, EOFError, TypeError, ValueError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise InputError(f"{path} holds no weights that can be read safely ({reason}); download it again") from None


def _fitted(given: Tensor, own: Tensor) -> Tensor | None:
    """The tensor in the shape wanted; a kernel may lose depth, for thick slices, and keeps its sum."""
    if given.shape == own.shape:
        return given
    if given.ndim != 5 or own.ndim != 5 or given.shape[:2] + given.shape[3:] != own.shape[:2] + own.shape[3:]:
        return None
    return F.interpolate(given.float(), size=own.shape[2:], mode="area") * (given.shape[2] / own.shape[2])
