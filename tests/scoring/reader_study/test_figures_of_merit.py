"""Figures of merit on cohorts drawn by hand, and against their definitions written out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from spinedet.core.errors import InputError
from spinedet.scoring.evaluate import Examination, ScoreSettings, examine
from spinedet.scoring.matching.criteria import IouCriterion
from spinedet.scoring.reader_study.figures_of_merit import (
    FEWEST_LESION_FREE,
    RatedEntries,
    cases_of,
    figure_of_merit,
)
from spinedet.scoring.statistics.bootstrap import BootstrapSettings

Draw = Callable[..., Any]


def cohort(draw: Draw, reader: dict[int, list[tuple[float, float]]], healthy: int = FEWEST_LESION_FREE) -> Examination:
    """Two diseased patients, one with two lesions, and lesion-free ones; `reader` gives findings by study number."""
    hand = draw()
    for number, lesions in enumerate([[0.0, 50.0], [0.0], *[[]] * healthy]):
        hand.study(lesions, reader.get(number, []))
    settings = ScoreSettings(IouCriterion(), bootstrap=BootstrapSettings(samples=0), strata=(), secondary=())
    return examine(hand.manifest, hand.table, settings)


def value(examined: Examination, name: str, unit: str = "patient") -> float:
    cases = cases_of(examined, unit)
    return float(figure_of_merit(name, cases).value(np.ones((cases.patients, 1)))[0])


def test_a_perfect_reader_has_one_and_a_silent_one_a_half(draw: Draw) -> None:
    perfect = cohort(draw, {0: [(0.0, 0.9), (50.0, 0.8)], 1: [(0.0, 0.7)]})
    silent = cohort(draw, {})
    assert value(perfect, "wafroc") == value(perfect, "auc") == value(perfect, "f1") == 1
    assert value(silent, "wafroc") == value(silent, "auc") == 0.5
    assert (value(silent, "sensitivity"), value(silent, "specificity"), value(silent, "f1")) == (0, 1, 0)


def test_wafroc_by_hand(draw: Draw) -> None:
    # Of the first patient one of two lesions at .6, the second patient's at .3; one of 20 healthy ones marked at .5,
    # with a false mark at .9 in a diseased patient that is none of wAFROC's.
    examined = cohort(draw, {0: [(0.0, 0.6), (200.0, 0.9)], 1: [(0.0, 0.3)], 2: [(0.0, 0.5), (99.0, 0.4)]})
    # .6 beats all 20; the unmarked lesion (-inf) ties with 19 and loses to one; .3 beats 19.
    expected = (0.5 * 20 + 0.5 * 19 * 0.5 + 1 * 19) / (2 * 20)
    assert value(examined, "wafroc") == pytest.approx(expected)
    # AUC: .9 beats all, .3 beats the 19 without a mark.
    assert value(examined, "auc") == pytest.approx((20 + 19) / (2 * 20))
    assert value(examined, "f1") == pytest.approx(2 * 2 / (2 + 3 + 3))
    assert value(examined, "specificity") == pytest.approx(19 / 20)


def test_the_curve_has_the_area_of_the_figure() -> None:
    stream = np.random.default_rng(1)
    rating = np.where(stream.random(300) < 0.3, -np.inf, stream.integers(0, 9, 300)).astype(float)
    entries = RatedEntries(rating, stream.random(300) < 0.4, stream.random(300), np.arange(300), 300)
    x, y = entries.curve()
    assert (x[0], y[0]) == (0, 0)
    assert (x[-1], y[-1]) == pytest.approx((1, 1))
    assert np.trapezoid(y, x) == pytest.approx(entries.value(np.ones((300, 1)))[0])


def test_the_area_is_the_weighted_share_of_pairs_won() -> None:
    """Chakraborty's definition, pair by pair, with patients taken several times."""
    stream = np.random.default_rng(2)
    rating = np.where(stream.random(40) < 0.2, -np.inf, stream.integers(0, 5, 40)).astype(float)
    ill, share, patient = stream.random(40) < 0.5, stream.random(40), stream.integers(0, 10, 40)
    weights = stream.integers(0, 4, (10, 1)).astype(float)
    each = share * weights[patient, 0]
    won = total = 0.0
    for row in np.flatnonzero(ill):
        for other in np.flatnonzero(~ill):
            won += each[row] * each[other] * ((rating[row] > rating[other]) + 0.5 * (rating[row] == rating[other]))
            total += each[row] * each[other]
    assert RatedEntries(rating, ill, share, patient, 10).value(weights)[0] == pytest.approx(won / total)


def test_scans_as_cases_are_left_out_with_their_patient(draw: Draw) -> None:
    two = [{"id": name, "plane": "sagittal", "path": f"/nowhere/{name}.nii.gz"} for name in ("sag", "other")]
    drawn = draw()
    for _ in range(FEWEST_LESION_FREE):
        drawn.study([0.0], [(0.0, 0.9)], series=two)
    settings = ScoreSettings(IouCriterion(), bootstrap=BootstrapSettings(samples=0), strata=(), secondary=())
    examined = examine(drawn.manifest, drawn.table, settings)
    cases = cases_of(examined, "scan")
    assert (len(cases.patient), cases.patients, cases.free.sum()) == (2 * FEWEST_LESION_FREE, FEWEST_LESION_FREE, 20)
    assert figure_of_merit("wafroc", cases).value(np.ones((cases.patients, 1)))[0] == 1
    with pytest.raises(InputError, match=r"there are 0.*unit=scan"):
        figure_of_merit("wafroc", cases_of(examined, "patient"))


def test_lesions_to_be_ignored_make_a_case_neither(draw: Draw) -> None:
    drawn = draw()
    drawn.study()
    drawn.study([0.0], [(0.0, 0.9)])
    drawn.study([], [(0.0, 0.5)])
    drawn.studies[0]["lesions"] = [{**drawn.studies[1]["lesions"][0], "ignore": True}]
    drawn.findings[0]["findings"] = [{**drawn.findings[1]["findings"][0], "score": 0.99}]
    settings = ScoreSettings(IouCriterion(), bootstrap=BootstrapSettings(samples=0), strata=(), secondary=())
    cases = cases_of(examine(drawn.manifest, drawn.table, settings), "patient")
    assert cases.free.tolist() == [False, False, True]
    assert cases.lesions.tolist() == [0, 1, 0]
    assert (cases.hits.tolist(), cases.false.tolist()) == ([0, 1, 0], [0, 0, 1])


def test_unknown_names_are_refused(draw: Draw) -> None:
    examined = cohort(draw, {})
    with pytest.raises(InputError, match="unit=disc"):
        cases_of(examined, "disc")
    with pytest.raises(InputError, match="fom=froc"):
        figure_of_merit("froc", cases_of(examined, "patient"))
