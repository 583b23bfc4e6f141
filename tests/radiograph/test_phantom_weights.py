"""The weights that ship: which networks begin with them, and what a run states of them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

import spinedet
from spinedet.core.errors import InputError
from spinedet.core.files import sha256
from spinedet.radiograph.models import begin, build
from spinedet.radiograph.phantom_weights import NONE, PHANTOM_WEIGHTS, PHANTOMS
from spinedet.radiograph.settings import NETWORKS, EfficientNetConfig, FrozenConfig, InvertedConfig
from tests.commands.conftest import run_command
from tests.radiograph.cohorts import FRACTURES, cohort

FILE = PHANTOM_WEIGHTS["efficientnet_lite0"]


@pytest.mark.parametrize("table", PHANTOM_WEIGHTS)
def test_each_file_is_small_whole_and_inside_the_package(table: str) -> None:
    file = PHANTOM_WEIGHTS[table]
    assert file.is_relative_to(Path(spinedet.__file__).parent)
    assert file.stat().st_size < 9e6
    tensors = load_file(file)
    own = build(InvertedConfig(table=table), 2).state_dict()
    body = {name for name in own if not name.startswith("head.") and not name.endswith("num_batches_tracked")}
    assert set(tensors) == body
    for name, tensor in tensors.items():
        assert tensor.shape == own[name].shape
        assert torch.isfinite(tensor).all()
        assert tensor.dtype == (torch.float16 if tensor.ndim > 1 else torch.float32)


@pytest.mark.parametrize("name", ["lite0", "frozen", "mobilenet", "mnasnet"])
def test_four_networks_begin_with_them(name: str) -> None:
    torch.manual_seed(0)
    config = NETWORKS[name]
    assert isinstance(config, InvertedConfig | FrozenConfig)
    file = PHANTOM_WEIGHTS[config.table]
    network: Any = build(config, 3)
    start = begin(config, network)
    assert start is not None
    assert (start.source, start.how, start.sha256) == (PHANTOMS, "by name", sha256(file))
    backbone = network.backbone if name == "frozen" else network
    for key, tensor in load_file(file).items():
        assert torch.equal(backbone.state_dict()[key], tensor.float())
    features = network.eval().embed(torch.rand(4, 1, 96, 96))
    assert torch.isfinite(features).all()
    assert features.std(0).max() > 1e-3


def test_none_and_null_are_random_weights() -> None:
    for weights in (NONE, None):
        for config in (FrozenConfig(weights=weights), InvertedConfig(weights=weights)):
            assert begin(config, build(config, 2)) is None


def test_others_begin_at_random_and_say_that_none_ship_for_them() -> None:
    started = {name for name, one in NETWORKS.items() if getattr(one, "weights", None) == PHANTOMS}
    assert started == {"lite0", "frozen", "mobilenet", "mnasnet"}
    message = (
        "no weights taught on phantoms ship for {}, only for efficientnet_lite0, mobilenet_v3_large, mnasnet_b1; "
        "name a local file, or"
    )
    with pytest.raises(InputError, match=message.format("mnasnet_a1")):
        InvertedConfig(table="mnasnet_a1", weights=PHANTOMS)
    with pytest.raises(InputError, match=message.format("efficientnet-b0")):
        EfficientNetConfig(weights=PHANTOMS)
    with pytest.raises(InputError, match=message.format("mnasnet_a1")):
        FrozenConfig(table="mnasnet_a1")


def test_a_run_states_what_it_began_with(tmp_path: Path) -> None:
    manifest = cohort(tmp_path / "A", FRACTURES, {"train": 4, "tune": 2, "test": 2}, phantom=True)
    quick = ("input.pixels=64", "network=frozen", "test.bootstrap.samples=50", "test.pictures=0", "workers=1")
    pages = {}
    for name in (PHANTOMS, NONE):
        out = tmp_path / name
        words = (f"data.manifests=[{manifest}]", f"out={out}", f"network.weights={name}", *quick)
        assert run_command("radiograph.train", *words) == 0
        pages[name] = (out / "report.html").read_text()
        record = json.loads((out / "run.json").read_text())["pretrained"]
        known = {"source": PHANTOMS, "sha256": sha256(FILE), "matched": "by name"}
        assert record == ({"lateral": known} if name == PHANTOMS else {})
    assert sha256(FILE)[:12] in pages[PHANTOMS]
    assert "taught on simulated radiographs. For them these test images are in-domain." in pages[PHANTOMS]
    assert "no pretrained weights" in pages[NONE]
    assert "taught on simulated" not in pages[NONE]


def test_a_trained_network_does_not_need_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    manifest = cohort(tmp_path / "A", FRACTURES, {"train": 4, "tune": 2, "test": 2})
    quick = ("input.pixels=64", "network=frozen", "test.bootstrap.samples=0", "test.pictures=0", "workers=1")
    assert run_command("radiograph.train", f"data.manifests=[{manifest}]", f"out={tmp_path / 'run'}", *quick) == 0
    monkeypatch.setitem(PHANTOM_WEIGHTS, "efficientnet_lite0", tmp_path / "nowhere.safetensors")
    words = (f"run={tmp_path / 'run'}", f"data.manifests=[{manifest}]", "test.bootstrap.samples=0")
    assert run_command("radiograph.evaluate", *words, f"out={tmp_path / 'out'}") == 0
