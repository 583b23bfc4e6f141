"""Trained networks of a task, their reference features for novelty, and their files without pickle."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import Tensor, nn

from spinedet.core.errors import InputError
from spinedet.core.files import read_json, write_bytes, write_json
from spinedet.core.radiograph import Task
from spinedet.radiograph.models import build
from spinedet.radiograph.settings import (
    EfficientNetConfig,
    FrozenConfig,
    InputConfig,
    InvertedConfig,
    LinearConfig,
    NetworkConfig,
)
from spinedet.radiograph.trainer import embed, logits_of
from spinedet.radiograph.view_router import ViewRouter

FORMAT = "spinedet-classifier"
DESCRIPTION, WEIGHTS = "model.json", "model.safetensors"
_KINDS = {
    "efficientnet": EfficientNetConfig,
    "inverted": InvertedConfig,
    "frozen": FrozenConfig,
    "linear": LinearConfig,
}
_BATCH = 32


@dataclass(frozen=True, eq=False)
class Part:
    """One network of a task: for one view, or for all.

    Attributes:
        labels: that it tells apart. views: that it reads.
        neighbours: (m, width) features of its training images, of length one, for the novelty of others.
    """

    name: str
    labels: tuple[str, ...]
    views: tuple[str, ...]
    config: NetworkConfig
    network: nn.Module
    neighbours: Tensor

    @property
    def parameters(self) -> int:
        """Numbers in the network."""
        return sum(parameter.numel() for parameter in self.network.parameters())

    def outputs(self, pixels: NDArray[np.float16], neighbours: int) -> Outputs:
        """What the network says of images (n, side, side), untempered."""
        features = embed(self.network, pixels)
        probability = logits_of(self.network, features).softmax(1)
        return Outputs(probability.double().numpy(), novelty(features, self.neighbours, neighbours))


@dataclass(frozen=True, slots=True, eq=False)
class Outputs:
    """Probabilities (n, labels) and novelty (n,)."""

    probability: NDArray[np.float64]
    novelty: NDArray[np.float64]


def unit_features(network: nn.Module, pixels: NDArray[np.float16]) -> Tensor:
    """Features of images scaled to length one, (n, width)."""
    return F.normalize(embed(network, pixels), dim=1)


def novelty(features: Tensor, known: Tensor, neighbours: int) -> NDArray[np.float64]:
    """Distance to the k-th nearest known image among features of length one (Sun et al. 2022, arXiv:2204.06507)."""
    nearest = min(neighbours, len(known))
    if not nearest:
        return np.full(len(features), np.nan)
    distances = torch.cdist(F.normalize(features, dim=1), known.to(features.dtype))
    return distances.kthvalue(nearest, dim=1).values.double().numpy()


@dataclass(frozen=True, eq=False)
class ImageClassifier:
    """All networks of a task.

    Attributes:
        name: as reports print it. neighbours: training images whose distance counts for novelty.
    """

    name: str
    task: Task
    input: InputConfig
    parts: tuple[Part, ...]
    router: ViewRouter | None
    neighbours: int

    def part_for(self, view: str | None) -> Part | None:
        """The network that reads images of a view; None where there is none, or several and the view is not known."""
        if view is None:
            return self.parts[0] if len(self.parts) == 1 else None
        return next((part for part in self.parts if view in part.views), None)

    def to(self, device: torch.device) -> ImageClassifier:
        """The same with its networks on this device."""
        parts = (replace(part, network=part.network.to(device)) for part in self.parts)
        return replace(self, parts=tuple(parts))


def save_classifier(folder: Path, classifier: ImageClassifier) -> None:
    """Write `model.json` and `model.safetensors`."""
    weights: dict[str, Tensor] = {}
    for part in classifier.parts:
        weights |= {f"{part.name}.network.{name}": tensor for name, tensor in part.network.state_dict().items()}
        weights[f"{part.name}.neighbours"] = part.neighbours.half()
    if classifier.router:
        router = {name: getattr(classifier.router, name) for name in ("mean", "scale", "weight", "bias")}
        weights |= {f"router.{name}": torch.from_numpy(np.ascontiguousarray(array)) for name, array in router.items()}
    write_bytes(folder / WEIGHTS, save({name: tensor.contiguous() for name, tensor in weights.items()}))
    write_json(
        folder / DESCRIPTION,
        {
            "format": FORMAT,
            "version": 1,
            "name": classifier.name,
            "task": classifier.task.model_dump(mode="json"),
            "input": asdict(classifier.input),
            "neighbours": classifier.neighbours,
            "router": classifier.router.views if classifier.router else None,
            "parts": [_described(part) for part in classifier.parts],
        },
    )


def _described(part: Part) -> dict[str, Any]:
    kind = next(name for name, config in _KINDS.items() if isinstance(part.config, config))
    # Where the weights began stands in the run's record; a path is nobody else's.
    network = {key: value for key, value in asdict(part.config).items() if key != "weights"}
    return {"name": part.name, "labels": part.labels, "views": part.views, "network": {"kind": kind, **network}}


def load_classifier(folder: Path) -> ImageClassifier:
    """Rebuild a saved classifier on the CPU, ready for inference; no pickle is read.

    Raises:
        InputError: a file is missing, damaged or of another version.
    """
    content = read_json(folder / DESCRIPTION)
    if not isinstance(content, dict) or content.get("format") != FORMAT or content.get("version") != 1:
        raise InputError(f"{folder / DESCRIPTION} is no {FORMAT} file of version 1")
    try:
        weights = load_file(folder / WEIGHTS)
    except (OSError, SafetensorError) as error:
        raise InputError(f"{folder / WEIGHTS} cannot be read ({error}); copy the model folder again") from None
    try:
        return ImageClassifier(
            name=content["name"],
            task=Task.model_validate({key: _frozen(value) for key, value in content["task"].items()}),
            input=InputConfig(**content["input"]),
            parts=tuple(_rebuilt(part, weights) for part in content["parts"]),
            router=_router(content["router"], weights),
            neighbours=content["neighbours"],
        )
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        message = str(error).splitlines()[0]
        raise InputError(f"{folder} does not hold a whole model ({message}); copy the model folder again") from None


def _rebuilt(part: Mapping[str, Any], weights: Mapping[str, Tensor]) -> Part:
    settings = dict(part["network"])
    kind = _KINDS[settings.pop("kind")]
    known = {one.name for one in fields(kind)}
    settings["weights"] = None  # those of the part follow
    config: Any = kind(**{key: value for key, value in settings.items() if key in known})
    name = part["name"]
    network = build(config, len(part["labels"]))
    prefix = f"{name}.network."
    network.load_state_dict({key.removeprefix(prefix): one for key, one in weights.items() if key.startswith(prefix)})
    neighbours = weights[f"{name}.neighbours"].float()
    return Part(name, tuple(part["labels"]), tuple(part["views"]), config, network.eval(), neighbours)


def _router(views: list[str] | None, weights: Mapping[str, Tensor]) -> ViewRouter | None:
    if views is None:
        return None
    arrays = {name: weights[f"router.{name}"].numpy() for name in ("mean", "scale", "weight", "bias")}
    return ViewRouter(views=tuple(views), **arrays)


def _frozen(value: Any) -> Any:
    """JSON's lists as tuples."""
    return tuple(map(_frozen, value)) if isinstance(value, list) else value
