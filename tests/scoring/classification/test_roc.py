"""Areas under ROC curves by hand, at ties, and against the example of DeLong, DeLong and Clarke-Pearson."""

from __future__ import annotations

import numpy as np
import pytest

from spinedet.scoring.classification.roc import (
    delong,
    delong_covariance,
    paired_delong,
    placements,
    roc_points,
)

# Albumin, total protein, K-G score (to be taken as 10 - score) and whether surgery helped, of the 43 complete patients
# of DeLong et al. (Biometrics 1988;44:837).
OVARIAN = """
3.0 5.8 10 0  3.2 6.3 5 1  3.9 6.8 3 1  2.8 4.8 6 0  3.2 5.8 3 1  0.9 4.0 5 0  2.5 5.7 8 0  1.6 5.6 5 1  3.8 5.7 5 1
3.7 6.7 6 1  3.2 5.4 4 1  3.8 6.6 6 1  4.1 6.6 5 1  3.6 5.7 5 1  4.3 7.0 4 1  3.6 6.7 4 0  2.3 4.4 6 1  4.2 7.6 4 0
4.0 6.6 6 0  3.5 5.8 6 1  3.8 6.8 7 1  3.0 4.7 8 0  4.5 7.4 5 1  3.7 7.4 5 1  3.1 6.6 6 1  4.1 8.2 6 1  4.3 7.0 5 1
4.3 6.5 4 1  3.2 5.1 5 1  2.6 4.7 6 1  3.3 6.8 6 0  1.7 4.0 7 0  3.7 6.1 5 1  3.3 6.3 7 1  4.2 7.7 6 1  3.5 6.2 5 1
2.9 5.7 9 0  2.1 4.8 7 1  2.8 6.2 8 0  4.0 7.0 7 1  3.3 5.7 6 1  3.7 6.9 5 1  3.6 6.6 5 1
"""


def test_the_example_of_delong() -> None:
    """Areas, standard errors and the joint chi-square as statistics packages print them for these patients."""
    rows = np.array(OVARIAN.split(), float).reshape(-1, 4)
    helped = rows[:, 3] == 1
    curves = [placements(score, helped) for score in (rows[:, 0], rows[:, 1], 10 - rows[:, 2])]
    covariance = delong_covariance(curves)
    assert [one.auc for one in curves] == pytest.approx([0.7366, 0.6478, 0.7258], abs=5e-5)
    assert np.sqrt(np.diag(covariance)) == pytest.approx([0.0927, 0.1000, 0.1028], abs=5e-5)
    contrast = np.array([[1, 0, -1], [0, 1, -1]])
    apart = contrast @ [one.auc for one in curves]
    assert apart @ np.linalg.inv(contrast @ covariance @ contrast.T) @ apart == pytest.approx(2.5340, abs=5e-5)
    pair = paired_delong(10 - rows[:, 2], rows[:, 1], helped)
    assert pair.difference.value == pytest.approx(0.6478 - 0.7258, abs=1e-4)
    assert pair.p == pytest.approx(0.456, abs=5e-4)


def test_an_area_with_ties_by_hand() -> None:
    # Positives 3, 2; negatives 2, 1, 0: pairs won 3 + 2, one tied: 5.5 of 6.
    score, positive = np.array([3.0, 2.0, 2.0, 1.0, 0.0]), np.array([True, True, False, False, False])
    found = placements(score, positive)
    assert found.auc == pytest.approx(5.5 / 6)
    assert found.positive == pytest.approx([1, 2.5 / 3])
    assert found.negative == pytest.approx([0.75, 1, 1])
    # Variances of the placements over their numbers: (1/6)^2 / 2 / 2 + (1/4)^2 / 3 / 3.
    variance = (1 / 6) ** 2 / 2 / 2 + (0.25**2 * 2 / 3) / 2 / 3
    assert delong_covariance([found])[0, 0] == pytest.approx(variance)
    assert delong(score, positive).high == 1


def test_a_perfect_curve_says_that_its_interval_is_none() -> None:
    found = delong(np.array([3.0, 2.0, 1.0, 0.0]), np.array([True, True, False, False]))
    assert (found.value, found.low, found.high, found.degenerate) == (1, 1, 1, True)


def test_one_kind_has_no_area() -> None:
    assert delong(np.array([1.0, 2.0]), np.array([True, True])).value is None
    assert paired_delong(np.ones(2), np.ones(2), np.array([False, False])).p is None
    with pytest.raises(ValueError, match="with and without"):
        placements(np.ones(2), np.array([True, True]))


def test_a_single_positive_has_an_area_and_no_interval() -> None:
    found = delong(np.array([1.0, 2.0, 0.0]), np.array([True, False, False]))
    assert found.value == pytest.approx(1 / 2)
    assert found.low is None
    assert "single" in str(found.reason)


def test_equal_scores_do_not_differ() -> None:
    score, positive = np.array([3.0, 2.0, 2.0, 1.0, 0.0, 1.0]), np.array([True, True, False, False, False, True])
    found = paired_delong(score, score, positive)
    assert (found.difference.value, found.p) == (0, 1)


def test_points_of_a_curve_by_hand() -> None:
    score, positive = np.array([0.9, 0.8, 0.8, 0.3]), np.array([True, True, False, False])
    points = [(one.threshold, one.sensitivity, one.specificity) for one in roc_points(score, positive)]
    assert points == [(0.9, 0.5, 1.0), (0.8, 1.0, 0.5), (0.3, 1.0, 0.0)]
