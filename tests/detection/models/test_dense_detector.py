"""What boxes take from the tokens of the first stage."""

from __future__ import annotations

import math

import pytest
import torch

from spinedet.detection.models.dense_detector import Tokens
from spinedet.detection.models.transformer import Map

BOX = torch.tensor([[20.0, 30.0, 30.0, 8.0, 8.0, 8.0]])


def test_a_box_is_graded_by_the_tokens_that_lie_nearest_in_its_own_measure() -> None:
    # Two tokens within the box, one as near in mm, but beyond its thin side.
    positions = torch.tensor([[20.0, 30, 30], [20, 30, 40], [28, 30, 30]])
    logits = torch.tensor([[[2.0], [0.0], [-9.0]]])
    nothing = Map(torch.zeros(1, 1, 1, 1, 1), torch.ones(3), torch.zeros(3))
    tokens = Tokens(torch.zeros(1, 3, 1), BOX.repeat(3, 1)[None], torch.zeros(1, 3, 1), positions, nothing, logits)
    grades = tokens.grades(0, torch.tensor([[20.0, 30, 30, 4, 20, 40]]), 2)
    assert grades is not None
    assert grades.tolist() == pytest.approx([1 / (1 + math.exp(-1))])
