"""One network for several planes: which weights are common, how it learns, and that each plane's detector is whole."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from spinedet.core.anatomy import Plane, Region
from spinedet.core.errors import InputError
from spinedet.detection.batch import Batch
from spinedet.detection.model_files import Model, PlaneDetector, load_model, save_model
from spinedet.detection.models import Detector, SharedDetector, build
from spinedet.detection.settings import RetinaNetConfig
from spinedet.detection.trainer import train_network
from spinedet.training.checkpoints import newest_checkpoint
from spinedet.training.preemption import Preempted
from tests.detection.conftest import MakeStudy
from tests.detection.tiny import AfterSteps, plan, same, settings, turned

from .test_detectors import CARD, SHAPE, VARIANTS, config_of, lesions, total

# Boxes and voxels of the other plane are of other sizes.
AXIAL_CARD = replace(CARD, spacing=(4.0, 2.0, 2.0), mean_size=(10.0, 20.0, 30.0))
SHAPES = {Plane.SAGITTAL: SHAPE, Plane.AXIAL: (10, 32, 40)}


@pytest.fixture(params=VARIANTS)
def networks(request: pytest.FixtureRequest) -> dict[Plane, Detector]:
    torch.manual_seed(0)
    config = config_of(request.param)
    return {Plane.SAGITTAL: build(config, CARD), Plane.AXIAL: build(config, AXIAL_CARD)}


def batch(plane: Plane) -> Batch:
    torch.manual_seed(1)
    return Batch(torch.randn(2, 1, *SHAPES[plane]), (lesions(2), lesions(1)), plane)


def test_all_weights_are_common_but_for_the_embeddings(networks: dict[Plane, Detector]) -> None:
    SharedDetector(networks)
    sagittal, axial = (dict(network.named_parameters()) for network in networks.values())
    own = {name for name, parameter in sagittal.items() if axial[name] is not parameter}
    assert own == set(networks[Plane.SAGITTAL].embeddings)
    assert own


@pytest.mark.parametrize("plane", Plane)
def test_every_parameter_has_a_gradient_in_each_planes_turn(networks: dict[Plane, Detector], plane: Plane) -> None:
    shared = SharedDetector(networks)
    total(shared.losses(batch(plane))).backward()
    assert [name for name, parameter in shared.named_parameters() if parameter.grad is None] == []
    for turn, network in networks.items():
        felt = [bool(network.get_parameter(name).grad.abs().sum() > 0) for name in network.embeddings]
        assert felt == [turn is plane] * len(felt)


def test_a_planes_turn_teaches_the_other_and_leaves_what_is_its_own(networks: dict[Plane, Detector]) -> None:
    shared, axial = SharedDetector(networks), networks[Plane.AXIAL]
    before = {name: tensor.clone() for name, tensor in axial.state_dict().items()}
    optimiser = torch.optim.SGD(shared.parameters(), lr=0.1)
    total(shared.losses(batch(Plane.SAGITTAL))).backward()
    optimiser.step()
    changed = {name for name, tensor in axial.state_dict().items() if not torch.equal(tensor, before[name])}
    own = {*axial.embeddings, *(name for name, _ in axial.named_buffers())}
    assert not changed & own
    assert changed >= {name for name in before if name.endswith("conv1.weight")}


def test_each_plane_is_asked_through_its_own_network(networks: dict[Plane, Detector]) -> None:
    shared = SharedDetector(networks).eval()
    for plane, network in networks.items():
        scans = batch(plane)
        for through, direct in zip(shared.predict(scans), network.detect(scans.images), strict=True):
            assert torch.equal(through.boxes, direct.boxes)


def test_networks_of_different_shapes_are_refused() -> None:
    few = replace(AXIAL_CARD, sizes=AXIAL_CARD.sizes[:1])
    config = RetinaNetConfig(width=4, channels=24)
    with pytest.raises(InputError, match="planes whose networks agree"):
        SharedDetector({Plane.SAGITTAL: build(config, CARD), Plane.AXIAL: build(config, few)})


def both(studies: list[Any], folder: Path, **more: Any) -> list[Any]:
    sagittal = plan(studies, folder, **more)
    return [sagittal, turned(sagittal)]


@pytest.fixture
def studies(make_study: MakeStudy) -> list[Any]:
    return [make_study(f"s{n}", seed=n) for n in range(5)]


def test_a_shared_training_gives_every_plane_a_detector_that_can_be_stored(studies: list[Any], tmp_path: Path) -> None:
    scored: list[int] = []
    plans = [
        replace(each, score=lambda found: float(scored.append(len(found)) or 1)) for each in both(studies, tmp_path)
    ]
    detectors = dict(zip((Plane.SAGITTAL, Plane.AXIAL), train_network(plans, settings()), strict=True))
    assert scored == [1, 1]  # one tuning scan of each plane, after the second of three epochs
    save_model(tmp_path / "model", Model("shared", Region.LUMBAR, detectors))
    again = load_model(tmp_path / "model").detectors
    sagittal, axial = (again[plane].network.state_dict() for plane in detectors)
    for plane, detector in detectors.items():
        assert same(again[plane].network.state_dict(), detector.network.state_dict())
    own = {name for name in sagittal if not torch.equal(sagittal[name], axial[name])}
    assert own >= set(detectors[Plane.AXIAL].network.embeddings)
    assert all(name in detectors[Plane.AXIAL].network.embeddings or "running" in name for name in own)


def test_a_shared_training_interrupted_at_any_step_ends_with_the_same_weights(
    studies: list[Any], tmp_path: Path
) -> None:
    whole = train_network(both(studies, tmp_path / "whole"), settings(max_epochs=1))
    folder, runs, done = tmp_path / "broken", 0, []
    while not done:
        start = newest_checkpoint(folder / "checkpoints")
        try:
            done = train_network(both(studies, folder, start=start, stop=AfterSteps(1)), settings(max_epochs=1))
        except Preempted:
            runs += 1
            assert runs < 10
    assert runs == 4  # two steps of each plane, of which the last ends the epoch
    assert all(same(a.network.state_dict(), b.network.state_dict()) for a, b in zip(done, whole, strict=True))


def test_a_shared_training_starts_from_the_first_planes_weights_and_each_ones_embeddings(
    studies: list[Any], tmp_path: Path
) -> None:
    model, card = settings().model, replace(CARD, categories=("degeneration",))
    initial = [PlaneDetector(model, card, build(model, card)) for _ in range(2)]
    plans = [replace(each, initial=one) for each, one in zip(both(studies, tmp_path), initial, strict=True)]
    sagittal, axial = (one.network.state_dict() for one in train_network(plans, settings(max_epochs=0)))
    first, second = (one.network.state_dict() for one in initial)
    for name in dict(initial[0].network.named_parameters()):
        own = name in initial[0].network.embeddings
        assert torch.equal(sagittal[name], first[name])
        assert torch.equal(axial[name], second[name] if own else first[name])
