"""Which device predicts, and that series predicted together are found in what each would be alone."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from spinedet.core.anatomy import Plane, Region
from spinedet.core.errors import InputError
from spinedet.core.geometry import Grid
from spinedet.core.types import Finding
from spinedet.detection.batch import Detections
from spinedet.detection.device import batch_for, fast_precision, on_device
from spinedet.detection.inference import WorkingSeries, detect_series
from spinedet.detection.model_files import Model, PlaneDetector
from spinedet.detection.models import CONFIGS, ModelConfig, build
from spinedet.detection.test_time_augmentation import TestTimeAugmentation
from spinedet.imaging.planes import AXIAL, SAGITTAL
from spinedet.imaging.resample import prepare
from spinedet.imaging.volume import Volume, read_volume
from spinedet.pipelines.sample import sample_scan
from spinedet.runs.run_folder import open_run
from spinedet.training.device import choose_device
from tests.detection.small import CARD, SMALL, spread
from tests.detection.tiny import Bright

# What docs/predict.md promises of series that are predicted together on a CPU.
SCORE, MM = 1e-4, 1e-2
# What it promises of half precision, on the same network and images.
GPU_SCORE, GPU_MM = 0.02, 1.0


def series(number: int, shape: tuple[int, int, int], plane: Plane = Plane.SAGITTAL) -> WorkingSeries:
    noise = np.random.default_rng(number).normal(size=shape).astype(np.float32)
    return WorkingSeries(f"s{number}", plane, Volume(noise, Grid(shape, np.diag([*SAGITTAL.spacing, 1.0]))))


def model_of(network: nn.Module, config: ModelConfig | None = None) -> Model:
    part = PlaneDetector(config or CONFIGS["dense"](), CARD, network.eval())  # type: ignore[arg-type]  # a Detector
    axial = replace(part, card=replace(CARD, spacing=AXIAL.spacing))
    return Model("one", Region.LUMBAR, {Plane.SAGITTAL: part, Plane.AXIAL: axial})


class Recorder(Bright):
    """Notes how many scans it is given at once, and where; finds nothing."""

    def __init__(self, most: int = 99) -> None:
        super().__init__()
        self.batches: list[tuple[int, str]] = []
        self.most = most

    def detect(self, images: Tensor) -> list[Detections]:
        self.batches.append((len(images), images.device.type))
        if len(images) > self.most:
            raise RuntimeError("CUDA out of memory. Tried to allocate 20.00 MiB")
        return [Detections(torch.empty(0, 6), torch.empty(0, 1)) for _ in images]


def gpus(monkeypatch: pytest.MonkeyPatch, count: int) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: count > 0)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: count)


def test_the_device_that_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    gpus(monkeypatch, 0)
    assert choose_device("auto", {}) == choose_device("cpu", {}) == torch.device("cpu")
    for name in ("cuda", "cuda:0"):
        with pytest.raises(InputError, match=f"device={name}: .* use device=cpu"):
            choose_device(name, {})
    gpus(monkeypatch, 2)
    assert choose_device("cpu", {}) == torch.device("cpu")
    assert choose_device("auto", {}) == choose_device("cuda", {}) == torch.device("cuda", 0)
    assert choose_device("cuda:1", {}) == torch.device("cuda", 1)
    with pytest.raises(InputError, match="shows 2 GPUs, cuda:0 to cuda:1"):
        choose_device("cuda:2", {})


def test_processes_of_one_machine_take_a_gpu_each(monkeypatch: pytest.MonkeyPatch) -> None:
    gpus(monkeypatch, 2)
    numbers = [choose_device("auto", {"LOCAL_RANK": str(rank)}).index for rank in range(3)]
    assert numbers == [0, 1, 0]
    assert choose_device("cuda", {"SLURM_LOCALID": "1"}).index == 1
    assert choose_device("cuda:0", {"LOCAL_RANK": "1"}).index == 0


def test_a_batch_of_one_on_a_cpu_and_of_more_on_a_gpu() -> None:
    assert [batch_for(None, torch.device(name)) for name in ("cpu", "cuda")] == [1, 8]
    assert batch_for(3, torch.device("cuda")) == 3


def test_networks_and_images_are_moved_to_the_device() -> None:
    network, other = Recorder(), Recorder()
    for one in (network, other):
        one.weight = nn.Parameter(torch.zeros(1))
    model = model_of(network)
    part = replace(model.detectors[Plane.SAGITTAL], others=(other,))
    moved = on_device(replace(model, detectors={Plane.SAGITTAL: part}), torch.device("meta"))
    assert other.weight.device.type == "meta"
    assert detect_series(moved, [series(1, (4, 20, 16))], 0.0) == [()]
    assert network.batches == other.batches == [(1, "meta")]


def test_series_of_one_plane_and_shape_go_together() -> None:
    network = Recorder()
    thin, wide = (2, 20, 16), (3, 20, 20)
    several = [series(number, wide if number == 3 else thin) for number in range(6)]
    several.append(series(6, (3, 20, 16)))  # a thin one is repeated to three slices
    several.append(series(7, thin, Plane.AXIAL))
    assert detect_series(model_of(network), several, 0.0, batch=4) == [()] * 8
    assert [count for count, _ in network.batches] == [4, 2, 1, 1]


def test_a_batch_that_does_not_fit_is_predicted_one_by_one() -> None:
    network = Recorder(most=1)
    assert detect_series(model_of(network), [series(n, (3, 8, 8)) for n in range(3)], 0.0, batch=4) == [()] * 3
    assert [count for count, _ in network.batches] == [3, 1, 1, 1]
    (reason,) = detect_series(model_of(Recorder(most=0)), [series(5, (3, 8, 8))], 0.0)
    assert reason == "s5 is too large for the memory of this machine; resample the image"


def test_another_error_of_the_network_is_not_hidden() -> None:
    class Faulty(Bright):
        def detect(self, images: Tensor) -> list[Detections]:
            raise RuntimeError("shapes do not fit")

    with pytest.raises(RuntimeError, match="do not fit"):
        detect_series(model_of(Faulty()), [series(1, (3, 8, 8))], 0.0)


def assert_alike(one: tuple[Finding, ...] | str, other: tuple[Finding, ...] | str, score: float, mm: float) -> None:
    """The same findings within these tolerances; the order of almost equal scores may differ."""
    assert not isinstance(one, str)
    assert not isinstance(other, str)
    assert len(one) == len(other) > 0
    for found in one:
        away = [
            max(
                np.abs(np.subtract(found.box.center, each.box.center)).max() / mm,
                np.abs(np.subtract(found.box.size, each.box.size)).max() / mm,
                abs(found.score - each.score) / score,
            )
            for each in other
        ]
        assert min(away) <= 1


@pytest.mark.parametrize("name", SMALL)
def test_four_at_once_are_found_as_one_by_one(name: str) -> None:
    torch.manual_seed(0)
    model = model_of(spread(build(SMALL[name], CARD)), SMALL[name])
    model = replace(model, augmentation=TestTimeAugmentation(flip=name == "set"))
    several = [series(number, (4, 48, 40)) for number in range(4)]
    several[2] = series(2, (4, 300, 40))  # one long enough for tiles, so that there are three and one
    alone, together = (detect_series(model, several, 0.0, batch) for batch in (1, 4))
    for one, other in zip(alone, together, strict=True):
        assert_alike(one, other, SCORE, MM)


def test_half_precision_is_for_gpus_alone() -> None:
    with fast_precision(torch.device("cpu")):
        assert not torch.is_autocast_enabled("cpu")


@pytest.mark.skipif(not torch.cuda.is_available(), reason="this machine shows PyTorch no CUDA device")
def test_a_gpu_finds_what_the_cpu_finds() -> None:
    model = open_run("shipped").model
    volume = read_volume(sample_scan())
    spec = model.detectors[Plane.SAGITTAL].spec(Plane.SAGITTAL).of(model.region)
    several = [WorkingSeries(f"s{number}", Plane.SAGITTAL, prepare(volume, spec)) for number in range(3)]
    (on_cpu,) = detect_series(model, several[:1], 0.3)
    on_gpu = detect_series(on_device(model, choose_device("cuda")), several, 0.3 - GPU_SCORE, batch=4)
    for found in on_gpu:
        assert not isinstance(found, str)
        assert_alike(on_cpu, found[: len(on_cpu)], GPU_SCORE, GPU_MM)
