"""Loss terms on cases small enough to work out."""

from __future__ import annotations

import math

import pytest
import torch

from spinedet.detection.assignment import Match
from spinedet.detection.batch import Targets
from spinedet.detection.losses import (
    WEIGHT_GIOU,
    WEIGHT_SEVERITY,
    MatchedPredictions,
    Prediction,
    batch_losses,
    varifocal,
)
from spinedet.detection.models.ordinal_head import expected_grade
from spinedet.detection.settings import LEAST_QUALITY
from tests.detection.test_batch import targets

BOX = torch.tensor([[10.0, 10.0, 10.0, 8.0, 8.0, 8.0]])
NONE = torch.empty(0, dtype=torch.long)


def terms_of(*answers: MatchedPredictions) -> list[torch.Tensor]:
    losses = batch_losses({"part": answers})
    return [losses[f"part/{term}"] for term in ("class", "l1", "giou")]


def lesion(ignore: bool = False) -> Targets:
    return Targets(BOX, torch.zeros(1, dtype=torch.long), torch.tensor([ignore]))


def test_a_perfect_box_costs_only_its_doubt() -> None:
    match = Match(torch.tensor([0]), torch.tensor([0]))
    terms = terms_of(MatchedPredictions(Prediction(BOX, torch.zeros(1, 1)), lesion(), match))
    assert [term.item() for term in terms] == pytest.approx([math.log(2), 0, 0], abs=1e-6)


def test_a_box_next_to_the_lesion_costs_its_hull() -> None:
    beside = BOX + torch.tensor([8.0, 0, 0, 0, 0, 0])
    match = Match(torch.tensor([0]), torch.tensor([0]))
    terms = terms_of(MatchedPredictions(Prediction(beside, torch.zeros(1, 1)), lesion(), match))
    assert terms[2].item() == pytest.approx(WEIGHT_GIOU)  # they touch: IoU 0, no empty hull


def test_varifocal_weighs_negatives_by_their_score() -> None:
    sure, unsure = varifocal(torch.tensor([2.0, -2.0]), torch.zeros(2)).tolist()
    chance = 1 / (1 + math.exp(-2.0))
    assert sure == pytest.approx(0.75 * chance**2 * -math.log(1 - chance), rel=1e-5)
    assert unsure < sure / 100


def test_a_positive_is_asked_for_its_iou_but_not_less_than_the_least() -> None:
    elsewhere = BOX + torch.tensor([80.0, 0, 0, 0, 0, 0])
    match = Match(torch.tensor([0]), torch.tensor([0]))
    logit = torch.tensor([[math.log(LEAST_QUALITY / (1 - LEAST_QUALITY))]], requires_grad=True)
    terms_of(MatchedPredictions(Prediction(elsewhere, logit), lesion(), match))[0].backward()
    assert logit.grad is not None
    assert logit.grad.item() == pytest.approx(0, abs=1e-6)


def test_a_prediction_in_an_ignored_lesion_is_neither_right_nor_wrong() -> None:
    free = Match(NONE, NONE)
    confident = torch.full((1, 1), 3.0)
    within, beyond = (
        MatchedPredictions(Prediction(box, confident), lesion(ignore=True), free) for box in (BOX, BOX + 100)
    )
    assert [term.item() for term in terms_of(within)] == [0, 0, 0]
    assert terms_of(beyond)[0] > 1
    assert terms_of(beyond, within)[0] == terms_of(beyond)[0]  # each scan's own ignored lesions excuse its own


def test_parts_are_kept_apart_and_each_is_a_mean_per_match() -> None:
    match = Match(torch.tensor([0]), torch.tensor([0]))
    perfect = MatchedPredictions(Prediction(BOX, torch.zeros(1, 1)), lesion(), match)
    beside = MatchedPredictions(
        Prediction(BOX + torch.tensor([8.0, 0, 0, 0, 0, 0]), torch.zeros(1, 1)), lesion(), match
    )
    losses = batch_losses({"good": [perfect], "mixed": [perfect, beside]})
    assert losses["good/giou"].item() == pytest.approx(0, abs=1e-6)
    assert losses["mixed/giou"].item() == pytest.approx(WEIGHT_GIOU / 2)


def test_the_term_is_the_cross_entropy_of_being_above_each_grade() -> None:
    logits = torch.tensor([[3.0, -1.0], [0.0, 0.0], [9.0, 9.0]])
    match = Match(torch.tensor([0, 1]), torch.tensor([1, 0]))
    answer = MatchedPredictions(Prediction(BOX.repeat(3, 1), torch.zeros(3, 1), logits), targets(math.nan, 1.0), match)
    # The first prediction answers for the lesion of grade 1, above 0 and not above 1; of the other nothing is known.
    wanted = math.log1p(math.exp(-3)) + math.log1p(math.exp(-1))
    losses = batch_losses({"dense": [answer]})
    assert losses["dense/severity"].item() == pytest.approx(WEIGHT_SEVERITY * wanted, rel=1e-5)


def test_a_grade_between_two_is_its_own_best_answer() -> None:
    logits = torch.tensor([[20.0, 0.0]], requires_grad=True)
    match = Match(torch.tensor([0]), torch.tensor([0]))
    batch_losses({"p": [MatchedPredictions(Prediction(BOX, torch.zeros(1, 1), logits), targets(1.5), match)]})[
        "p/severity"
    ].backward()
    assert logits.grad is not None
    assert logits.grad.abs().max() < 1e-6
    assert expected_grade(logits).item() == pytest.approx(1.5)
