"""Who answers for which lesion."""

from __future__ import annotations

import torch

from spinedet.detection.assignment import hungarian, nearest_tokens
from spinedet.detection.batch import Targets

NOTHING = Targets(torch.empty(0, 6), torch.empty(0, dtype=torch.long), torch.empty(0, dtype=torch.bool))


def targets(*boxes: list[float]) -> Targets:
    count = len(boxes)
    return Targets(torch.tensor(boxes), torch.zeros(count, dtype=torch.long), torch.zeros(count, dtype=torch.bool))


def test_hungarian_gives_each_lesion_its_own_prediction() -> None:
    lesions = targets([10.0, 10, 10, 8, 8, 8], [40.0, 10, 10, 8, 8, 8])
    boxes = torch.tensor([[40.0, 10, 10, 8, 8, 8], [90.0, 10, 10, 8, 8, 8], [11.0, 10, 10, 8, 8, 8]])
    (match,) = hungarian(boxes[None], torch.zeros(1, 3, 1), lesions)
    assert dict(zip(match.target.tolist(), match.prediction.tolist(), strict=True)) == {0: 2, 1: 0}


def test_hungarian_prefers_the_confident_of_two_equal_boxes() -> None:
    lesions = targets([10.0, 10, 10, 8, 8, 8])
    boxes = lesions.boxes.expand(2, 2, -1)
    layers = hungarian(boxes, torch.tensor([[[-3.0], [3.0]], [[3.0], [-3.0]]]), lesions)
    assert [match.prediction.tolist() for match in layers] == [[1], [0]]


def test_nothing_to_find_matches_nothing() -> None:
    assert [len(m.prediction) for m in hungarian(torch.ones(2, 3, 6), torch.zeros(2, 3, 1), NOTHING)] == [0, 0]
    assert len(nearest_tokens(torch.ones(3, 3), NOTHING, 9).prediction) == 0


def test_tokens_inside_a_lesion_answer_for_it_up_to_the_count() -> None:
    positions = torch.stack([torch.arange(10.0), torch.zeros(10), torch.zeros(10)], dim=1)
    lesion = targets([4.0, 0, 0, 6.4, 5, 5])  # reaches from 0.8 to 7.2
    assert sorted(nearest_tokens(positions, lesion, 99).prediction.tolist()) == [1, 2, 3, 4, 5, 6, 7]
    assert sorted(nearest_tokens(positions, lesion, 3).prediction.tolist()) == [3, 4, 5]


def test_a_lesion_between_tokens_still_has_one() -> None:
    positions = torch.tensor([[0.0, 0, 0], [12.0, 0, 0]])
    assert nearest_tokens(positions, targets([5.0, 0, 0, 2, 2, 2]), 9).prediction.tolist() == [0]


def test_a_token_in_two_lesions_goes_to_the_nearer() -> None:
    positions = torch.tensor([[4.0, 0, 0]])
    match = nearest_tokens(positions, targets([0.0, 0, 0, 20, 20, 20], [5.0, 0, 0, 20, 20, 20]), 9)
    assert match.target.tolist() == [1]
