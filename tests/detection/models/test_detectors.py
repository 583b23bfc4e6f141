"""The contract that every detector keeps."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from spinedet.core.anatomy import Plane, Region
from spinedet.core.errors import InputError
from spinedet.detection.batch import Batch, Structures, Targets
from spinedet.detection.model_files import Model, PlaneDetector, load_model, save_model
from spinedet.detection.models import CONFIGS, Detector, ModelCard, ModelConfig, build
from spinedet.detection.settings import GraderConfig, RetinaNetConfig

CARD = ModelCard(
    categories=("bulge", "stenosis"),
    spacing=(4.0, 1.6, 1.6),
    mean_size=(40.0, 12.0, 35.0),
    sizes=((16.0, 8.0, 16.0), (24.0, 12.0, 24.0)),
    structures=True,
    grades=("pfirrmann", "bulging"),
)
SHAPE = (8, 48, 32)
SMALL: dict[str, dict[str, Any]] = {
    "set": {"width": 4, "channels": 24, "heads": 2, "decoder_layers": 2, "queries": 6},
    "graded": {
        "width": 4,
        "channels": 24,
        "heads": 2,
        "decoder_layers": 2,
        "queries": 6,
        "grader": GraderConfig(width=4, channels=8, heads=2, dropout=0.0),
    },
    "dense": {"width": 4, "channels": 24, "heads": 2, "queries": 6},
    "detr": {"width": 4, "channels": 24, "heads": 2, "encoder_layers": 1, "decoder_layers": 2, "queries": 6},
    "retinanet": {"width": 4, "channels": 24},
}
# Each is trained and stored like the others: the choices of `model=`, and what can be switched within one.
VARIANTS: dict[str, tuple[str, dict[str, Any]]] = {
    **{name: (name, {}) for name in CONFIGS},
    "set without denoising": ("set", {"denoising": 0}),
    "set with one token for each lesion": ("set", {"positives": 1}),
    "set with any proposals": ("set", {"overlap": 1.0}),
    "set without auxiliary losses": ("set", {"auxiliary": 0.0}),
    "set with plain scores": ("set", {"least_quality": 1.0}),
    "set whose decoder changes the features": ("set", {"apart": False}),
    "set that grades": ("set", {"severity": 3}),
    "dense that grades": ("dense", {"severity": 3}),
    "retinanet with focal loss": ("retinanet", {"negatives": "focal"}),
    "retinanet on several levels": ("retinanet", {"levels": ["fine", "coarse"]}),
}
GRADING = ["set that grades", "dense that grades"]


def config_of(variant: str) -> ModelConfig:
    name, switched = VARIANTS[variant]
    return replace(CONFIGS[name](), **SMALL[name], **switched)


def seeded(variant: str) -> Detector:
    torch.manual_seed(0)
    return build(config_of(variant), CARD)


@pytest.fixture(params=VARIANTS)
def config(request: pytest.FixtureRequest) -> ModelConfig:
    return config_of(request.param)


@pytest.fixture
def detector(config: ModelConfig) -> Detector:
    torch.manual_seed(0)
    return build(config, CARD)


def lesions(count: int, ignored: int = 0) -> Targets:
    boxes = torch.tensor([[16.0, 20.0 + 12 * n, 25.0, 20.0, 10.0, 20.0] for n in range(count)]).reshape(-1, 6)
    ignore = torch.tensor([n < ignored for n in range(count)], dtype=torch.bool)
    grades = torch.tensor([[1.0 + n, n % 2, torch.nan, torch.nan] for n in range(count)]).reshape(-1, 4)
    structures = Structures(boxes, torch.nn.functional.one_hot(torch.arange(count) % 2, 2).float(), ignore, grades)
    return Targets(boxes, torch.arange(count) % 2, ignore, torch.arange(count) % 4 + 0.0, structures)


def batch(*targets: Targets) -> Batch:
    torch.manual_seed(1)
    return Batch(torch.randn(len(targets), 1, *SHAPE), targets, Plane.SAGITTAL)


def total(losses: dict[str, Tensor]) -> Tensor:
    return torch.stack(list(losses.values())).sum()


@pytest.mark.parametrize(
    "targets",
    [
        (lesions(3), lesions(1)),
        (lesions(2), lesions(0)),
        (lesions(0), lesions(0)),
        (lesions(2, ignored=2), lesions(1)),
    ],
    ids=["several", "one lesion-free", "all lesion-free", "ignored"],
)
def test_losses_are_finite_and_reach_every_parameter(detector: Detector, targets: tuple[Targets, ...]) -> None:
    losses = detector.losses(batch(*targets))
    assert all(torch.isfinite(value) for value in losses.values())
    total(losses).backward()
    unreached = [name for name, p in detector.named_parameters() if p.grad is None]
    assert unreached == []


def test_with_lesions_no_gradient_is_all_zero(config: ModelConfig, detector: Detector) -> None:
    total(detector.losses(batch(lesions(3), lesions(2)))).backward()
    silent = [name for name, p in detector.named_parameters() if not p.grad.abs().sum() > 0]
    # Keys' biases shift every logit alike, so softmax cannot feel them; heads without losses of their own are still.
    expected = ["key.bias"] if getattr(config, "auxiliary", True) else ["key.bias", "deltas.0", "scores.0"]
    assert [name for name in silent if not any(part in name for part in expected)] == []


def test_the_names_of_the_losses_do_not_depend_on_the_batch(detector: Detector) -> None:
    assert detector.losses(batch(lesions(3))).keys() == detector.losses(batch(lesions(0))).keys()


def test_a_few_steps_lower_the_loss(detector: Detector) -> None:
    example = batch(lesions(3), lesions(1))
    optimiser = torch.optim.AdamW(detector.parameters(), lr=2e-3)
    values = []
    for _ in range(30):
        loss = total(detector.losses(example))
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        values.append(loss.item())
    assert sum(values[-3:]) < 0.85 * sum(values[:3])


@pytest.mark.parametrize("shape", [SHAPE, (5, 61, 37), (2, 24, 24), (20, 48, 96)])
def test_any_volume_can_be_looked_at(detector: Detector, shape: tuple[int, int, int]) -> None:
    found = detector.eval().detect(torch.randn(1, 1, *shape))[0]
    assert found.boxes.shape == (len(found.scores), 6)
    assert found.scores.shape[1] == len(CARD.categories)
    assert torch.isfinite(found.boxes).all()
    assert (found.boxes[:, 3:] > 0).all()
    assert ((found.scores >= 0) & (found.scores <= 1)).all()


def test_looking_twice_gives_the_same(detector: Detector) -> None:
    image = torch.randn(1, 1, *SHAPE)
    detector.eval()
    first, second = detector.detect(image)[0], detector.detect(image)[0]
    assert torch.equal(first.boxes, second.boxes)
    assert torch.equal(first.scores, second.scores)


def test_a_scan_is_judged_alone_whatever_else_is_in_the_batch(detector: Detector) -> None:
    images = torch.randn(2, 1, *SHAPE)
    detector.eval()
    alone, together = detector.detect(images[:1])[0], detector.detect(images)[0]
    assert torch.allclose(alone.scores, together.scores, atol=1e-4)


def test_a_stored_detector_finds_the_same(config: ModelConfig, detector: Detector, tmp_path: Path) -> None:
    part = PlaneDetector(config, CARD, detector.eval())
    save_model(tmp_path, Model("small", Region.LUMBAR, {Plane.SAGITTAL: part}))
    again = load_model(tmp_path).detectors[Plane.SAGITTAL]
    assert (again.config, again.card) == (config, CARD)
    image = torch.randn(1, 1, *SHAPE)
    first, second = detector.detect(image)[0], again.network.detect(image)[0]
    assert torch.equal(first.boxes, second.boxes)
    assert torch.equal(first.scores, second.scores)


@pytest.mark.parametrize(
    ("wrong", "told"),
    [({"levels": ["top"]}, "levels"), ({"negatives": "soft"}, "negatives"), ({"channels": 12}, "multiple of 8")],
)
def test_the_peer_refuses_settings_it_does_not_know(wrong: dict[str, Any], told: str) -> None:
    with pytest.raises(InputError, match=told):
        RetinaNetConfig(**wrong)


def test_targets_refuse_boxes_of_no_size() -> None:
    with pytest.raises(ValueError, match="size above 0"):
        Targets(
            torch.tensor([[1.0, 1, 1, 0, 2, 2]]), torch.zeros(1, dtype=torch.long), torch.zeros(1, dtype=torch.bool)
        )


def test_a_decoder_apart_leaves_the_dense_stage_to_its_own_losses() -> None:
    torch.manual_seed(0)
    detector = build(config_of("set"), CARD)
    losses = detector.losses(Batch(torch.randn(1, 1, *SHAPE), (lesions(2),), Plane.SAGITTAL))
    torch.stack([term for name, term in losses.items() if not name.startswith("dense/")]).sum().backward()
    learned = {name.split(".")[0] for name, p in detector.named_parameters() if p.grad is not None and p.grad.any()}
    assert learned == {"decoder"}
