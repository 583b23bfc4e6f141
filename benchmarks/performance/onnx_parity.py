"""What ONNX files find in images beside what PyTorch finds, and CPU seconds of both: the largest differences.

python -m benchmarks.performance.onnx_parity --bundle spinedet_onnx --most 20 FOLDER ...

`--bundle` is what `bundle run=shipped to=onnx` wrote. One thread each.
"""

from __future__ import annotations

import time
from argparse import ArgumentParser
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from statistics import fmean
from typing import Any, TypeVar

import onnxruntime
import torch

from spinedet.core.errors import InputError
from spinedet.detection.batch import Detections
from spinedet.detection.dataset import thickened
from spinedet.detection.model_files import Model
from spinedet.detection.models import Detector
from spinedet.detection.tiling import TILE_BEYOND
from spinedet.imaging.planes import plane_of
from spinedet.imaging.resample import prepare
from spinedet.imaging.volume import find_images
from spinedet.pipelines.bundles.onnx_folder import compare
from spinedet.runs.run_folder import open_run

Result = TypeVar("Result")


def images(folders: list[Path], model: Model) -> Iterator[tuple[str, torch.Tensor]]:
    """Plane and prepared image of everything that one pass of a network can take."""
    for source in (source for folder in folders for source in find_images(folder)):
        try:
            volume = source.read()
            plane = source.plane or plane_of(volume.grid)
        except InputError:
            continue
        spec = model.detectors[plane].spec(plane).of(model.region)
        image = thickened(torch.from_numpy(prepare(volume, spec).array)[None, None])
        if all(n <= TILE_BEYOND * crop for n, crop in zip(image.shape[2:], spec.crop_shape, strict=True)):
            yield plane.value, image


def timed(function: Callable[..., Result], *words: Any) -> tuple[Result, float]:
    """The result and CPU seconds."""
    before = time.process_time()
    return function(*words), time.process_time() - before


@dataclass
class PlaneParity:
    """What was measured in one plane: the largest differences, and CPU seconds of each image."""

    network: Detector
    session: onnxruntime.InferenceSession
    worst: dict[str, float] = field(default_factory=dict)
    torch_seconds: list[float] = field(default_factory=list)
    onnx_seconds: list[float] = field(default_factory=list)
    shapes: set[tuple[int, ...]] = field(default_factory=set)

    def add(self, image: torch.Tensor) -> None:
        """Find in one more image with both."""
        with torch.inference_mode():
            (wanted,), torch_seconds = timed(self.network.detect, image)
        raw, onnx_seconds = timed(self.session.run, ["boxes", "scores", "grades"], {"image": image.numpy()})
        boxes, scores, grades = map(torch.from_numpy, raw)
        found = Detections(boxes, scores, grades=grades if grades.shape[1] else None).select(scores.amax(-1) > 0)
        apart = compare(wanted, found)
        self.worst = {name: max(value, self.worst.get(name, 0.0)) for name, value in apart.items()}
        self.torch_seconds.append(torch_seconds)
        self.onnx_seconds.append(onnx_seconds)
        self.shapes.add(tuple(image.shape[2:]))

    @property
    def row(self) -> str:
        """Of the table, without the plane."""
        apart = [f"{self.worst[name]:.1e}" for name in ("boxes_mm", "scores", "grades")]
        seconds = [f"{fmean(each):.2f}" for each in (self.torch_seconds, self.onnx_seconds)]
        return " | ".join([str(len(self.torch_seconds)), str(len(self.shapes)), *apart, *seconds])


def main() -> None:
    """Print the table."""
    parser = ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("folders", nargs="+", type=Path)
    parser.add_argument("--bundle", type=Path, required=True)
    parser.add_argument("--most", type=int, default=20)
    words = parser.parse_args()
    torch.set_num_threads(1)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    model = open_run("shipped").model
    measured: dict[str, PlaneParity] = {}
    for plane, detector in model.detectors.items():
        file = str(words.bundle / f"{plane.value}.onnx")
        session = onnxruntime.InferenceSession(file, options, providers=["CPUExecutionProvider"])
        measured[plane.value] = PlaneParity(detector.network, session)
    for name, image in islice(images(words.folders, model), words.most):
        measured[name].add(image)
    print("| plane | images | shapes | boxes, mm | scores | grades | PyTorch, CPU s | ONNX, CPU s |")
    print("|---|--:|--:|--:|--:|--:|--:|--:|")
    for name, parity in measured.items():
        if parity.shapes:
            print(f"| {name} | {parity.row} |")


if __name__ == "__main__":
    main()
