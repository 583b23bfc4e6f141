"""Strides that follow from the spacing, and published weights as a start."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from monai.networks.nets.resnet import ResNet, ResNetBlock

from spinedet.core.errors import InputError
from spinedet.detection.models import CONFIGS, ModelCard, build
from spinedet.detection.models.backbone import Backbone, strides_for
from spinedet.detection.models.pretrained import load_backbone
from spinedet.detection.models.resnet import ResNet18

THICK = (4.0, 1.6, 1.6)
CARD = ModelCard(("degeneration",), THICK, (40.0, 12.0, 35.0))


@pytest.mark.parametrize(
    ("spacing", "fine", "coarse"),
    [
        (THICK, (1, 8, 8), (2, 16, 16)),
        ((4.0, 2.0, 2.0), (1, 8, 8), (2, 16, 16)),
        # 1.9 mm cubes: across slices the second stage may halve, to 3.75 of 15 mm, and the third, to 7.5 of 30.
        ((1.875, 1.875, 1.875), (2, 8, 8), (4, 16, 16)),
        ((8.0, 0.8, 0.8), (1, 8, 8), (1, 16, 16)),
    ],
)
def test_slices_stay_twice_as_fine_as_the_plane(
    spacing: tuple[float, float, float], fine: tuple[int, int, int], coarse: tuple[int, int, int]
) -> None:
    strides = strides_for(spacing)
    assert (strides.fine, strides.coarse) == (fine, coarse)
    shapes = [tuple(level.shape[2:]) for level in Backbone(4, spacing)(torch.zeros(1, 1, 16, 32, 64))]
    wanted = (strides.detail, strides.fine, strides.coarse)
    assert shapes == [(16 // each[0], 32 // each[1], 64 // each[2]) for each in wanted]


def test_a_detector_works_at_a_spacing_of_its_own() -> None:
    card = ModelCard(("degeneration",), (1.9, 1.9, 1.9), (40.0, 12.0, 35.0))
    for name in CONFIGS:
        found = build(CONFIGS[name](), card).eval().detect(torch.randn(1, 1, 16, 48, 48))[0]
        assert torch.isfinite(found.boxes).all()


def published(width: int) -> dict[str, torch.Tensor]:
    """A ResNet18's weights as MedicalNet stores them."""
    planes = [width, 2 * width, 4 * width, 8 * width]
    network = ResNet(
        ResNetBlock, [2, 2, 2, 2], planes, n_input_channels=1, conv1_t_size=7, feed_forward=False, bias_downsample=False
    )
    return {f"module.{name}": tensor for name, tensor in network.state_dict().items()}


def test_it_is_monais_network_with_the_same_weights_of_a_seed() -> None:
    """With strides of the published network, up to the stages that are used."""
    torch.manual_seed(3)
    peer = ResNet(
        ResNetBlock,
        [2, 2, 2, 2],
        [4, 8, 16, 32],
        conv1_t_size=(3, 7, 7),
        conv1_t_stride=2,
        n_input_channels=1,
        feed_forward=False,
        bias_downsample=False,
    )  # type: ignore[arg-type]  # MONAI takes one size per axis
    torch.manual_seed(3)
    own = ResNet18(4, ((2, 2, 2),) * 4)
    wanted = {name: tensor for name, tensor in peer.state_dict().items() if not name.startswith("layer4")}
    assert list(own.state_dict()) == list(wanted)
    assert all(torch.equal(own.state_dict()[name], tensor) for name, tensor in wanted.items())
    image = torch.randn(2, 1, 16, 32, 32)
    x = peer.maxpool(peer.act(peer.bn1(peer.conv1(image))))
    for found, stage in zip(own(image), (peer.layer1, peer.layer2, peer.layer3), strict=True):
        x = stage(x)
        assert torch.equal(found, x)


def test_published_weights_are_taken_and_every_one_is_accounted_for(tmp_path: Path) -> None:
    weights = published(8)
    weights["module.conv1.weight"] = torch.full((8, 1, 7, 7, 7), 0.5)
    torch.save({"state_dict": weights}, tmp_path / "resnet_18.pth")
    network = build(CONFIGS["set"](width=8), CARD)
    transfer = load_backbone(network, tmp_path / "resnet_18.pth")
    own = next(m for m in network.modules() if isinstance(m, Backbone)).net.state_dict()
    assert transfer.adapted == ("conv1.weight",)
    assert own["conv1.weight"].shape == (8, 1, 3, 7, 7)
    assert own["conv1.weight"].sum(2).flatten().tolist() == pytest.approx([3.5] * 8 * 49)
    assert torch.equal(own["layer2.1.conv2.weight"], weights["module.layer2.1.conv2.weight"])
    assert set(transfer.taken) | set(transfer.adapted) | set(transfer.anew) == set(own)
    assert {name.split(".")[0] for name in transfer.unused} == {"layer4"}


def test_weights_of_another_width_are_refused(tmp_path: Path) -> None:
    torch.save({"state_dict": published(4)}, tmp_path / "resnet_18.pth")
    with pytest.raises(InputError, match=r"resnet_18\.pth: no weight fits"):
        load_backbone(build(CONFIGS["set"](width=8), CARD), tmp_path / "resnet_18.pth")


@pytest.mark.parametrize("content", [b"no weights", None])
def test_what_is_no_file_of_weights_is_refused(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "resnet_18.pth"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InputError, match="can be read safely"):
        load_backbone(build(CONFIGS["set"](), CARD), path)


class Trap:
    """What a pickle can do."""

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return print, ("this must never run",)


def test_code_in_a_file_of_weights_is_not_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    torch.save({"state_dict": Trap()}, tmp_path / "resnet_18.pth")
    with pytest.raises(InputError, match="can be read safely"):
        load_backbone(build(CONFIGS["set"](), CARD), tmp_path / "resnet_18.pth")
    assert "must never run" not in capsys.readouterr().out
