"""An ONNX file of the graded detector, whose graph has most in it, in onnxruntime; other detectors: `test_bundle`."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
import torch

from spinedet.detection.batch import Detections
from spinedet.detection.models import Detector, build
from spinedet.detection.onnx_file import OPSET, run_onnx, write_onnx
from tests.detection.small import CARD, SMALL, spread


@pytest.fixture(scope="module")
def network() -> Detector:
    torch.manual_seed(0)
    return spread(build(SMALL["graded"], CARD)).eval()


@pytest.fixture(scope="module")
def file(network: Detector, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("onnx") / "sagittal.onnx"
    write_onnx(path, network, {"weights_sha256": "abc"})
    return path


def nearest(found: Detections, wanted: Detections) -> Detections:
    return found.select(torch.cdist(wanted.boxes, found.boxes).argmin(1))


def test_it_carries_what_it_is_told_and_standard_operators_alone(file: Path) -> None:
    model = onnx.load(file)
    assert {one.key: one.value for one in model.metadata_props}["weights_sha256"] == "abc"
    assert {(one.domain, one.version) for one in model.opset_import} == {("", OPSET)}
    assert {node.domain for node in model.graph.node} <= {"", "ai.onnx"}


@pytest.mark.parametrize("shape", [(9, 120, 104), (3, 96, 128), (14, 170, 150)], ids=str)
def test_it_finds_and_grades_like_the_network(file: Path, network: Detector, shape: tuple[int, int, int]) -> None:
    image = np.random.default_rng(1).normal(size=shape).astype(np.float32)
    (wanted,) = network.detect(torch.from_numpy(image)[None, None])
    found = run_onnx(file, image)
    assert len(found.boxes) == len(wanted.boxes) > 0
    found = nearest(found, wanted)
    assert (found.boxes - wanted.boxes).abs().max() < 1e-2
    assert (found.scores - wanted.scores).abs().max() < 1e-4
    assert found.grades is not None
    assert wanted.grades is not None
    assert (found.grades - wanted.grades).abs().max() < 1e-3
