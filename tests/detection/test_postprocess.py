"""Findings in RAS mm from boxes on the working grid."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
import torch

from spinedet.core.geometry import EdgeBox, Grid
from spinedet.core.types import Lesion
from spinedet.detection.batch import Detections
from spinedet.detection.dataset import targets_on
from spinedet.detection.postprocess import MOST_FINDINGS, findings

TILT = np.deg2rad(20)
# Slices, rows and columns of an angled axial stack, as unit columns, times their spacing.
DIRECTIONS = np.array([[0, 0, -1.0], [np.sin(TILT), -np.cos(TILT), 0], [np.cos(TILT), np.sin(TILT), 0]])
TILTED = np.block([[DIRECTIONS * [4, 1.6, 1.6], np.array([[30.0], [5], [-7]])], [np.zeros((1, 3)), np.ones((1, 1))]])
GRID = Grid((10, 40, 50), np.diag([4.0, 1.6, 1.6, 1.0]))
GRADED_BOX = torch.tensor([[20.0, 30.0, 30.0, 8.0, 8.0, 8.0]])


def detections(boxes: list[list[float]], scores: list[list[float]]) -> Detections:
    return Detections(torch.tensor(boxes), torch.tensor(scores))


def test_a_box_comes_back_from_the_grid_to_where_the_lesion_is() -> None:
    grid = Grid((10, 40, 50), TILTED)
    box = grid.world(EdgeBox(np.array([2.0, 10, 20]), np.array([5.0, 18, 35])))
    target = targets_on(grid, [Lesion(id="1", series="s", category="d", box=box)], ("d",)).boxes
    found = findings(Detections(target, torch.tensor([[0.7]])), grid, "s", ("d",), 0.01)[0]
    assert found.box.center == pytest.approx(box.center, abs=1e-4)
    assert found.box.size == pytest.approx(box.size, abs=1e-4)
    assert np.allclose(found.box.axes, box.axes)


def test_findings_come_by_score_and_weak_ones_not_at_all() -> None:
    boxes = [[20.0, 30, 30, 8, 8, 8]] * 3
    found = findings(detections(boxes, [[0.2], [0.005], [0.9]]), GRID, "s", ("d",), 0.01)
    assert [round(f.score, 6) for f in found] == [0.9, 0.2]


def test_each_category_above_the_limit_is_a_finding() -> None:
    found = findings(detections([[20.0, 30, 30, 8, 8, 8]], [[0.2, 0.6]]), GRID, "s", ("a", "b"), 0.1)
    assert [f.category for f in found] == ["b", "a"]


def test_boxes_are_cut_to_the_image() -> None:
    # The grid covers 40 x 64 x 80 mm from its outer corner at (-2, -0.8, -0.8).
    found = findings(detections([[0.0, 30, 30, 20, 8, 8]], [[0.5]]), GRID, "s", ("d",), 0.1)[0]
    assert found.box.size == pytest.approx((10, 8, 8))
    assert found.box.center[0] == pytest.approx(-2 + 5)


def test_a_box_outside_the_image_is_no_finding() -> None:
    assert findings(detections([[-30.0, 30, 30, 8, 8, 8]], [[0.9]]), GRID, "s", ("d",), 0.1) == ()


def test_never_more_than_the_most() -> None:
    many = detections([[20.0, 30, 30, 8, 8, 8]] * 300, [[0.5]] * 300)
    assert len(findings(many, GRID, "s", ("d",), 0.1)) == MOST_FINDINGS


def test_a_finding_tells_its_grade_only_where_there_is_one() -> None:
    two = Detections(GRADED_BOX.repeat(2, 1), torch.tensor([[0.9], [0.8]]), torch.tensor([2.25, math.nan]))
    graded, unknown = findings(two, GRID, "s", ("d",), 0.1)
    (plain,) = findings(Detections(GRADED_BOX, torch.tensor([[0.8]])), GRID, "s", ("d",), 0.1)
    assert graded.severity == 2.25
    assert json.loads(graded.model_dump_json())["severity"] == 2.25
    assert unknown.severity is None
    assert plain.model_dump_json() == unknown.model_dump_json()
    assert "severity" not in plain.model_dump(mode="json")
