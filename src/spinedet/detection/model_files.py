"""A trained detector on disk: `weights.safetensors` and `model.json`, everything that rebuilds it."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save

from spinedet.core.anatomy import Plane, Region
from spinedet.core.errors import InputError
from spinedet.core.files import read_json, validate, write_bytes, write_json
from spinedet.core.types import TrainedOn
from spinedet.detection.models import Detector, ModelCard, ModelConfig, build, config_from
from spinedet.detection.test_time_augmentation import TestTimeAugmentation
from spinedet.imaging.planes import SPECS, PlaneSpec

FORMAT = "spinedet-model"
WEIGHTS, DESCRIPTION = "weights.safetensors", "model.json"


@dataclass(frozen=True, eq=False)
class PlaneDetector:
    """One plane's detector with the geometry of its input; `others` form an ensemble with the network."""

    config: ModelConfig
    card: ModelCard
    network: Detector
    others: tuple[Detector, ...] = ()

    def spec(self, plane: Plane) -> PlaneSpec:
        """The plane at the spacing that the network was trained on."""
        return replace(SPECS[plane], spacing=self.card.spacing)


@dataclass(frozen=True, eq=False)
class Model:
    """The detectors of a run, one for each plane, and the augmentation of volumes at test time.

    Attributes:
        trained_on: what the weights were trained on; None when unknown.
    """

    name: str
    region: Region
    detectors: dict[Plane, PlaneDetector]
    augmentation: TestTimeAugmentation = field(default_factory=TestTimeAugmentation)
    trained_on: TrainedOn | None = None

    @property
    def categories(self) -> tuple[str, ...]:
        """Categories of lesions, in the order of the scores."""
        return next(iter(self.detectors.values())).card.categories


def save_model(folder: Path, model: Model) -> None:
    """Write a model so that `load_model` gives it back."""
    # A copy each: planes may share weights, and are stored whole.
    weights = {
        f"{plane.value}.{name}": tensor.detach().cpu().clone(memory_format=torch.contiguous_format)
        for plane, detector in model.detectors.items()
        for name, tensor in detector.network.state_dict().items()
    }
    write_bytes(folder / WEIGHTS, save(weights))
    planes = {p.value: {"model": asdict(d.config), "card": asdict(d.card)} for p, d in model.detectors.items()}
    header: dict[str, Any] = {
        "format": FORMAT,
        "version": 1,
        "space": "RAS",
        "name": model.name,
        "region": model.region.value,
    }
    if model.trained_on is not None:
        header["trained_on"] = model.trained_on.model_dump(mode="json")
    write_json(folder / DESCRIPTION, {**header, "categories": model.categories, "planes": planes})


def load_model(folder: Path) -> Model:
    """Rebuild a saved model on the CPU, ready for inference; no pickle is read.

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
        detectors = {Plane(name): _rebuilt(name, part, weights) for name, part in content["planes"].items()}
        recorded = content.get("trained_on")
        trained_on = None if recorded is None else validate(folder / DESCRIPTION, TrainedOn, recorded)
        return Model(content["name"], Region(content["region"]), detectors, trained_on=trained_on)
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        message = str(error).splitlines()[0]
        raise InputError(f"{folder} does not hold a whole model ({message}); copy the model folder again") from None


def _rebuilt(plane: str, part: dict[str, Any], weights: dict[str, torch.Tensor]) -> PlaneDetector:
    config = config_from(part["model"])
    card = ModelCard(**{name: _frozen(value) for name, value in part["card"].items()})
    network = build(config, card)
    network.load_state_dict({n.removeprefix(f"{plane}."): t for n, t in weights.items() if n.startswith(f"{plane}.")})
    return PlaneDetector(config, card, network.eval())


def _frozen(value: Any) -> Any:
    """JSON's lists as tuples."""
    return tuple(map(_frozen, value)) if isinstance(value, list) else value
