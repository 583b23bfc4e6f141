"""The form of detectors that is exported finds what `detect` finds."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from spinedet.core.errors import InputError
from spinedet.detection.batch import Detections
from spinedet.detection.boxes import compared, distinct, distinct_unrolled
from spinedet.detection.graph import DetectorGraph, exportable
from spinedet.detection.models import Detector, build
from tests.detection.small import CARD, SMALL, spread

SHAPES = [(9, 120, 104), (3, 96, 128), (12, 150, 88)]


def boxes_of(seed: int, count: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Random boxes, many of which overlap, with scores."""
    random = torch.Generator().manual_seed(seed)
    centers = 60 * torch.rand(count, 3, generator=random)
    return torch.cat([centers, 20 + 10 * torch.rand(count, 3, generator=random)], 1), torch.rand(
        count, generator=random
    )


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("overlap", [0.05, 0.3, 1.0])
def test_the_same_boxes_are_distinct(seed: int, overlap: float) -> None:
    boxes, scores = boxes_of(seed, 300)
    for count in (3, 24):
        wanted = distinct(boxes, scores, overlap, count)
        found = distinct_unrolled(boxes, scores, overlap, (compared(count), count))
        assert found.row.tolist() == wanted.row.tolist()
        assert found.filler.tolist() == wanted.filler.tolist()


def image_of(shape: tuple[int, int, int], seed: int = 0) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(seed).normal(size=(1, 1, *shape)).astype(np.float32))


def assert_same(network: Detector, image: torch.Tensor) -> None:
    """All that `detect` finds, in whatever order, and nothing else with a score."""
    (wanted,) = network.detect(image)
    with exportable(), torch.no_grad():
        boxes, scores, grades = DetectorGraph(network)(image)
    rows = scores.amax(-1) > 0
    found = Detections(boxes[rows], scores[rows], grades=grades[rows] if grades.shape[1] else None)
    assert len(found.boxes) == len(wanted.boxes) > 0
    nearest = torch.cdist(wanted.boxes, found.boxes).argmin(1)
    assert nearest.unique().numel() == len(nearest)
    found = found.select(nearest)
    assert (found.boxes - wanted.boxes).abs().max() < 1e-2
    assert (found.scores - wanted.scores).abs().max() < 1e-4
    if wanted.grades is not None:
        assert found.grades is not None
        assert (found.grades - wanted.grades).abs().max() < 1e-3


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("name", [name for name in SMALL if name != "retinanet"])
def test_the_graph_finds_what_the_detector_finds(name: str, shape: tuple[int, int, int]) -> None:
    torch.manual_seed(0)
    assert_same(spread(build(SMALL[name], CARD)).eval(), image_of(shape))


def test_structures_of_which_none_is_certain(monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    network = spread(build(SMALL["graded"], CARD)).eval()
    for module in ("graph", "models.graded_detector"):
        monkeypatch.setattr(f"spinedet.detection.{module}.CERTAIN", 2.0)
    assert_same(network, image_of(SHAPES[0]))


def test_a_suppression_that_loops_over_data_is_refused() -> None:
    with pytest.raises(InputError, match="to=monai"):
        DetectorGraph(build(SMALL["retinanet"], CARD))


@pytest.mark.parametrize("name", ["set", "dense"])
def test_a_learnt_severity_is_not_dropped_in_silence(name: str) -> None:
    with pytest.raises(InputError, match=r"model\.severity .*to=monai"):
        DetectorGraph(build(replace(SMALL[name], severity=3), CARD))
