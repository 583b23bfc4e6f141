"""Weights to begin with, from a local file that is read without running code in it."""

from __future__ import annotations

import pickle
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from spinedet.core.errors import InputError
from spinedet.core.files import sha256

_COUNTER = "num_batches_tracked"
# Where weights come from, beside those that ship.
FILE, RUN = "file", "run"


@dataclass(frozen=True, slots=True)
class Start:
    """What became of a weights file.

    Attributes:
        sha256: of the file. taken: names here. summed: first convolution, whose colours were added.
        anew: names here that the file has nothing for. how: `by name` or `in order`.
        source: `file`, `run` or `phantoms`, those that ship.
    """

    sha256: str
    taken: tuple[str, ...]
    summed: tuple[str, ...]
    anew: tuple[str, ...]
    how: str
    source: str = FILE


def load_weights(network: nn.Module, path: Path) -> Start:
    """Copy all weights but those of the labels.

    Tensors are matched by name (EfficientNet files count the blocks in one row, MONAI in stages), else in the order of
    a .pth (.safetensors keep none), if all shapes and the ends of all names agree.

    Raises:
        InputError: the file cannot be read safely, or its network is another one.
    """
    given = {name: tensor for name, tensor in _read(path).items() if not name.endswith(_COUNTER)}
    own = {name: tensor for name, tensor in network.state_dict().items() if not name.endswith(_COUNTER)}
    body = {name: tensor for name, tensor in own.items() if not name.startswith("head.")}
    ordered = {} if path.suffix == ".safetensors" else _in_order(body, given)
    for how, pairs in (("by name", _by_name(body, given)), ("in order", ordered)):
        fitted = {name: _fitted(given[theirs], body[name]) for name, theirs in pairs.items()}
        if pairs and len(pairs) == len(body) and all(tensor is not None for tensor in fitted.values()):
            copied = {name: tensor for name, tensor in fitted.items() if tensor is not None}
            network.load_state_dict(copied, strict=False)
            summed = tuple(name for name, theirs in pairs.items() if given[theirs].shape != body[name].shape)
            anew = tuple(name for name in own if name not in copied)
            return Start(sha256(path), tuple(copied), summed, anew, how)
    raise InputError(
        f"{path}: its {len(given)} tensors do not fit this network, which has {len(body)} before the labels; "
        "choose the network that the weights were made for"
    )


def reuse_weights(network: nn.Module, given: Mapping[str, Tensor], source: str, digest: str) -> Start:
    """Copy the weights of a network of an earlier run; those of the labels only if they have the same shape.

    A network and the frozen features of the same one take each other's.

    Args:
        given: by name. source: of the run, for messages. digest: SHA-256 of its weights file.

    Raises:
        InputError: its network is another one.
    """
    own, theirs = ({_plain(name): name for name in names} for names in (network.state_dict(), given))
    state = network.state_dict()
    body = [name for name in own if not name.startswith("head.")]
    unlike = [name for name in body if name not in theirs or given[theirs[name]].shape != state[own[name]].shape]
    if unlike or not body:
        raise InputError(
            f"init={source}: its network is another one than network= names (at {unlike[0] if unlike else 'all'}); "
            "choose the network that the run was made with"
        )
    head = [name for name in own if name not in body]
    if all(name in theirs and given[theirs[name]].shape == state[own[name]].shape for name in head):
        body += head
    copied = {own[name]: given[theirs[name]] for name in body}
    network.load_state_dict(copied, strict=False)
    anew = tuple(name for name in state if name not in copied)
    return Start(digest, tuple(copied), (), anew, "by name", RUN)


def _plain(name: str) -> str:
    """Of a tensor, whether its network stands alone or is the body of frozen features."""
    return name.removeprefix("backbone.")


def _read(path: Path) -> dict[str, Tensor]:
    try:
        safe = path.suffix == ".safetensors"
        content: Any = load_file(path) if safe else torch.load(path, map_location="cpu", weights_only=True)
        content = dict(content).get("state_dict", content)
        return {name.removeprefix("module."): tensor for name, tensor in content.items() if isinstance(tensor, Tensor)}
    except (OSError, SafetensorError, pickle.UnpicklingError, RuntimeError, EOFError, TypeError, ValueError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise InputError(f"{path} holds no weights that can be read safely ({reason}); download it again") from None


def _by_name(body: dict[str, Tensor], given: dict[str, Tensor]) -> dict[str, str]:
    pairs = {}
    for name in body:
        plain = name.removeprefix("net.")
        # MONAI: _blocks.STAGE.NUMBER.; published: _blocks.NUMBER.
        in_a_row = re.sub(r"^_blocks\.\d+\.(\d+)\.", r"_blocks.\1.", plain)
        theirs = next((one for one in (name, plain, in_a_row) if one in given), None)
        if theirs is not None:
            pairs[name] = theirs
    return pairs


def _in_order(body: dict[str, Tensor], given: dict[str, Tensor]) -> dict[str, str]:
    """The first tensors of the file, if what their names end with agrees; its own labels come last."""
    names = list(given)[: len(body)]
    alike = all(ours.rpartition(".")[2] == theirs.rpartition(".")[2] for ours, theirs in zip(body, names, strict=False))
    return dict(zip(body, names, strict=True)) if alike and len(names) == len(body) else {}


def _fitted(given: Tensor, own: Tensor) -> Tensor | None:
    """The tensor itself, or the first convolution with its three colours added, as for three equal ones."""
    if given.shape == own.shape:
        return given
    colors = given.ndim == own.ndim == 4 and given.shape[1] == 3 and own.shape[1] == 1
    return (
        given.sum(1, keepdim=True) if colors and given.shape[2:] == own.shape[2:] and len(given) == len(own) else None
    )
