"""What tuning images decide, by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from spinedet.core.errors import InputError
from spinedet.scoring.classification.thresholds import (
    LabelRule,
    choose_threshold,
    fit_label_temperature,
    novelty_limit,
    tempered,
)

SCORES = np.array([0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2])
FRESH = np.array([True, True, False, True, False, False, True, False])


@pytest.mark.parametrize(
    ("rule", "value", "sensitivity", "specificity"),
    [
        # Youden's sum is 1.5 at .8 (2 of 4, 4 of 4) and at .6 (3 of 4, 3 of 4), 1.25 at .7: the first plateau is .8
        # down to the next lower score, .7.
        ("plateau_youden", 0.75, 0.5, 1.0),
        ("sensitivity>=0.75", 0.6, 0.75, 0.75),
        ("sensitivity >= 1", 0.3, 1.0, 0.25),
        ("specificity>=0.75", 0.6, 0.75, 0.75),
        ("specificity>=1", 0.8, 0.5, 1.0),
    ],
)
def test_rules(rule: str, value: float, sensitivity: float, specificity: float) -> None:
    found = choose_threshold(SCORES, FRESH, LabelRule.parse(rule))
    assert (found.value, found.sensitivity, found.specificity) == pytest.approx((value, sensitivity, specificity))
    above = np.greater_equal(SCORES, found.value)
    assert (above & FRESH).sum() / 4 == sensitivity
    assert (~above & ~FRESH).sum() / 4 == specificity


def test_a_plateau_takes_what_lacks_little() -> None:
    # 100 of each kind: the sum falls by .01 from .5 to .4 (one false alarm more) and by much at .3.
    score = np.repeat([0.9, 0.5, 0.4, 0.3], [90, 10, 1, 99])
    fresh = np.repeat([True, True, False, False], [90, 10, 1, 99])
    assert choose_threshold(score, fresh, LabelRule.parse("plateau_youden")).value == pytest.approx((0.5 + 0.3) / 2)


def test_tuning_images_of_one_label_cannot_choose() -> None:
    found = choose_threshold(SCORES, np.ones(8, bool), LabelRule.parse("plateau_youden"))
    assert found.value == 0.5
    assert "both labels" in str(found.reason)


def test_a_specificity_out_of_reach() -> None:
    found = choose_threshold(np.array([0.9, 0.1]), np.array([False, True]), LabelRule.parse("specificity>=1"))
    assert found.value > 0.9
    assert found.reason


@pytest.mark.parametrize("text", ["youden", "sensitivity", "sensitivity>=1.5", "plateau_youden 0.3", "f1>=0.5"])
def test_bad_rules(text: str) -> None:
    with pytest.raises(InputError, match=r"use plateau_youden, sensitivity>=0\.9"):
        LabelRule.parse(text)


def test_rules_are_written_as_they_are_read() -> None:
    assert str(LabelRule.parse("sensitivity >= 0.90")) == "sensitivity>=0.9"
    assert str(LabelRule.parse("plateau_youden")) == "plateau_youden"


def test_a_temperature_that_makes_scores_true() -> None:
    # Ten answers at p = .9 of which 7 are right: the best p is .7, so that T = logit(.9) / logit(.7).
    score = np.tile([0.9, 0.1], (10, 1))
    reference = np.repeat([0, 1], [7, 3])
    wanted = math.log(9) / math.log(7 / 3)
    found = fit_label_temperature(score, reference)
    assert found == pytest.approx(wanted, rel=1e-6)
    assert found is not None
    assert tempered(score, found)[0] == pytest.approx([0.7, 0.3])


def test_a_temperature_of_three_labels_keeps_the_order() -> None:
    score = np.array([[0.7, 0.2, 0.1]])
    warm = tempered(score, 2.0)
    roots = np.sqrt([0.7, 0.2, 0.1])
    assert warm[0] == pytest.approx(roots / roots.sum())


def test_answers_that_are_all_right_have_no_temperature() -> None:
    assert fit_label_temperature(np.array([[0.9, 0.1]]), np.array([0])) is None
    assert fit_label_temperature(np.empty((0, 2)), np.empty(0, int)) is None


def test_nineteen_of_twenty_known_images_are_kept() -> None:
    novelty = np.arange(1.0, 21.0)
    limit = novelty_limit(novelty)
    assert limit is not None
    assert (novelty <= limit).sum() >= 19
    assert novelty_limit(np.array([np.nan])) is None
