"""Thresholds for a new centre from its scores alone, to stand beside the frozen ones and never in their place."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spinedet.scoring.matching.cohort import PLANES
from spinedet.scoring.matching.overlaps import Floats, Ints
from spinedet.scoring.metrics.counts import Decisions, decisions
from spinedet.scoring.metrics.froc_pr import RankedFindings
from spinedet.scoring.metrics.matched_cohort import MatchedCohort, Part, one_category
from spinedet.scoring.records import AdaptedThreshold, AtThreshold
from spinedet.scoring.statistics.bootstrap import BootstrapSettings, Weights
from spinedet.scoring.statistics.calibration import are_probabilities, logit
from spinedet.scoring.statistics.estimates import Statistics, statistics
from spinedet.scoring.statistics.hypothesis_tests import difference
from spinedet.scoring.thresholds import HitModel, Threshold

_ROUNDS, _SETTLED = 500, 1e-9
_NEWTON_STEPS, _RIDGE = 50, 1e-3
_SHARES, _LARGEST_LOGIT = 1e-4, 500.0
_MEASURED = ("f1", "precision", "recall")


def fit_hit_model(ranked: RankedFindings) -> HitModel | None:
    """The chance that a finding is a hit, as a logistic function of its score's logit (Platt, 1999).

    Returns:
        None where the scores are no probabilities, or all or none of the findings are hits.
    """
    score, hit = ranked.score, ranked.hit
    if not are_probabilities(score) or hit.all() or not hit.any():
        return None
    features = np.stack([logit(score), np.ones(len(score))], axis=1)
    weights = np.array([1.0, 0.0])
    for _ in range(_NEWTON_STEPS):
        chance = _sigmoid(features @ weights)
        gradient = features.T @ (chance - hit) + _RIDGE * weights
        curvature = (features * (chance * (1 - chance))[:, None]).T @ features + _RIDGE * np.eye(2)
        step = np.linalg.solve(curvature, gradient)
        weights = weights - step
        if np.abs(step).max() < _SETTLED:
            break
    return HitModel(slope=float(weights[0]), intercept=float(weights[1]), prior=float(hit.mean()))


def adapted_threshold(score: Floats, model: HitModel) -> tuple[float, float]:
    """The threshold of the highest expected F1, and the estimated share of hits, from unlabelled scores (n,).

    The share of hits is re-estimated by expectation maximisation under the assumption that hits, and other findings,
    are scored as on the tuning data (Saerens et al., Neural Comput 14:21, 2002). The expected F1 of a threshold follows
    from the adapted chances; lesions without any finding are not known of, and count as none.
    """
    chance = _sigmoid(model.slope * logit(score) + model.intercept)
    prior = min(max(model.prior, _SHARES), 1 - _SHARES)
    share, adapted = prior, chance
    for _ in range(_ROUNDS):
        hits, others = chance * share / prior, (1 - chance) * (1 - share) / (1 - prior)
        adapted = hits / (hits + others)
        before, share = share, min(max(float(adapted.mean()), _SHARES), 1 - _SHARES)
        if abs(share - before) < _SETTLED:
            break
    falling = np.argsort(-score, kind="stable")
    ordered, expected = score[falling], adapted[falling]
    f1 = 2 * np.cumsum(expected) / (np.arange(1, len(ordered) + 1) + expected.sum())
    # A threshold takes all findings of one score, or none.
    last = np.append(ordered[1:] != ordered[:-1], True)
    return float(ordered[last][np.argmax(f1[last])]), share


@dataclass(frozen=True, eq=False)
class _Counted:
    """Decisions at one threshold, as `statistics` weighs them."""

    members: Ints
    decisions: Decisions

    batch = 256

    def measure(self, weights: Floats) -> dict[str, Floats]:
        found = self.decisions.measure(weights)
        return {name: found[name] for name in _MEASURED}


def adapted_thresholds(
    matched: MatchedCohort, thresholds: Sequence[Threshold], weights: Weights, settings: BootstrapSettings
) -> Iterator[AdaptedThreshold]:
    """For each centre, plane and category what the frozen and the adapted threshold give, and their difference.

    Thresholds without a `HitModel`, and centres without a finding, are left out.

    Args:
        weights: (P, B) of all the cohort's patients.
    """
    cohort = matched.cohort
    for frozen in thresholds:
        if frozen.hit_model is None or frozen.category not in cohort.categories:
            continue
        category = one_category(cohort, cohort.categories.index(frozen.category))
        for row, center in enumerate(cohort.centers):
            inside = cohort.patient_center[cohort.scans.patient] == row
            part = Part(cohort, cohort.scans.of_plane(PLANES.index(frozen.plane)) & inside, category)
            score = cohort.marks.score[part.marks]
            if not are_probabilities(score):
                continue
            value, share = adapted_threshold(score, frozen.hit_model)
            before, after = (_at(matched, part, one, weights, settings) for one in (frozen.value, value))
            yield AdaptedThreshold(
                center=center,
                plane=frozen.plane,
                category=frozen.category,
                findings=len(score),
                tuning_share=frozen.hit_model.prior,
                share=share,
                frozen=_record(frozen.value, before),
                adapted=_record(value, after),
                change=difference(before, after, _MEASURED).estimate("f1"),
            )


def _at(
    matched: MatchedCohort, part: Part, threshold: float, weights: Weights, settings: BootstrapSettings
) -> Statistics:
    above: NDArray[np.bool_] = matched.cohort.marks.score >= threshold
    return statistics(_Counted(part.members, decisions(matched, part, above)), weights, settings)


def _record(threshold: float, numbers: Statistics) -> AtThreshold:
    return AtThreshold(threshold=threshold, **{name: numbers.estimate(name) for name in _MEASURED})


def _sigmoid(x: Floats) -> Floats:
    return 1 / (1 + np.exp(-np.clip(x, -_LARGEST_LOGIT, _LARGEST_LOGIT)))
