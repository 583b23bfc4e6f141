"""What makes the networks of `predict` fast on a CPU: threads, the routine of the convolutions, compilation, bf16.

    python -m benchmarks.performance.cpu_inference --threads 1,2 --repeats 9
    python -m benchmarks.performance.cpu_inference --variants shipped,compiled

Each row is the shipped network of one plane on one series, every repeat after a warm-up: CPU seconds of the process,
which other programs change little, and wall seconds, which they change much. `difference` is the largest one of a score
from those of the row `shipped` with one thread.

    shipped     oneDNN for every convolution, channels last
    pytorch     the routine that PyTorch chooses
    compiled    the backbone through torch.compile, which takes minutes
    openvino    the backbone through OpenVINO in fp32 (`pip install openvino`), with the first number of threads
    bf16        convolutions and products in half precision
"""

from __future__ import annotations

import argparse
import copy
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from pathlib import Path

import torch
from torch import Tensor, nn

from spinedet.detection.dataset import thickened
from spinedet.detection.models import Detector
from spinedet.detection.models.backbone import Backbone, Features
from spinedet.detection.models.dense_detector import DenseDetector
from spinedet.detection.models.two_stage_detr import TwoStageDetr
from spinedet.imaging.planes import plane_of
from spinedet.imaging.resample import prepare
from spinedet.imaging.volume import read_volume
from spinedet.pipelines.sample import sample_scan
from spinedet.runs.run_folder import open_run


def plain(network: Detector) -> Detector:
    """A copy that leaves the choice of the routine to PyTorch."""
    other = copy.deepcopy(network)
    for module in other.modules():
        if isinstance(module, nn.Conv3d):
            module.__class__ = nn.Conv3d
    return other


def compiled(network: Detector) -> Detector:
    """A copy whose backbone is compiled, without our call of oneDNN; what follows depends on the data and cannot be."""
    other = plain(network)
    if not isinstance(other, TwoStageDetr | DenseDetector):
        raise TypeError(type(other))
    other.dense.backbone.compile()
    return other


class OpenVinoBackbone(nn.Module):
    """The maps of a backbone by OpenVINO, compiled for each shape of images (b, 1, slices, rows, columns) it meets."""

    def __init__(self, backbone: Backbone) -> None:
        super().__init__()
        self.backbone = backbone
        self.strides = backbone.strides
        self.shapes: dict[tuple[int, ...], Callable[[Tensor], Features]] = {}

    def forward(self, images: Tensor) -> Features:
        """Features of images (b, 1, slices, rows, columns)."""
        shape = tuple(images.shape)
        if shape not in self.shapes:
            self.shapes[shape] = self._compiled(images)
        return self.shapes[shape](images)

    def _compiled(self, images: Tensor) -> Callable[[Tensor], Features]:
        import openvino

        converted = openvino.convert_model(self.backbone, example_input=images.contiguous())
        converted.reshape(images.shape)
        setting = {"INFERENCE_NUM_THREADS": torch.get_num_threads(), "INFERENCE_PRECISION_HINT": "f32"}
        ready = openvino.compile_model(converted, "CPU", setting)
        outputs = range(len(converted.outputs))

        def run(given: Tensor) -> Features:
            found = ready(given.contiguous().numpy())
            return Features(*(torch.from_numpy(found[index]) for index in outputs))

        return run


def through_openvino(network: Detector) -> Detector:
    """A copy whose backbone runs in OpenVINO; the rest, small beside it, stays with PyTorch's choice."""
    other = plain(network)
    if not isinstance(other, TwoStageDetr | DenseDetector):
        raise TypeError(type(other))
    other.dense.register_module("backbone", OpenVinoBackbone(other.dense.backbone))
    return other


VARIANTS: dict[str, Callable[[Detector], Detector]] = {
    "shipped": lambda network: network,
    "pytorch": plain,
    "compiled": compiled,
    "openvino": through_openvino,
    "bf16": lambda network: network,
}


def scores(network: Detector, image: Tensor, variant: str) -> Tensor:
    """Of all boxes, highest first."""
    half = torch.autocast("cpu", torch.bfloat16) if variant == "bf16" else nullcontext()
    with torch.inference_mode(), half:
        (found,) = network.detect(image)
    return found.scores.float().amax(-1).sort(descending=True).values


def rows(network: Detector, image: Tensor, words: argparse.Namespace) -> Iterator[str]:
    """A row for each variant and number of threads."""
    torch.set_num_threads(1)
    reference = scores(network, image, "shipped")
    for variant in words.variants.split(","):
        other = VARIANTS[variant](network)
        for threads in map(int, words.threads.split(",")):
            torch.set_num_threads(threads)
            found = scores(other, image, variant)
            cpu, wall = [], []
            for _ in range(words.repeats):
                began, used = time.perf_counter(), time.process_time()
                scores(other, image, variant)
                cpu.append(time.process_time() - used)
                wall.append(time.perf_counter() - began)
            count = min(len(found), len(reference))
            difference = float((found[:count] - reference[:count]).abs().max())
            seconds = f"{statistics.median(cpu):.3f} | {statistics.median(wall):.3f}"
            yield f"{variant} | {threads} | {seconds} | {difference:.1e}"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", default="1,2")
    parser.add_argument("--variants", default="shipped,pytorch,bf16", help=f"some of {','.join(VARIANTS)}")
    parser.add_argument("--repeats", type=int, default=9)
    parser.add_argument("--image", type=Path, help="the sample of the package when left out; other planes get noise")
    words = parser.parse_args()
    model = open_run("shipped").model
    volume = read_volume(words.image or sample_scan())
    print("| plane | variant | threads | CPU s | wall s | difference |\n|---|---|--:|--:|--:|--:|")
    for plane, detector in model.detectors.items():
        spec = detector.spec(plane)
        shown = plane is plane_of(volume.grid)
        array = (
            torch.from_numpy(prepare(volume, spec.of(model.region)).array) if shown else torch.randn(spec.crop_shape)
        )
        image = thickened(array[None])[None].contiguous(memory_format=torch.channels_last_3d)
        for row in rows(detector.network, image, words):
            print(f"| {plane.value} | {row} |", flush=True)


if __name__ == "__main__":
    main()
