"""The learning rate's budget and its share by depth, the averaged weights, and what is taken over."""

from __future__ import annotations

from datetime import timedelta
from types import SimpleNamespace

import pytest
import torch
from pytorch_lightning.callbacks import Timer

from spinedet.core.errors import InputError
from spinedet.detection.lightning_module import DetectionModule, parameter_groups
from spinedet.detection.models import Detector, ModelCard, build
from spinedet.detection.models.backbone import Backbone
from spinedet.detection.settings import MODELS, RecipeConfig, TwoStageDetrConfig
from spinedet.detection.trainer import copy_matching_weights
from spinedet.training.callbacks import _ramped
from spinedet.training.schedule import budget_used, rate, seconds


def test_the_rate_rises_to_its_peak_then_falls_to_nothing() -> None:
    assert rate(0.05, warmup=0.1) == pytest.approx(0.5)
    assert rate(0.1, warmup=0.1) == pytest.approx(1)
    assert rate(0.55, warmup=0.1) == pytest.approx(0.5)
    assert rate(1.0, warmup=0.1) == pytest.approx(0)
    assert rate(0.0, warmup=0.1) > 0


def trainer(steps: float, done: int, *callbacks: Timer) -> SimpleNamespace:
    return SimpleNamespace(estimated_stepping_batches=steps, global_step=done, callbacks=list(callbacks))


def test_the_budget_is_spent_by_steps() -> None:
    assert budget_used(trainer(200, 50)) == 0.25  # type: ignore[arg-type]  # it needs no more of a trainer


def test_the_budget_is_spent_by_time_only_where_no_steps_are_planned() -> None:
    timer = Timer(timedelta(seconds=100))
    timer._offset = 60
    assert budget_used(trainer(float("inf"), 50, timer)) == pytest.approx(0.6)  # type: ignore[arg-type]  # likewise
    assert budget_used(trainer(60, 6, timer)) == pytest.approx(0.1)  # type: ignore[arg-type]  # likewise


def test_durations_are_read_as_lightning_writes_them() -> None:
    assert seconds("01:02:03:04") == timedelta(days=1, hours=2, minutes=3, seconds=4)
    assert seconds(None) is None
    with pytest.raises(InputError, match=r"trainer\.max_time=5 minutes"):
        seconds("5 minutes")
    with pytest.raises(InputError, match=r"trainer\.max_time=00:00:00:00 is no time"):
        seconds("00:00:00:00")


def test_the_average_forgets_its_first_steps() -> None:
    mean, new = [torch.zeros(3), torch.tensor(0)], [torch.ones(3), torch.tensor(7)]
    _ramped(0.99)(mean, new, 0)
    assert mean[0].tolist() == pytest.approx([0.9] * 3)  # keeps 1/10 at first
    assert mean[1].item() == 7  # counters are copied
    late = [torch.zeros(3)]
    _ramped(0.99)(late, [torch.ones(3)], 10_000)
    assert late[0].tolist() == pytest.approx([0.01] * 3)


def detector() -> Detector:
    return build(
        TwoStageDetrConfig(width=4, channels=16, decoder_layers=1, queries=2), ModelCard(("d",), (4, 1, 1), (8, 9, 9))
    )


def test_every_part_of_the_backbone_learns_slower_than_the_next() -> None:
    network = detector()
    groups = parameter_groups(network, RecipeConfig(lr=1.0, layer_decay=0.5))
    rates = {id(p): group["lr"] for group in groups for p in group["params"]}
    assert len(rates) == len(list(network.parameters()))
    of = {name: rates[id(p)] for name, p in network.named_parameters()}
    net = "dense.backbone.net"
    stages = [of[f"{net}.{part}.weight"] for part in ("conv1", "layer1.0.conv1", "layer2.0.conv1", "layer3.0.conv1")]
    assert stages == [1 / 16, 1 / 8, 1 / 4, 1 / 2]
    assert {rate for name, rate in of.items() if not name.startswith(net)} == {1.0}


def test_matrices_decay_and_biases_do_not() -> None:
    for group in parameter_groups(detector(), RecipeConfig(weight_decay=0.1)):
        assert {p.ndim > 1 for p in group["params"]} == {group["weight_decay"] > 0}


def test_a_frozen_backbone_neither_learns_nor_adapts_its_normalisation() -> None:
    module = DetectionModule(detector(), RecipeConfig(layer_decay=0.0)).train()
    backbone = next(part for part in module.modules() if isinstance(part, Backbone))
    assert not any(p.requires_grad for p in backbone.parameters())
    assert not any(part.training for part in backbone.modules())
    assert module.detector.training
    learning = [p for group in parameter_groups(module.detector, module.recipe) for p in group["params"]]
    assert len(learning) == len([p for p in module.parameters() if p.requires_grad])


@pytest.mark.parametrize("decay", [-0.1, 1.1])
def test_a_decay_that_is_no_share_is_refused(decay: float) -> None:
    with pytest.raises(InputError, match=r"recipe\.layer_decay"):
        RecipeConfig(layer_decay=decay)


def test_what_fits_is_taken_over_and_the_rest_starts_anew() -> None:
    source, target = torch.nn.Linear(2, 3), torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.Linear(3, 1))
    named = torch.nn.ModuleDict({"0": source, "1": torch.nn.Linear(3, 2)})
    reuse = copy_matching_weights(target, named)
    assert reuse.reused == ("0.weight", "0.bias")
    assert reuse.fresh == ("1.weight", "1.bias")
    assert reuse.share == pytest.approx(9 / 13)  # 6 + 3 of 6 + 3 + 3 + 1 numbers
    assert torch.equal(target[0].weight, source.weight)


@pytest.mark.parametrize(
    ("device", "precision", "fused"),
    [("cpu", "bf16-mixed", False), ("cuda", "bf16-mixed", True), ("cuda", "16-mixed", False)],
)
def test_a_gpu_steps_with_one_kernel_unless_gradients_are_scaled(
    monkeypatch: pytest.MonkeyPatch, device: str, precision: str, fused: bool
) -> None:
    module = DetectionModule(detector(), RecipeConfig())
    steps = SimpleNamespace(precision=precision, estimated_stepping_batches=10, global_step=0, callbacks=[])
    monkeypatch.setattr(DetectionModule, "trainer", steps)
    monkeypatch.setattr(DetectionModule, "device", torch.device(device))
    assert module.configure_optimizers()["optimizer"].defaults["fused"] is fused


def test_the_large_network_has_its_stated_size() -> None:
    card = ModelCard(("d",), (4.0, 1.6, 1.6), (44.0, 14.0, 40.0), ((44.0, 14.0, 40.0),))
    network = build(MODELS["set_large"], card)
    assert sum(part.numel() for part in network.parameters()) == 12_402_268  # docs/detector.md
    assert len(network.detect(torch.zeros(1, 1, 4, 32, 32))) == 1
