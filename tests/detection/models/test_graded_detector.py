"""What graders learn from beside the reference: proposals that are no structure."""

from __future__ import annotations

import torch

from spinedet.detection.batch import Detections, Structures
from spinedet.detection.models.graded_detector import CERTAIN, grading_examples


def boxes(*rows: float) -> torch.Tensor:
    return torch.tensor([[2.0, row, 80.0, 4.0, 12.0, 36.0] for row in rows]).view(-1, 6)


def reference(*rows: float, ignore: int | None = None) -> Structures:
    ignored = torch.arange(len(rows)) == (-1 if ignore is None else ignore)
    return Structures(boxes(*rows), torch.ones(len(rows), 1), ignored, torch.full((len(rows), 4), 2.0))


def proposed(*rows_and_scores: tuple[float, float]) -> Detections:
    rows, scores = zip(*rows_and_scores, strict=True)
    return Detections(boxes(*rows), torch.tensor(scores)[:, None])


def test_proposals_that_hit_nothing_are_examples_without_a_lesion() -> None:
    found = grading_examples(reference(60, 100), proposed((100, 0.9), (140, 0.6), (80, 0.1)), 4.0, caudal=(1, 1))
    assert found.boxes[:, 1].tolist() == [60, 100, 140, 80]
    assert found.known.lesion[:, 0].tolist() == [1, 1, 0, 0]
    assert found.known.grades.isnan().all(dim=1).tolist() == [False, False, True, True]
    assert not found.known.ignore.any()
    assert found.certain.tolist() == [True, True, True, False]  # as at prediction, by the score
    assert 0.1 < CERTAIN < 0.6


def test_what_may_be_a_structure_is_no_such_example() -> None:
    # Above the highest structure there may be others that nobody assessed; an ignored one may hold a lesion.
    offered = proposed((20, 0.9), (100, 0.8), (142, 0.5), (146, 0.4), (200, 0.01))
    found = grading_examples(reference(60, 100, ignore=1), offered, 4.0, caudal=(1, 1))
    assert found.boxes[:, 1].tolist() == [60, 100, 142]  # of two on one place the better
    assert found.known.ignore.tolist() == [False, True, False]
    # In an axial stack slices run to the head.
    upside_down = grading_examples(reference(60, 100), proposed((20, 0.9), (140, 0.9)), 4.0, caudal=(1, -1))
    assert upside_down.boxes[:, 1].tolist() == [60, 100, 20]


def test_examples_end_with_the_image_and_may_be_none() -> None:
    thick = Detections(torch.tensor([[6.0, 140.0, 80.0, 12.0, 12.0, 36.0]]), torch.tensor([[0.9]]))
    found = grading_examples(reference(60), thick, 4.0, caudal=(1, 1))
    assert found.boxes[1].tolist() == [2, 140, 80, 4, 12, 36]
    nothing = grading_examples(Structures.empty(1, 4), Detections(boxes(), torch.empty(0, 1)), 4.0, caudal=(1, 1))
    assert nothing.boxes.shape == (0, 6)
    assert nothing.certain.shape == (0,)
