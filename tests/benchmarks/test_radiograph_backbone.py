"""What teaches the weights that ship: systems, windows with their parts, losses, and a training that goes on."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from benchmarks.generate import backbone_windows as windows
from benchmarks.generate import radiograph_backbone as backbone
from benchmarks.generate.backbone_pictures import (
    LENGTHS,
    QUANTITIES,
    TILT,
    Kind,
    Part,
    Picture,
    draw_system,
    hardware,
)
from spinedet.radiograph.models.inverted import TABLES, InvertedNet
from spinedet.radiograph.models.weights import load_weights
from spinedet.simulation.radiograph.centers import CENTERS
from spinedet.simulation.radiograph.hardware import SYSTEMS

PITCH, LATERAL, STEP = (QUANTITIES.index(name) for name in ("pitch", "lateral", "step"))


def picture(kind: Kind = Kind.FRACTURES, leaning: float = 0.0, seed: int = 0) -> Picture:
    """A dark picture with two bright bodies that lean to the right by so many degrees; the second has a step."""
    rng = np.random.default_rng(seed)
    pixels = rng.integers(0, 60, (200, 160)).astype(np.uint8)
    places = np.array([[60.0, 80.0], [100.0, 130.0]], np.float32)
    for x, y in places.astype(int).tolist():
        pixels[y - 2 : y + 2, x - 2 : x + 2] = 255
    up = (np.sin(np.radians(leaning)), -np.cos(np.radians(leaning)))
    values = np.full((2, len(QUANTITIES)), np.nan, np.float32)
    values[:, STEP] = 0, 1
    whole = np.full(len(QUANTITIES), np.nan, np.float32)
    whole[LATERAL], whole[PITCH] = 1, 2.6
    part = Part.TULIP if kind is Kind.HARDWARE else Part.BODY
    return Picture(kind, pixels, 0.8, whole, places, np.array([up, up], np.float32), np.array([part, part]), values)


def test_systems_are_drawn_between_the_shipped_ones_and_are_none_of_them() -> None:
    rng = np.random.default_rng(0)
    drawn = [draw_system(rng) for _ in range(200)]
    assert not set(drawn) & set(SYSTEMS.values())
    for name in ("rod", "pitch", "bore"):
        values = [getattr(one, name) for one in drawn]
        shipped = [getattr(one, name) for one in SYSTEMS.values()]
        assert min(values) < min(shipped) + 0.2
        assert max(values) > max(shipped) - 0.2
    assert {one.core for one in drawn} == {one.core for one in SYSTEMS.values()}


def test_a_study_is_described_part_by_part() -> None:
    views = list(hardware(CENTERS["A"], np.random.default_rng(3)))
    assert [one.whole[LATERAL] for one in views] == [0, 1]
    for one in views:
        counts = np.bincount(one.parts, minlength=len(Part))
        assert counts[Part.TULIP] in (2, 4)
        assert counts[Part.SHANK] == counts[Part.ROD_END] == counts[Part.TULIP]
        assert np.isfinite(one.whole[PITCH])
        shanks = one.values[one.parts == Part.SHANK]
        assert (shanks[:, PITCH] == one.whole[PITCH]).all()
        assert np.isnan(one.values[one.parts == Part.TULIP][:, PITCH]).all()
        # Metal is whiter than what is around it.
        x, y = one.places[one.parts == Part.TULIP][0].astype(int)
        assert one.pixels[y - 2 : y + 3, x - 2 : x + 3].mean() > one.pixels.mean()


@pytest.mark.parametrize("mirrored", [False, True])
@pytest.mark.parametrize("degrees", [-20.0, 0.0, 35.0])
def test_parts_move_with_their_pixels(degrees: float, mirrored: bool) -> None:
    given = picture()
    pixels, _, places, _, parts = windows.sample(given, windows.Cut((82.0, 103.0), 0.9, degrees, mirrored), 128, None)
    assert len(places) == len(parts) == 2
    for x, y in places:
        column, row = int((x + 1) * 64), int((y + 1) * 64)
        assert pixels[row - 1 : row + 2, column - 1 : column + 2].mean() > 150


def test_a_vertebra_is_turned_upright_and_described() -> None:
    given = picture(leaning=25.0)
    for anchor, (_, whole, places, values, _) in enumerate(windows.usual(given, 128)):
        assert whole[STEP] == anchor
        assert whole[LATERAL] == 1
        assert np.abs(places).sum(1).min() == pytest.approx(0, abs=1e-5)
        assert values[:, TILT] == pytest.approx(0, abs=1e-4)


def test_lengths_are_those_that_a_network_sees() -> None:
    given = picture(Kind.HARDWARE)
    mean, scale = LENGTHS["pitch"]
    usual = windows.USUAL[Kind.HARDWARE] / given.mm
    for zoom in (usual, 2 * usual):
        _, whole, *_ = windows.sample(given, windows.Cut((80.0, 100.0), zoom), 128, None)
        assert whole[PITCH] * scale + mean == pytest.approx(2.6 * usual / zoom, rel=1e-5)


def test_a_batch_is_the_same_for_a_seed_and_never_out_of_range() -> None:
    given = [picture(kind, seed=seed) for kind in Kind for seed in (1, 2)]
    first, again, other = (windows.random_batch(given, 64, (1, step)) for step in (0, 0, 1))
    assert torch.equal(first.images, again.images)
    assert not torch.equal(first.images, other.images)
    assert first.images.shape == (sum(windows.SHARES.values()), 1, 64, 64)
    assert first.images.min() >= 0
    assert first.images.max() <= 1.1
    assert first.places.abs().max() <= 1
    assert ((first.parts >= 0) | torch.isnan(first.values).all(2)).all()


def test_what_is_not_known_costs_nothing() -> None:
    guess = torch.zeros(4, len(QUANTITIES), requires_grad=True)
    known = torch.full((4, len(QUANTITIES)), torch.nan)
    known[0, PITCH], known[1, STEP] = 2.0, 1.0
    losses = backbone.quantity_losses(guess, known)
    assert losses[PITCH].item() == pytest.approx(1.5)
    assert losses[STEP].item() == pytest.approx(float(np.log(2)))
    assert torch.isnan(losses).sum() == len(QUANTITIES) - 2
    torch.nanmean(losses).backward()
    assert guess.grad is not None
    assert torch.isfinite(guess.grad).all()
    assert guess.grad.count_nonzero() == 2


@pytest.mark.parametrize("table", ["efficientnet_lite0", "mobilenet_v3_large"])
def test_a_training_goes_on_where_it_stood_and_its_weights_fit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, table: str
) -> None:
    monkeypatch.setattr(backbone, "SIDE", 32)
    monkeypatch.setattr(windows, "SHARES", {Kind.HARDWARE: 2, Kind.FRACTURES: 1})
    given = [picture(kind) for kind in (Kind.HARDWARE, Kind.FRACTURES)]
    ends = []
    for name, stops in (("whole", (2,)), ("parts", (1, 2))):
        (tmp_path / name).mkdir()
        for stop in stops:
            torch.manual_seed(0)
            monkeypatch.setattr(backbone, "rate", lambda step, steps: 1e-3)
            network = backbone.Pretraining(table)
            backbone.train(network, given, tmp_path / name / "state.safetensors", stop)
        ends.append(network.state_dict())
    for name, tensor in ends[0].items():
        assert torch.allclose(tensor.float(), ends[1][name].float(), atol=1e-6), name
    save_file(backbone.shipped_form(network.backbone), tmp_path / "w.safetensors")
    target = InvertedNet(TABLES[table], 5)
    start = load_weights(target, tmp_path / "w.safetensors")
    assert not load_file(tmp_path / "w.safetensors").keys() & {"head.weight", "head.bias"}
    assert {one for one in start.anew if not one.endswith("num_batches_tracked")} == {"head.weight", "head.bias"}
    assert len(list(backbone.measure(network, given))) > 0
