"""Curves against numbers counted by hand, and against a slow reference that is easy to read."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spinedet.scoring.metrics.froc_pr import RATES, Curve, RankedFindings, ledger, operating_points


def curve_of(marks: list[tuple[float, bool]], lesions: int, scans: int) -> Curve:
    score, hit = [mark[0] for mark in marks], [mark[1] for mark in marks]
    ranked = RankedFindings(np.array(score, dtype=float), np.array(hit, dtype=bool), np.zeros(len(marks), dtype=int))
    return ledger(ranked, np.array([lesions]), np.array([scans])).curve()


def test_four_findings_by_hand() -> None:
    # hit .9, false .8, hit .7, false .6 on 4 lesions and 2 scans
    curve = curve_of([(0.9, True), (0.8, False), (0.7, True), (0.6, False)], lesions=4, scans=2)
    assert curve.tp[:, 0].tolist() == [1, 2]
    assert curve.fp[:, 0].tolist() == [0, 1]
    # up to 1/4 false positive a scan none of the two scans' findings may be false; from 1/2 on one may
    assert curve.sensitivity()[:, 0].tolist() == [0.25, 0.25, 0.5, 0.5, 0.5, 0.5, 0.5]
    assert curve.average_precision_step()[0] == pytest.approx((1 + 2 / 3) / 4)
    # recall 0 ... 25 % at precision 1 (26 points), 26 ... 50 % at 2/3 (25 points), the other 50 at 0
    assert curve.average_precision()[0] == pytest.approx((26 + 25 * 2 / 3) / 101)
    assert curve.f1_max()[0] == pytest.approx(2 * 2 / (3 + 4))


def test_equal_scores_make_one_point() -> None:
    for marks in ([(0.5, True), (0.5, False)], [(0.5, False), (0.5, True)]):
        curve = curve_of(marks, lesions=1, scans=1)
        assert curve.average_precision()[0] == 0.5
        assert curve.sensitivity()[:, 0].tolist() == [0, 0, 0, 1, 1, 1, 1]


def test_straight_lines_climb_only_where_a_hit_and_a_false_positive_tie() -> None:
    # .9 hits alone; at .5 one hit and two false positives come together: from (0, 1) to (2, 2) of 4 lesions, 4 scans
    curve = curve_of([(0.9, True), (0.5, True), (0.5, False), (0.5, False)], lesions=4, scans=4)
    assert curve.sensitivity()[:, 0].tolist() == [0.25, 0.25, 0.5, 0.5, 0.5, 0.5, 0.5]
    assert curve.linear_sensitivity()[:, 0].tolist() == [0.3125, 0.375, 0.5, 0.5, 0.5, 0.5, 0.5]
    free = curve_of([(0.9, True), (0.6, False), (0.5, True)], lesions=4, scans=2)
    assert free.linear_sensitivity()[:, 0].tolist() == free.sensitivity()[:, 0].tolist()


def test_recall_is_compared_in_whole_numbers() -> None:
    # 29 of 100 lesions: 0.29 as a float is below 29 / 100 of a linspace; the 30 points from 0 to 29 % all count
    curve = curve_of([(1 - k / 100, True) for k in range(29)], lesions=100, scans=1)
    assert curve.average_precision()[0] == pytest.approx(30 / 101, abs=1e-15)


def test_nothing_to_find_is_undefined_and_nothing_found_is_zero() -> None:
    nothing = curve_of([(0.9, False)], lesions=0, scans=1)
    for value in (
        nothing.average_precision(),
        nothing.average_precision_step(),
        nothing.f1_max(),
        nothing.sensitivity()[0],
    ):
        assert np.isnan(value[0])
    silent = curve_of([], lesions=2, scans=1)
    assert silent.linear_sensitivity()[0, 0] == 0
    for value in (
        silent.average_precision(),
        silent.average_precision_step(),
        silent.f1_max(),
        silent.sensitivity()[0],
    ):
        assert value[0] == 0


def test_every_lesion_found_is_a_sensitivity_of_one() -> None:
    curve = curve_of([(-1.0, True), (-2.0, True)], lesions=2, scans=2)  # logits: only their order counts
    assert curve.sensitivity()[:, 0].tolist() == [1.0] * 7
    assert curve.average_precision()[0] == 1.0


def test_the_staircase_knows_every_threshold() -> None:
    marks = RankedFindings(np.array([0.9, 0.5, 0.5, 0.1]), np.array([True, True, False, False]), np.zeros(4, dtype=int))
    steps = operating_points(marks)
    assert steps.score.tolist() == [0.9, 0.5, 0.1]
    assert (steps.tp.tolist(), steps.fp.tolist()) == ([1, 2, 2], [0, 1, 2])
    found = {threshold: (steps.at(threshold).tp, steps.at(threshold).fp) for threshold in (0.95, 0.9, 0.6, 0.5, 0.0)}
    assert found == {0.95: (0, 0), 0.9: (1, 0), 0.6: (1, 0), 0.5: (2, 1), 0.0: (2, 2)}


def _slow(marks: list[tuple[int, bool, int]], lesions: int, scans: int) -> tuple[list[float], float, float, float]:
    """FROC, 101-point AP, AP by steps and best F1, threshold by threshold in exact fractions."""
    points = []
    for threshold in sorted({mark[0] for mark in marks}, reverse=True):
        kept = [hit for score, hit, _ in marks if score >= threshold]
        points.append((sum(kept), len(kept) - sum(kept)))
    froc = [
        float(max((Fraction(tp, lesions) for tp, fp in points if fp <= Fraction(rate) * scans), default=Fraction(0)))
        for rate in RATES
    ]
    ap = sum(
        max((Fraction(tp, tp + fp) for tp, fp in points if 100 * tp >= k * lesions), default=Fraction(0))
        for k in range(101)
    )
    before, step = 0, Fraction(0)
    for tp, fp in points:
        step += Fraction(tp - before, lesions) * Fraction(tp, tp + fp)
        before = tp
    f1 = max((Fraction(2 * tp, tp + fp + lesions) for tp, fp in points), default=Fraction(0))
    return froc, float(ap / 101), float(step), float(f1)


marked = st.lists(st.tuples(st.integers(0, 8), st.booleans(), st.integers(0, 3)), max_size=25)


@settings(max_examples=150, deadline=None)
@given(marks=marked, missed=st.integers(1, 4), counts=st.lists(st.integers(0, 3), min_size=4, max_size=4))
def test_weighted_curves_equal_repeated_patients(
    marks: list[tuple[int, bool, int]], missed: int, counts: list[int]
) -> None:
    """Weighing patient p by w is the same as having its marks, lesions and scans w times."""
    lesions = np.array([missed * (q == 0) + sum(hit for _, hit, p in marks if p == q) for q in range(4)])
    scans = np.array([1, 2, 1, 3])
    falling = sorted(marks, key=lambda mark: -mark[0])
    score, hit, patient = (np.array(column) for column in (zip(*falling, strict=True) if marks else ([], [], [])))
    ranked = RankedFindings(score.astype(float), hit.astype(bool), patient.astype(int))
    weights = np.array([counts, [1, 1, 1, 1]], dtype=float).T
    curve = ledger(ranked, lesions, scans).weigh(weights)
    for column, weight in enumerate(weights.T.astype(int).tolist()):
        repeated = [mark for mark in marks for _ in range(weight[mark[2]])]
        total, shown = int(lesions @ weight), int(scans @ weight)
        if not total or not shown:
            assert np.isnan(curve.sensitivity()[0, column])
            continue
        froc, ap, step, f1 = _slow(repeated, total, shown)
        assert curve.sensitivity()[:, column].tolist() == pytest.approx(froc, abs=1e-12)
        assert curve.average_precision()[column] == pytest.approx(ap, abs=1e-12)
        assert curve.average_precision_step()[column] == pytest.approx(step, abs=1e-12)
        assert curve.f1_max()[column] == pytest.approx(f1, abs=1e-12)
