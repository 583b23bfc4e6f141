"""Precision, recall, F1 and accuracy of labels, counted by hand."""

from __future__ import annotations

import numpy as np
import pytest

from spinedet.scoring import BootstrapSettings
from spinedet.scoring.classification.counts import confusion, label_counts, without_items
from spinedet.scoring.classification.evaluate import (
    AS_ANSWERED,
    FORCED,
    Resampling,
    exact_share,
    predictive_values,
    score_group,
    ways_to_answer,
)
from spinedet.scoring.classification.items import REJECTED, Items

NONE = REJECTED


def items(
    reference: list[int],
    called: list[int],
    labels: tuple[str, ...] = ("A", "B", "C"),
    score: list[list[float]] | None = None,
    patient: list[int] | None = None,
) -> Items:
    n = len(reference)
    rows = np.arange(n) if patient is None else np.array(patient)
    return Items(
        labels=labels,
        centers=("home",),
        center=np.zeros(int(rows.max()) + 1, dtype=np.int64),
        patient=rows,
        reference=np.array(reference),
        called=np.array(called),
        score=np.full((n, len(labels)), np.nan) if score is None else np.array(score),
    )


def measured(found: Items, weights: list[float] | None = None) -> dict[str, float]:
    counts = label_counts(found)
    each = np.ones((len(counts.members), 1)) if weights is None else np.array(weights, float)[:, None]
    return {name: float(values[0]) for name, values in counts.measure(each).items()}


def test_five_images_and_three_labels() -> None:
    # A A B B C are read as A B B none C: of A one of two is found, of B one of two, C is found.
    found = measured(items([0, 0, 1, 1, 2], [0, 1, 1, NONE, 2]))
    assert (found["precision of A"], found["recall of A"], found["f1 of A"]) == pytest.approx((1, 1 / 2, 2 / 3))
    assert (found["precision of B"], found["recall of B"], found["f1 of B"]) == pytest.approx((1 / 2, 1 / 2, 1 / 2))
    assert (found["precision of C"], found["recall of C"]) == (1, 1)
    assert found["accuracy"] == found["micro_recall"] == pytest.approx(3 / 5)
    assert found["micro_precision"] == found["accuracy_of_answered"] == pytest.approx(3 / 4)
    assert found["micro_f1"] == pytest.approx(2 * 3 / (5 + 4))
    assert found["answered"] == pytest.approx(4 / 5)
    assert found["macro_precision"] == pytest.approx((1 + 1 / 2 + 1) / 3)
    assert found["macro_recall"] == found["balanced_accuracy"] == pytest.approx((1 / 2 + 1 / 2 + 1) / 3)
    assert found["macro_f1"] == pytest.approx((2 / 3 + 1 / 2 + 1) / 3)


def test_kappa_by_hand() -> None:
    # Answered: A A B C as A B B C. Expected by chance: (2 * 1 + 1 * 2 + 1 * 1) / 16 = 5 / 16; observed 3 / 4.
    found = measured(items([0, 0, 1, 1, 2], [0, 1, 1, NONE, 2]))
    assert found["kappa"] == pytest.approx((3 / 4 - 5 / 16) / (1 - 5 / 16))


def test_rows_are_the_reference_and_the_last_column_is_no_answer() -> None:
    table = confusion(items([0, 0, 1, 1, 2], [0, 1, 1, NONE, 2]))
    assert table.tolist() == [[1, 1, 0, 0], [0, 1, 0, 1], [0, 0, 1, 0]]


def test_an_empty_label_leaves_the_means_and_is_named() -> None:
    found = items([0, 0, 1], [0, 2, 1])
    assert without_items(found) == ("C",)
    assert measured(found)["macro_recall"] == pytest.approx((1 / 2 + 1) / 2)
    assert measured(found)["precision of C"] == 0
    assert np.isnan(measured(found)["recall of C"])


def test_a_label_that_is_never_answered_counts_as_no_precision() -> None:
    found = measured(items([0, 1], [0, 0]))
    assert np.isnan(found["precision of B"])
    assert found["macro_precision"] == pytest.approx((1 / 2 + 0) / 2)


def test_one_label_an_image_makes_micro_precision_recall_and_accuracy_one() -> None:
    random = np.random.default_rng(0)
    found = measured(items(random.integers(0, 3, 50).tolist(), random.integers(0, 3, 50).tolist()))
    assert found["micro_precision"] == found["micro_recall"] == found["micro_f1"] == found["accuracy"]


def test_a_patient_that_weighs_twice_is_there_twice() -> None:
    two = measured(items([0, 1, 1], [0, 1, 0], patient=[0, 1, 1]), [1, 2])
    three = measured(items([0, 1, 1, 1, 1], [0, 1, 0, 1, 0], patient=[0, 1, 1, 2, 2]))
    assert two == pytest.approx(three, nan_ok=True)


def test_forced_choice_answers_what_was_rejected_and_confidence_rejects_what_is_unsure() -> None:
    found = items([0, 1, 2], [NONE, 1, 0], score=[[0.5, 0.3, 0.2], [0.3, 0.4, 0.3], [0.6, 0.2, 0.2]])
    ways = ways_to_answer(found)
    assert ways[AS_ANSWERED].called.tolist() == [NONE, 1, 0]
    assert ways[FORCED].called.tolist() == [0, 1, 0]
    assert ways["confidence >= 0.5"].called.tolist() == [0, NONE, 0]


def test_a_reader_without_scores_has_one_way_to_answer() -> None:
    assert list(ways_to_answer(items([0, 1], [0, 1]))) == [AS_ANSWERED]


def test_a_forced_choice_that_changes_nothing_is_left_out() -> None:
    same = items([0, 1], [0, 1], ("none", "fresh"), [[0.9, 0.1], [0.2, 0.8]])
    assert list(ways_to_answer(same)) == [AS_ANSWERED]


def test_a_threshold_decides_where_there_is_an_answer() -> None:
    scores = [[0.9, 0.1], [0.4, 0.6], [0.4, 0.6]]
    found = items([0, 1, 1], [0, 0, NONE], ("none", "fresh"), scores)
    assert found.thresholded(1, 0.5).called.tolist() == [0, 1, NONE]
    assert found.thresholded(1, 0.05).called.tolist() == [1, 1, NONE]


def test_exact_limits() -> None:
    # All right: the lower limit is alpha / 2 to the power of 1 / n; two published test sets of a radiograph registry.
    everything = exact_share(1166, 1166, 0.95, "")
    assert everything.low == pytest.approx(0.025 ** (1 / 1166))
    assert everything.low == pytest.approx(0.9968, abs=5e-5)
    assert everything.high == 1
    assert exact_share(15, 15, 0.95, "").low == pytest.approx(0.782, abs=5e-4)
    ten = exact_share(10, 11, 0.95, "")
    assert (ten.low, ten.high) == pytest.approx((0.587, 0.998), abs=5e-4)
    assert exact_share(0, 0, 0.95, "no item").reason == "no item"


@pytest.mark.parametrize(("hits", "count"), [(0, 7), (3, 7), (7, 7), (121, 155)])
def test_exact_limits_are_those_of_scipy(hits: int, count: int) -> None:
    from scipy.stats import binomtest

    wanted = binomtest(hits, count).proportion_ci(0.9, "exact")
    found = exact_share(hits, count, 0.9, "")
    assert (found.low, found.high) == pytest.approx((wanted.low, wanted.high), abs=1e-9)


def test_predictive_values_by_bayes() -> None:
    # Of 1000 with 100 ill: 80 found, 90 false alarms; 810 rightly cleared, 20 missed.
    found = predictive_values(0.1, 0.8, 0.9)
    assert found.ppv == pytest.approx(80 / 170)
    assert found.npv == pytest.approx(810 / 830)


def test_a_finding_by_hand() -> None:
    # Four fresh: three found; five others: four cleared, one of them rejected and so not cleared.
    reference, called = [1, 1, 1, 1, 0, 0, 0, 0, 0], [1, 1, 1, 0, 0, 0, 0, 1, NONE]
    found = items(reference, called, ("none", "fresh"))
    sampling = Resampling.over(found.centers, found.center, BootstrapSettings(samples=200))
    group = score_group(found, {"unit": "image"}, sampling, "fresh")
    one = group.answer(AS_ANSWERED).finding
    assert one is not None
    assert one.sensitivity.value == pytest.approx(3 / 4)
    assert one.specificity.value == pytest.approx(3 / 5)
    assert one.ppv.value == pytest.approx(3 / 4)
    assert one.npv.value == pytest.approx(3 / 4)
    assert one.likelihood_positive == pytest.approx(0.75 / 0.4)
    assert one.likelihood_negative == pytest.approx(0.25 / 0.6)
    assert one.sensitivity.low is not None
    assert one.sensitivity.low < 0.75
    assert group.answer(AS_ANSWERED).accuracy.value == pytest.approx(6 / 9)
    assert group.auc.bootstrap.reason == group.auc.delong.reason == "no scores"
    assert group.calibration is None


def test_areas_over_several_labels_are_counted() -> None:
    # A against the rest is perfect, B and C are told at random (all ties); no D is there.
    score = [[0.7, 0.1, 0.1, 0.1], [0.2, 0.3, 0.3, 0.2], [0.2, 0.3, 0.3, 0.2]]
    found = items([0, 1, 2], [0, 1, 2], ("A", "B", "C", "D"), score)
    sampling = Resampling.over(found.centers, found.center, BootstrapSettings(samples=0))
    group = score_group(found, {"unit": "image"}, sampling, None)
    assert group.auc.labels == 3
    # B against A and C: one win, one tie: 3 / 4; C alike.
    assert group.auc.bootstrap.value == pytest.approx((1 + 3 / 4 + 3 / 4) / 3)
    assert group.answer(AS_ANSWERED).empty == ("D",)
    assert group.calibration is not None
    assert group.calibration.brier.value == pytest.approx((0.3**2 + 0.7**2 + 0.3**2) / 3)
