"""Boxes of several predictions that overlap are averaged by score."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from spinedet.detection.batch import Detections
from spinedet.detection.box_fusion import SAME, weighted_box_fusion

BOX = torch.tensor([[20.0, 30.0, 30.0, 8.0, 8.0, 8.0]])


def test_a_score_is_the_mean_over_all_looks() -> None:
    box, apart = torch.tensor([[10.0, 10, 10, 8, 8, 8]]), torch.tensor([[90.0, 10, 10, 8, 8, 8]])
    first = Detections(torch.cat([box, apart]), torch.tensor([[0.9], [0.4]]))
    second = Detections(box + torch.tensor([[1.0, 0, 0, 0, 0, 0]]), torch.tensor([[0.3]]))
    both = weighted_box_fusion([first, second])
    assert both.scores.flatten().tolist() == pytest.approx([0.6, 0.2])
    assert both.boxes[0].tolist() == pytest.approx([10.25, 10, 10, 8, 8, 8])  # 0.9 x 10 + 0.3 x 11, over 1.2


def test_the_best_box_of_a_place_counts_and_not_the_one_that_fits_best() -> None:
    box = torch.tensor([[10.0, 10, 10, 8, 8, 8]])
    # The second look has dismissed a box that lies exactly there, and settled on one that lies 1 mm beside it.
    second = Detections(torch.cat([box, box + torch.tensor([[1.0, 0, 0, 0, 0, 0]])]), torch.tensor([[0.02], [0.7]]))
    both = weighted_box_fusion([Detections(box, torch.tensor([[0.9]])), second])
    assert both.scores.flatten().tolist() == pytest.approx([0.8, 0.01])


def test_several_predictions_grade_by_their_scores_and_strangers_to_grades_say_nothing() -> None:
    first = Detections(BOX, torch.tensor([[0.9]]), torch.tensor([1.0]))
    second = Detections(BOX, torch.tensor([[0.3]]), torch.tensor([3.0]))
    silent = Detections(BOX, torch.tensor([[0.6]]))
    both, one, none = (
        weighted_box_fusion(predictions).severity
        for predictions in ([first, second], [first, silent], [silent, silent])
    )
    assert both is not None
    assert one is not None
    assert both.tolist() == pytest.approx([(0.9 * 1 + 0.3 * 3) / 1.2])
    assert one.tolist() == pytest.approx([1.0])
    assert none is None
    away = replace(silent, boxes=BOX + 20)
    apart = weighted_box_fusion([first, away]).severity
    assert apart is not None
    assert apart.isnan().tolist() == [False, True]


def test_boxes_are_one_only_beyond_the_limit() -> None:
    # Cubes of 8 mm that are d apart along one axis have an IoU of (8 - d) / (8 + d).
    box = torch.tensor([[10.0, 10, 10, 8, 8, 8]])
    limit = 8 * (1 - SAME) / (1 + SAME)
    for shift, count in ((limit - 0.1, 1), (limit + 0.1, 2)):
        beside = box + torch.tensor([[shift, 0, 0, 0, 0, 0]])
        fused = weighted_box_fusion([Detections(box, torch.tensor([[0.9]])), Detections(beside, torch.tensor([[0.5]]))])
        assert len(fused.boxes) == count


def test_every_category_is_a_mean_of_its_own() -> None:
    first = Detections(BOX, torch.tensor([[0.8, 0.2]]))
    second = Detections(BOX, torch.tensor([[0.4, 0.6]]))
    assert weighted_box_fusion([first, second]).scores[0].tolist() == pytest.approx([0.6, 0.4])


def test_two_boxes_of_one_prediction_are_never_averaged() -> None:
    # The weaker one joins no other: it stands alone, with half its score, for the other prediction has nothing there.
    double = Detections(BOX.repeat(2, 1), torch.tensor([[0.9], [0.6]]))
    empty = Detections(torch.zeros(0, 6), torch.zeros(0, 1))
    fused = weighted_box_fusion([double, empty])
    assert fused.scores.flatten().tolist() == pytest.approx([0.45, 0.3])
    assert len(weighted_box_fusion([empty, empty]).boxes) == 0
