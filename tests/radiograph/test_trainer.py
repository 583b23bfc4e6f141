"""Gradients: the same weights for a seed, also after an interruption, and a loss that falls."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from spinedet.radiograph.batches import TrainingImages
from spinedet.radiograph.development import repeated_rows
from spinedet.radiograph.settings import InvertedConfig, LearningConfig, VariationConfig
from spinedet.radiograph.trainer import PartPlan, Recipe, embed, label_weights, train_part
from spinedet.training.checkpoints import newest_checkpoint
from spinedet.training.preemption import Preempted, StopSignal
from spinedet.training.samplers import Draw
from spinedet.training.settings import TrainerConfig

PLAIN = VariationConfig(shift=0, scale=0, degrees=0, gamma=0, noise=0)


def plan(folder: Path, **more: Any) -> PartPlan:
    random = np.random.default_rng(0)
    pixels = random.random((12, 32, 32)).astype(np.float16) * 0.2
    reference = np.arange(12) % 2
    pixels[reference == 1, 8:16] += 0.7
    folder.mkdir(exist_ok=True)
    names = tuple(f"s{row}" for row in range(12))
    return PartPlan(("a", "b"), pixels, reference, names, folder=folder, **more)


def recipe(steps: int = 6) -> Recipe:
    trainer = TrainerConfig(max_steps=steps, deterministic=True, accelerator="cpu")
    return Recipe(InvertedConfig("mnasnet_b1"), VariationConfig(), LearningConfig(batch=4), trainer)


def test_a_seed_gives_its_weights_also_after_an_interruption(tmp_path: Path) -> None:
    whole = train_part(plan(tmp_path / "whole"), recipe())
    assert whole.length.steps == 6
    stop = StopSignal()

    def interrupt(progress: Any) -> None:
        stop.signal = 15

    with pytest.raises(Preempted):
        train_part(plan(tmp_path / "part", stop=stop, on_progress=interrupt), recipe())
    start = newest_checkpoint(tmp_path / "part")
    assert start is not None
    assert start.position.steps + start.position.epoch > 0
    resumed = train_part(plan(tmp_path / "part", start=start), recipe())
    assert resumed.length.steps == 6
    for name, tensor in whole.network.state_dict().items():
        assert torch.equal(tensor, resumed.network.state_dict()[name]), name


def test_no_variation_leaves_images_as_they_are() -> None:
    pixels = np.random.default_rng(0).random((3, 16, 16)).astype(np.float16)
    images = TrainingImages(pixels, np.array([0, 1, 0]), PLAIN, seed=1)
    batch = images.batch([Draw(0, 2), Draw(0, 0)])
    assert torch.allclose(batch.images[:, 0], torch.from_numpy(pixels[[2, 0]].astype(np.float32)), atol=1e-5)
    assert batch.labels.tolist() == [0, 0]


def test_variation_follows_from_seed_epoch_and_image() -> None:
    pixels = np.random.default_rng(0).random((3, 16, 16)).astype(np.float16)
    images = TrainingImages(pixels, np.array([0, 1, 0]), VariationConfig(noise=0), seed=1)
    first, again, later = (images.batch([Draw(epoch, 1)]).images for epoch in (0, 0, 1))
    assert torch.equal(first, again)
    assert not torch.equal(first, later)
    among = images.batch([Draw(0, 2), Draw(0, 1)]).images[1:]
    assert torch.allclose(first, among)


def test_a_shift_is_a_share_of_the_side() -> None:
    pixels = np.zeros((1, 40, 40), np.float16)
    pixels[0, 20, 20] = 1
    images = TrainingImages(pixels, np.array([0]), VariationConfig(0.1, 0, 0, 0, 0), seed=3)
    places = [np.argwhere(images.batch([Draw(epoch, 0)]).images[0, 0].numpy() > 0.2) for epoch in range(40)]
    moved = np.concatenate(places) - 20
    assert 2 <= np.abs(moved).max() <= 4


def test_mirrored_images_exchange_left_and_right_as_often_as_is_said() -> None:
    pixels = np.zeros((1, 16, 16), np.float16)
    pixels[0, 4, 2] = 1
    still = {"shift": 0, "scale": 0, "degrees": 0, "gamma": 0, "noise": 0}

    def columns(chance: float) -> list[int]:
        images = TrainingImages(pixels, np.array([0]), VariationConfig(**still, mirror=chance), seed=3)
        return [int(images.batch([Draw(epoch, 0)]).images[0, 0, 4].argmax()) for epoch in range(60)]

    assert set(columns(0.0)) == {2}
    assert set(columns(1.0)) == {13}
    assert 15 < columns(0.5).count(13) < 45


def test_images_of_rare_labels_are_repeated() -> None:
    reference = np.array([0] * 18 + [1] * 2)
    rows = repeated_rows(reference, 0.25)
    assert sorted(set(rows.tolist())) == list(range(20))
    assert (reference[rows] == 1).mean() == pytest.approx(0.25)
    assert repeated_rows(reference, 0.0).tolist() == list(range(20))
    assert repeated_rows(np.array([0, 1, 1]), 0.25).tolist() == [0, 1, 2]


def test_rare_labels_weigh_more() -> None:
    weight = label_weights(np.array([0] * 16 + [1] * 4), ("a", "b"), 0.5)
    assert (weight[1] / weight[0]).item() == pytest.approx(2)
    assert ((weight * torch.tensor([16, 4])).sum() / 20).item() == pytest.approx(1)
    assert label_weights(np.array([0, 0, 1]), ("a", "b"), 0.0).tolist() == [1, 1]


def test_features_do_not_depend_on_the_batch(tmp_path: Path) -> None:
    network = train_part(plan(tmp_path / "x"), recipe(1)).network
    pixels = np.random.default_rng(0).random((40, 32, 32)).astype(np.float16)
    assert torch.allclose(embed(network, pixels)[35:], embed(network, pixels[35:]), atol=1e-5)
