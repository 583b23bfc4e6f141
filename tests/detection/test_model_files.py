"""A model on disk comes back as it was, or not at all."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from spinedet.core.anatomy import Plane, Region
from spinedet.core.errors import InputError
from spinedet.detection.model_files import Model, PlaneDetector, load_model, save_model
from spinedet.detection.models import ModelCard, build
from spinedet.detection.settings import TwoStageDetrConfig

CONFIG = TwoStageDetrConfig(width=4, channels=24, heads=2, decoder_layers=1, queries=6)
CARD = ModelCard(("degeneration",), (4.0, 2.0, 2.0), (40.0, 12.0, 35.0))


@pytest.fixture
def model() -> Model:
    torch.manual_seed(0)
    detectors = {plane: PlaneDetector(CONFIG, CARD, build(CONFIG, CARD).eval()) for plane in Plane}
    return Model("small", Region.CERVICAL, detectors)


def test_a_saved_model_finds_the_same(model: Model, tmp_path: Path) -> None:
    save_model(tmp_path, model)
    again = load_model(tmp_path)
    image = torch.randn(1, 1, 6, 40, 40)
    for plane, detector in model.detectors.items():
        first, second = detector.network.detect(image)[0], again.detectors[plane].network.detect(image)[0]
        assert torch.equal(first.boxes, second.boxes)
        assert torch.equal(first.scores, second.scores)
    assert (again.name, again.region, again.categories) == ("small", Region.CERVICAL, ("degeneration",))


def test_a_loaded_model_works_at_the_spacing_it_learned_at(model: Model, tmp_path: Path) -> None:
    save_model(tmp_path, model)
    detector = load_model(tmp_path).detectors[Plane.AXIAL]
    assert detector.spec(Plane.AXIAL).spacing == (4.0, 2.0, 2.0)


def test_damaged_weights_are_refused(model: Model, tmp_path: Path) -> None:
    save_model(tmp_path, model)
    weights = tmp_path / "weights.safetensors"
    weights.write_bytes(weights.read_bytes()[:1000])
    with pytest.raises(InputError, match=r"weights\.safetensors cannot be read"):
        load_model(tmp_path)


def test_missing_weights_are_named(model: Model, tmp_path: Path) -> None:
    save_model(tmp_path, model)
    description = tmp_path / "model.json"
    content = json.loads(description.read_text())
    content["planes"]["sagittal"]["model"]["decoder_layers"] = 2
    description.write_text(json.dumps(content))
    with pytest.raises(InputError, match="does not hold a whole model"):
        load_model(tmp_path)


@pytest.mark.parametrize(("key", "value"), [("format", "other"), ("version", 2)])
def test_other_formats_and_versions_are_refused(model: Model, tmp_path: Path, key: str, value: object) -> None:
    save_model(tmp_path, model)
    description = tmp_path / "model.json"
    description.write_text(json.dumps(json.loads(description.read_text()) | {key: value}))
    with pytest.raises(InputError, match="is no spinedet-model file of version 1"):
        load_model(tmp_path)


def test_an_unknown_kind_of_model_is_refused(model: Model, tmp_path: Path) -> None:
    save_model(tmp_path, model)
    description = tmp_path / "model.json"
    description.write_text(description.read_text().replace('"name": "set"', '"name": "future"'))
    with pytest.raises(InputError, match="another version of spinedet"):
        load_model(tmp_path)
