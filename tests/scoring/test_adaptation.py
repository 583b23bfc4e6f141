"""Thresholds from a centre's scores alone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from spinedet.core.errors import InputError
from spinedet.scoring import BootstrapSettings, IouCriterion, ScoreSettings, choose_operating_point, score
from spinedet.scoring.metrics.froc_pr import RankedFindings
from spinedet.scoring.statistics.adaptation import adapted_threshold, fit_hit_model
from spinedet.scoring.thresholds import HitModel

Draw = Callable[..., Any]


def drawn(count: int, share: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Scores of which those of hits and of others are distributed alike whatever the share of hits."""
    rng = np.random.default_rng(seed)
    hit = rng.uniform(size=count) < share
    return 1 / (1 + np.exp(-rng.normal(np.where(hit, 1.0, -1.0), 1.0))), hit


def test_the_hit_model_is_recovered() -> None:
    score, hit = drawn(20000, 0.5, 0)
    model = fit_hit_model(RankedFindings(score, hit, np.zeros(len(score), dtype=int)))
    assert model is not None
    # Two normal distributions with means 1 and -1 and deviation 1: the log odds are twice the logit.
    assert model.slope == pytest.approx(2.0, abs=0.1)
    assert model.intercept == pytest.approx(0.0, abs=0.05)
    assert model.prior == pytest.approx(hit.mean())
    assert fit_hit_model(RankedFindings(score, np.ones_like(hit), np.zeros(len(score), dtype=int))) is None
    assert fit_hit_model(RankedFindings(10 * score, hit, np.zeros(len(score), dtype=int))) is None


@pytest.mark.parametrize("share", [0.2, 0.5, 0.8])
def test_the_share_of_hits_and_the_best_threshold_are_found_without_labels(share: float) -> None:
    score, hit = drawn(20000, share, 1)
    threshold, estimated = adapted_threshold(score, HitModel(slope=2.0, intercept=0.0, prior=0.5))
    assert estimated == pytest.approx(share, abs=0.02)
    tries = np.linspace(0.02, 0.98, 97)
    f1 = [2 * (hit & (score >= t)).sum() / ((score >= t).sum() + hit.sum()) for t in (*tries, threshold)]
    assert f1[-1] > max(f1) - 0.005


def test_findings_of_one_score_are_not_torn_apart() -> None:
    model = HitModel(slope=1.0, intercept=0.0, prior=0.5)
    threshold, _ = adapted_threshold(np.array([0.9, 0.6, 0.6, 0.6, 0.1]), model)
    assert threshold in (0.9, 0.6, 0.1)


def test_both_thresholds_stand_beside_each_other(draw: Draw) -> None:
    rng = np.random.default_rng(2)
    cases = draw()
    for _ in range(30):
        cases.study([0.0], [(0.0, rng.uniform(0.4, 0.9)), (60.0, rng.uniform(0.1, 0.6))])
    point = choose_operating_point(cases.manifest, cases.found, IouCriterion())
    (tuned,) = point.thresholds
    assert tuned.hit_model is not None
    assert tuned.hit_model.prior == pytest.approx(0.5)
    settings = ScoreSettings(operating_point=point, bootstrap=BootstrapSettings(samples=40), adapt=True)
    found = score(cases.manifest, cases.found, settings)
    (one,) = found.adapted
    assert one.frozen.threshold == tuned.value
    assert one.frozen.f1.value == found.groups[0].f1.value
    assert one.change.value == pytest.approx(one.adapted.f1.value - one.frozen.f1.value)
    assert one.findings == 60
    plain = score(cases.manifest, cases.found, ScoreSettings(operating_point=point))
    assert "adapted" not in plain.model_dump(mode="json")
    with pytest.raises(InputError, match="operating point was frozen"):
        score(cases.manifest, cases.found, ScoreSettings(threshold=0.5, adapt=True))
