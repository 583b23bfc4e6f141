"""Are scores probabilities? Reliability of a score as the chance of being a hit."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from spinedet.core.types import FiniteJson
from spinedet.scoring.matching.overlaps import Floats, Ints
from spinedet.scoring.metrics.froc_pr import RankedFindings, ratio
from spinedet.scoring.metrics.sparse_sums import counter
from spinedet.scoring.records import Bin, Calibration, Estimate
from spinedet.scoring.statistics.estimates import Statistics

if TYPE_CHECKING:
    from scipy.sparse import csr_array

BINS = 10
_EDGE = 1e-6  # a score of 0 or 1 has no logit; this is as sure as a score may be
_HOTTEST = 20.0
_BISECTIONS = 40


@dataclass(frozen=True, slots=True, eq=False)
class Reliability:
    """Findings of a part in bins of equally many: sums of each patient, (bins, P).

    Attributes:
        members: rows of the cohort's patients, (P,).
        findings, hits, confidence: their number, how many are hits, the sum of their scores.
        squared: (1, P) sums of squared errors of the scores.
        lowest, highest: (bins,) scores.
    """

    members: Ints
    findings: csr_array
    hits: csr_array
    confidence: csr_array
    squared: csr_array
    lowest: Floats
    highest: Floats

    batch = 256

    def measure(self, weights: Floats) -> dict[str, Floats]:
        """Brier score, expected calibration error and each bin's share of hits, (B,)."""
        n, hits, confidence = self.findings @ weights, self.hits @ weights, self.confidence @ weights
        total, share = n.sum(axis=0), ratio(hits, n)
        return {
            "brier": ratio((self.squared @ weights)[0], total),
            "ece": ratio(np.abs(hits - confidence).sum(axis=0), total),
            **{_bin_name(row): share[row] for row in range(len(share))},
        }


def _bin_name(row: int) -> str:
    return f"hits in bin {row}"


def calibration(table: Reliability, numbers: Statistics, by: dict[str, FiniteJson], temperature: float) -> Calibration:
    """The record of one part's reliability."""
    findings, confidence = table.findings.sum(axis=1), table.confidence.sum(axis=1)
    return Calibration(
        by=by,
        temperature=temperature,
        bins=tuple(
            Bin(
                low=table.lowest[row],
                high=table.highest[row],
                findings=int(findings[row]),
                score=confidence[row] / findings[row],
                hits=numbers.estimate(_bin_name(row)),
            )
            for row in range(len(findings))
        ),
        brier=numbers.estimate("brier"),
        ece=numbers.estimate("ece"),
    )


def uncalibrated(by: dict[str, FiniteJson], ranked: RankedFindings) -> Calibration:
    """The record of a part whose scores cannot be read as probabilities."""
    reason = "the scores are no probabilities between 0 and 1" if len(ranked.score) else "no finding"
    return Calibration(by=by, brier=Estimate(reason=reason), ece=Estimate(reason=reason), reason=reason)


def are_probabilities(score: Floats) -> bool:
    """Whether all scores lie between 0 and 1."""
    return bool(len(score) and score.min() >= 0 and score.max() <= 1)


def reliability(ranked: RankedFindings, members: Ints) -> Reliability:
    """Bin matched findings by score; equal scores stay together, so there may be fewer than ten bins."""
    last = (np.arange(1, BINS) * len(ranked.score) + BINS - 1) // BINS - 1
    edges = np.unique(np.sort(ranked.score)[last])
    kept, row = np.unique(np.searchsorted(edges, ranked.score, side="left"), return_inverse=True)
    shape = (len(kept), len(members))

    def sums(values: Floats) -> csr_array:
        return counter(row, ranked.patient, shape, values)

    lowest, highest = np.full(len(kept), np.inf), np.full(len(kept), -np.inf)
    np.minimum.at(lowest, row, ranked.score)
    np.maximum.at(highest, row, ranked.score)
    return Reliability(
        members=members,
        findings=sums(np.ones(len(row))),
        hits=sums(ranked.hit.astype(float)),
        confidence=sums(ranked.score),
        squared=counter(0 * row, ranked.patient, (1, shape[1]), (ranked.score - ranked.hit) ** 2),
        lowest=lowest,
        highest=highest,
    )


def tempered(ranked: RankedFindings, temperature: float) -> RankedFindings:
    """The same findings with the logits of their scores divided by a temperature."""
    if temperature == 1:
        return ranked
    return replace(ranked, score=1 / (1 + np.exp(-logit(ranked.score) / temperature)))


def fit_temperature(ranked: RankedFindings) -> float | None:
    """The temperature under which scores predict hits best (Guo 2017, arXiv:1706.04599), from 1/20 to 20.

    Returns:
        None where the scores are no probabilities, or all or none of the findings are hits.
    """
    if not are_probabilities(ranked.score) or ranked.hit.all() or not ranked.hit.any():
        return None
    odds, sign = logit(ranked.score), np.where(ranked.hit, -1.0, 1.0)

    def slope(coldness: float) -> float:
        """Derivative of the log loss, which is convex in 1 / temperature."""
        return float((sign * odds / (1 + np.exp(-sign * odds * coldness))).sum())

    low, high = 1 / _HOTTEST, _HOTTEST
    for _ in range(_BISECTIONS):
        middle = (low * high) ** 0.5
        low, high = (low, middle) if slope(middle) > 0 else (middle, high)
    return (low * high) ** -0.5


def logit(score: Floats) -> Floats:
    """Log odds of scores between 0 and 1, those of 0 and 1 being nearly as sure."""
    inside = np.clip(score, _EDGE, 1 - _EDGE)
    return np.log(inside / (1 - inside))
