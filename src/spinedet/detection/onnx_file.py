"""A detector as an ONNX file, written by torch's exporter and read back by onnxruntime."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch

from spinedet.core.errors import InputError
from spinedet.detection.batch import Detections
from spinedet.detection.graph import DetectorGraph, exportable
from spinedet.detection.models import Detector
from spinedet.imaging.volume import Voxels

# The first in which images of three dimensions can be sampled (GridSample).
OPSET = 20
INPUT, OUTPUTS = "image", ("boxes", "scores", "grades")
# The shape that the exporter traces; no two sizes are alike, or it takes them for one.
_EXAMPLE = (11, 144, 112)
_EXTRA = "onnx"
_NEEDED = ("onnx", "onnxscript", "onnxruntime")


def check_onnx() -> None:
    """Refuse when a library is missing.

    Raises:
        InputError: names the extra that installs it.
    """
    missing = [name for name in _NEEDED if find_spec(name) is None]
    if missing:
        raise InputError(f"to=onnx needs {missing[0]}; install it: pip install 'spinedet[{_EXTRA}]'")


def write_onnx(path: Path, network: Detector, properties: Mapping[str, str]) -> None:
    """Write `DetectorGraph` of the network, for images of any size.

    Args:
        properties: text that the file carries with it.

    Raises:
        InputError: a library is missing, or the network cannot be exported.
    """
    check_onnx()
    graph = DetectorGraph(network).eval()
    sizes = dict.fromkeys((2, 3, 4), torch.export.Dim.DYNAMIC)
    example = torch.randn(1, 1, *_EXAMPLE, generator=torch.Generator().manual_seed(0))
    with exportable(), _quiet():
        program = torch.onnx.export(
            graph,
            (example,),
            dynamo=True,
            verbose=False,
            opset_version=OPSET,
            input_names=[INPUT],
            output_names=list(OUTPUTS),
            dynamic_shapes={INPUT: sizes},
        )
    if program is None:
        raise RuntimeError("torch.onnx.export gave no program")
    _write(path, program.model_proto, properties)


def _write(path: Path, model: Any, properties: Mapping[str, str]) -> None:
    """Name the free sizes, add the properties, check the model and write it."""
    import onnx

    (image,) = model.graph.input
    dims = image.type.tensor_type.shape.dim
    if [bool(dim.dim_param) for dim in dims] != [False, False, True, True, True]:
        raise RuntimeError("the exporter has fixed a size of the image")
    onnx.helper.set_model_props(model, dict(properties))
    onnx.checker.check_model(model, full_check=True)
    path.parent.mkdir(parents=True, exist_ok=True)
    onnx.save(model, path)


@contextmanager
def _quiet() -> Iterator[None]:
    """Without the exporter's remarks on its own progress."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)


def run_onnx(path: Path, image: Voxels) -> Detections:
    """What the file finds in an image (slices, rows, columns); rows without a score are left out.

    Raises:
        InputError: onnxruntime is missing.
    """
    check_onnx()
    import onnxruntime

    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    boxes, scores, grades = map(torch.from_numpy, session.run(list(OUTPUTS), {INPUT: image[None, None]}))
    found = Detections(boxes, scores, grades=grades if grades.shape[1] else None)
    return found.select(scores.amax(-1) > 0)
