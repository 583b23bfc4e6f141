"""Scores as probabilities."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from spinedet.scoring import BootstrapSettings, IouCriterion, ScoreSettings, choose_operating_point, score
from spinedet.scoring.metrics.froc_pr import RankedFindings
from spinedet.scoring.statistics.calibration import fit_temperature, reliability, tempered

Draw = Callable[..., Any]


def ranked(score: list[float], hit: list[bool]) -> RankedFindings:
    return RankedFindings(np.array(score), np.array(hit), np.zeros(len(score), dtype=int))


def test_brier_and_calibration_error_by_hand() -> None:
    # two bins at least: .2 misses twice, .8 hits once of two
    table = reliability(ranked([0.2, 0.2, 0.8, 0.8], [False, False, True, False]), np.array([0]))
    found = table.measure(np.ones((1, 1)))
    assert found["brier"][0] == pytest.approx((0.04 + 0.04 + 0.04 + 0.64) / 4)
    assert found["ece"][0] == pytest.approx((2 * 0.2 + 2 * 0.3) / 4)
    assert (found["hits in bin 0"][0], found["hits in bin 1"][0]) == (0.0, 0.5)


def test_bins_hold_equally_many() -> None:
    table = reliability(ranked(np.linspace(0.01, 0.99, 50).tolist(), [False] * 50), np.array([0]))
    assert table.findings.sum(axis=1).tolist() == [5] * 10
    assert (np.diff(table.lowest) > 0).all()


def test_a_temperature_is_recovered() -> None:
    rng = np.random.default_rng(0)
    truth = rng.uniform(0.02, 0.98, 20000)
    hit = rng.uniform(size=20000) < truth
    overconfident = tempered(ranked(truth.tolist(), hit.tolist()), 0.5)  # logits doubled
    assert fit_temperature(overconfident) == pytest.approx(2.0, rel=0.05)
    assert fit_temperature(tempered(overconfident, 2.0)) == pytest.approx(1.0, rel=0.05)


@pytest.mark.parametrize(
    ("score", "hit"), [([-1.0, 2.0], [True, False]), ([0.2, 0.4], [True, True]), ([0.2], [False]), ([], [])]
)
def test_no_temperature_without_probabilities_hits_and_misses(score: list[float], hit: list[bool]) -> None:
    assert fit_temperature(ranked(score, [bool(one) for one in hit])) is None


def test_the_tuning_temperature_is_reported_beside_the_scores(draw: Draw) -> None:
    rng = np.random.default_rng(1)
    drawn = draw()
    for _ in range(30):
        # far too sure: three hits in four at .99, one in four at .01
        hits = [
            (0.0, 0.99) if rng.uniform() < 0.75 else (60.0, 0.99),
            (30.0, 0.01) if rng.uniform() < 0.25 else (90.0, 0.01),
        ]
        drawn.study([0.0, 30.0], hits)
    point = choose_operating_point(drawn.manifest, drawn.found, IouCriterion())
    settings = ScoreSettings(operating_point=point, bootstrap=BootstrapSettings(samples=100))
    raw, tuned = score(drawn.manifest, drawn.found, settings).calibration
    assert (raw.temperature, tuned.temperature) == (1.0, point.thresholds[0].temperature)
    assert tuned.brier.value < raw.brier.value
    assert sum(one.findings for one in raw.bins) == 60
    assert raw.ece.low <= raw.ece.value <= raw.ece.high


def test_logits_have_no_calibration(draw: Draw) -> None:
    drawn = draw().study([0.0], [(0.0, -3.0)])
    (calibration,) = score(drawn.manifest, drawn.found, ScoreSettings()).calibration
    assert calibration.reason == "the scores are no probabilities between 0 and 1"
    assert calibration.brier.value is None
