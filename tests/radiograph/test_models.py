"""Networks: their published sizes, one contract for all, weights from local files, heat maps."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from spinedet.core.errors import InputError
from spinedet.core.files import sha256
from spinedet.radiograph.heat_maps import heat_map, hit
from spinedet.radiograph.models import begin, build, fits_without_gradients
from spinedet.radiograph.models.efficient import EfficientNet
from spinedet.radiograph.models.frozen import LogisticHead, fit_logistic
from spinedet.radiograph.models.inverted import TABLES, InvertedNet
from spinedet.radiograph.models.weights import load_weights
from spinedet.radiograph.settings import (
    NETWORKS,
    EfficientNetConfig,
    FrozenConfig,
    InvertedConfig,
    NetworkConfig,
)
from spinedet.training.determinism import one_thread


def parameters(network: Any) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


@pytest.mark.parametrize(
    ("table", "count"),
    [
        ("mobilenet_v3_large", 5_483_032),
        ("mnasnet_b1", 4_383_312),
        ("mnasnet_a1", 3_887_038),
        ("efficientnet_lite0", 4_652_008),
    ],
)
def test_published_sizes(table: str, count: int) -> None:
    assert parameters(InvertedNet(TABLES[table], 1000, channels=3)) == count


@pytest.mark.parametrize(("variant", "count"), [("b0", 5_288_548), ("b3", 12_233_232)])
def test_published_sizes_of_efficientnet(variant: str, count: int) -> None:
    assert parameters(EfficientNet(variant, 1000, channels=3)) == count


def test_the_large_one_is_composed_and_run_once() -> None:
    network = build(NETWORKS["efficientnet_b6"], 10).eval()
    with torch.inference_mode():
        assert network(torch.zeros(1, 1, 64, 64)).shape == (1, 10)
    assert parameters(network) - parameters(network.head) == 43_040_704 - 2305 * 1000 - 2 * 9 * 56


SMALL: dict[str, NetworkConfig] = {name: config for name, config in NETWORKS.items() if name != "efficientnet_b6"}


@pytest.mark.parametrize("name", SMALL)
def test_every_network_keeps_the_contract(name: str) -> None:
    torch.manual_seed(0)
    network: Any = build(SMALL[name], 3).eval()
    images = torch.rand(2, 1, 64, 96)
    with torch.inference_mode():
        features = network.embed(images)
        logits = network(images)
        alone = network(images[:1])
    assert features.shape == (2, network.width)
    assert logits.shape == (2, 3)
    assert torch.isfinite(logits).all()
    assert torch.allclose(alone[0], logits[0], atol=1e-5)
    assert {key.partition(".")[0] for key in network.state_dict()} >= {"head"}


@pytest.mark.parametrize("name", ["efficientnet", "mobilenet", "mnasnet", "lite0"])
def test_a_short_training_settles_the_statistics_of_norms(name: str) -> None:
    """Otherwise a network that tells images apart in training gives every image one output afterwards."""
    torch.manual_seed(0)
    network: Any = build(NETWORKS[name], 2).train()
    images = torch.rand(8, 1, 64, 64).pow(torch.linspace(0.2, 5, 8).view(8, 1, 1, 1))
    with torch.no_grad():
        for _ in range(120):
            in_training = network.embed(images).std(0).mean()
        after = network.eval().embed(images).std(0).mean()
    assert float(after) > 0.2 * float(in_training)


@pytest.mark.parametrize("table", TABLES)
def test_an_image_is_halved_five_times(table: str) -> None:
    features = InvertedNet(TABLES[table], 2).eval().features(torch.zeros(1, 1, 96, 160))
    assert features.shape[2:] == (3, 5)


def test_random_convolutions_keep_the_variance_of_each_group() -> None:
    torch.manual_seed(0)
    for module in InvertedNet(TABLES["efficientnet_lite0"], 2).modules():
        if isinstance(module, nn.Conv2d) and module.weight.numel() > 3000:
            rows, columns = module.kernel_size
            wanted = (2 * module.groups / (rows * columns * module.out_channels)) ** 0.5
            assert float(module.weight.detach().std()) == pytest.approx(wanted, rel=0.06)


def test_an_unknown_network_is_refused() -> None:
    with pytest.raises(InputError, match=r"network\.variant=b9: use one of b0"):
        EfficientNetConfig(variant="b9")
    with pytest.raises(InputError, match=r"network\.table=resnet: use one of mobilenet_v3_large"):
        InvertedConfig(table="resnet")


def colored(network: nn.Module, first: str) -> dict[str, Tensor]:
    """The weights of the same network for three colours, whose first convolution adds up to this one's."""
    content = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    content[first] = content[first].repeat(1, 3, 1, 1) * torch.tensor([0.2, 0.3, 0.5]).reshape(1, 3, 1, 1)
    return content


def test_published_efficientnet_weights_fit_by_name(tmp_path: Path) -> None:
    source, target = EfficientNet("b0", 1), EfficientNet("b0", 4)
    published = {
        re.sub(r"^_blocks\.\d+\.(\d+)\.", r"_blocks.\1.", name.removeprefix("net.")): tensor
        for name, tensor in colored(source, "net._conv_stem.weight").items()
        if not name.startswith("head.")
    }
    torch.save(published, tmp_path / "b0.pth")
    start = load_weights(target, tmp_path / "b0.pth")
    assert (start.how, start.sha256) == ("by name", sha256(tmp_path / "b0.pth"))
    assert start.summed == ("net._conv_stem.weight",)
    assert start.anew == ("head.weight", "head.bias")
    for name, tensor in target.state_dict().items():
        if not name.startswith("head."):
            assert torch.allclose(tensor, source.state_dict()[name], atol=1e-6), name


@pytest.mark.parametrize("table", ["mobilenet_v3_large", "efficientnet_lite0"])
def test_weights_of_another_implementation_fit_in_order(table: str, tmp_path: Path) -> None:
    source, target = InvertedNet(TABLES[table], 7), InvertedNet(TABLES[table], 2)
    content = colored(source, "features.0.weight")
    other = {f"layer{row}.{name.rpartition('.')[2]}": tensor for row, (name, tensor) in enumerate(content.items())}
    torch.save({"state_dict": other}, tmp_path / "other.pth")
    start = load_weights(target, tmp_path / "other.pth")
    assert start.how == "in order"
    images = torch.rand(1, 1, 64, 64)
    with torch.inference_mode():
        assert torch.allclose(target.eval().embed(images), source.eval().embed(images), atol=1e-4)


def test_weights_of_another_network_are_refused(tmp_path: Path) -> None:
    save_file(InvertedNet(TABLES["mnasnet_a1"], 2).state_dict(), tmp_path / "a1.safetensors")
    with pytest.raises(InputError, match=r"a1.safetensors: its \d+ tensors do not fit this network"):
        load_weights(InvertedNet(TABLES["mnasnet_b1"], 2), tmp_path / "a1.safetensors")


def test_code_in_a_weights_file_is_not_run(tmp_path: Path) -> None:
    class Trap:
        def __reduce__(self) -> Any:
            return (Path.touch, (tmp_path / "ran",))

    torch.save({"a": Trap()}, tmp_path / "bad.pth")
    with pytest.raises(InputError, match="holds no weights that can be read safely"):
        load_weights(InvertedNet(TABLES["mnasnet_b1"], 2), tmp_path / "bad.pth")
    assert not (tmp_path / "ran").exists()


def test_a_network_begins_with_the_weights_that_its_config_names(tmp_path: Path) -> None:
    torch.manual_seed(1)
    save_file(InvertedNet(TABLES["efficientnet_lite0"], 2).state_dict(), tmp_path / "w.safetensors")
    config = FrozenConfig(weights=str(tmp_path / "w.safetensors"))
    network: Any = build(config, 2)
    start = begin(config, network)
    assert start is not None
    assert not any(parameter.requires_grad for parameter in network.backbone.parameters())
    assert fits_without_gradients(network)
    assert not fits_without_gradients(build(InvertedConfig(), 2))


def test_frozen_features_stay_as_they_are_in_training() -> None:
    network = build(FrozenConfig(), 2)
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    network.train()(torch.rand(4, 1, 64, 64))
    assert all(torch.equal(tensor, before[name]) for name, tensor in network.state_dict().items())


def test_logistic_regression_finds_its_minimum() -> None:
    torch.manual_seed(0)
    features = torch.cat([torch.randn(60, 3) + torch.tensor([1.0, 0, 0]), torch.randn(60, 3)])
    labels = torch.arange(120) // 60
    head = LogisticHead(3, 2)
    with one_thread():
        fit_logistic(head, features, labels, torch.ones(2), 1e-2)
    loss = nn.functional.cross_entropy(head(features), labels) + 1e-2 * head.linear.weight.square().sum()
    gradient = torch.autograd.grad(loss, head.linear.weight)[0]
    assert gradient.abs().max() < 1e-4
    assert (head(features).argmax(1) == labels).float().mean() > 0.6


@pytest.mark.parametrize("name", ["efficientnet", "lite0", "frozen"])
def test_a_heat_map_has_the_size_of_the_image(name: str) -> None:
    torch.manual_seed(0)
    network: Any = build(NETWORKS[name], 2).eval()
    begin(NETWORKS[name], network)
    if name == "frozen":
        nn.init.normal_(network.head.linear.weight)
    maps = [heat_map(network, torch.rand(1, 1, 64, 96), label) for label in (0, 1)]
    found = [one for one in maps if one is not None]
    assert found, "both labels cannot have nothing that speaks for them"
    assert all(one.shape == (64, 96) and one.max() == 1 and one.min() >= 0 for one in found)


def test_few_pixels_have_no_heat_map() -> None:
    assert heat_map(build(NETWORKS["linear"], 2), torch.rand(1, 1, 64, 64), 0) is None


def test_a_maximum_inside_the_evidence() -> None:
    heat = torch.zeros(10, 20).numpy()
    heat[3, 15] = 1
    found = hit(heat, [(15.0, 3.0, 16.0, 4.0), (0.0, 0.0, 5.0, 2.0)])
    assert (found.inside, found.area) == (True, (1 + 10) / 200)
    assert not hit(heat, [(14.0, 3.0, 15.0, 4.0)]).inside
