"""Box arithmetic on tensors, against numbers worked out by hand."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch

from spinedet.detection.boxes import contains, distinct, giou, iou, limits, refine, typical_sizes

# Centre and size; the two share 5 x 10 x 10 of 2 x 1000 - 500 mm3.
LEFT = torch.tensor([5.0, 5.0, 5.0, 10.0, 10.0, 10.0])
RIGHT = torch.tensor([10.0, 5.0, 5.0, 10.0, 10.0, 10.0])
FAR = torch.tensor([25.0, 5.0, 5.0, 10.0, 10.0, 10.0])


def test_limits_are_half_a_size_from_the_centre() -> None:
    low, high = limits(LEFT)
    assert low.tolist() == [0, 0, 0]
    assert high.tolist() == [10, 10, 10]


def test_iou_of_half_overlapping_boxes_is_a_third() -> None:
    assert iou(LEFT, RIGHT).item() == pytest.approx(1 / 3)
    assert iou(LEFT, LEFT).item() == 1
    assert iou(LEFT, FAR).item() == 0


def test_giou_charges_the_empty_part_of_the_hull() -> None:
    # Hull 30 x 10 x 10, union 2000: 0 - 1000 / 3000.
    assert giou(LEFT, FAR).item() == pytest.approx(-1 / 3)
    assert giou(LEFT, LEFT).item() == 1


def test_iou_broadcasts_to_every_pair() -> None:
    boxes = torch.stack([LEFT, RIGHT, FAR])
    assert iou(boxes[:, None], boxes[None]).shape == (3, 3)


def test_half_precision_input_is_computed_in_full() -> None:
    assert iou(LEFT.bfloat16(), RIGHT.bfloat16()).dtype == torch.float32


def test_refine_moves_by_the_reference_size() -> None:
    assert torch.equal(refine(LEFT, torch.zeros(6)), LEFT)
    moved = refine(LEFT, torch.tensor([0.5, 0, 0, 0, 0, 0.0]))
    assert moved.tolist() == [10, 5, 5, 10, 10, 10]
    assert torch.isfinite(refine(LEFT, torch.full((6,), 1e4))).all()


def test_distinct_pushes_overlapping_boxes_behind_the_others() -> None:
    boxes = torch.stack([LEFT, LEFT + 0.1, FAR])
    scores = torch.tensor([0.9, 0.8, 0.1])
    assert distinct(boxes, scores, 0.5, 2).row.tolist() == [0, 2]
    both = distinct(boxes, scores, 0.5, 3)
    assert both.row.tolist() == [0, 2, 1]
    assert both.filler.tolist() == [False, False, True]


def test_distinct_gives_all_there_is_when_asked_for_more() -> None:
    assert distinct(LEFT[None], torch.tensor([0.5]), 0.5, 24).row.tolist() == [0]


def test_typical_sizes_are_the_middles_of_the_clusters() -> None:
    sizes = torch.tensor([[4.0, 4, 4], [9.0, 9, 9], [40.0, 40, 40], [90.0, 90, 90]])
    assert typical_sizes(sizes, 2).flatten().tolist() == pytest.approx([6, 6, 6, 60, 60, 60])  # geometric means
    assert typical_sizes(sizes[:1], 4).tolist() == [[4, 4, 4]]


def test_points_on_the_limits_of_a_box_are_in_it() -> None:
    box = torch.tensor([[0.0, 0, 0, 2, 2, 2]])
    points = torch.tensor([[0.0, 1, 2], [3.0, 1, 1]])
    assert contains(box, points).flatten().tolist() == [True, False]


@pytest.mark.parametrize("function", [iou, giou, refine])
def test_box_arithmetic_compiles_without_a_break(
    function: Callable[[torch.Tensor, torch.Tensor], torch.Tensor],
) -> None:
    # The tracer alone: what code is generated from the graph is PyTorch's own matter.
    compiled = torch.compile(function, fullgraph=True, backend="eager")
    boxes = torch.stack([LEFT, RIGHT, FAR])
    torch.testing.assert_close(compiled(boxes, boxes / 2), function(boxes, boxes / 2))
