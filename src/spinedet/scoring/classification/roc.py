"""Areas under ROC curves: their exact value at ties, DeLong's errors, and two curves on the same items."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import NormalDist
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from spinedet.scoring.classification.counts import of_label
from spinedet.scoring.classification.items import Items
from spinedet.scoring.matching.overlaps import Floats, Ints
from spinedet.scoring.metrics.froc_pr import ratio
from spinedet.scoring.metrics.sparse_sums import counter
from spinedet.scoring.records import Estimate

if TYPE_CHECKING:
    from scipy.sparse import csr_array

Bools = NDArray[np.bool_]
_NORMAL = NormalDist()
ONE_KIND = "needs items with and without the label"
_FLAT = 1e-15  # a variance that is nothing but rounding


@dataclass(frozen=True, slots=True, eq=False)
class Placements:
    """DeLong's structural components: of each positive the share of negatives below it (m,), of each negative the
    share of positives above it (n,); ties count half.
    """

    positive: Floats
    negative: Floats

    @property
    def auc(self) -> float:
        """The area, the chance that a positive scores higher than a negative."""
        return float(self.positive.mean())


def placements(score: Floats, positive: Bools) -> Placements:
    """From scores (k,) and which of them are positive (DeLong et al., Biometrics 1988;44:837; Sun and Xu 2014).

    Raises:
        ValueError: all or none are positive.
    """
    m, n = int(positive.sum()), int((~positive).sum())
    if not m or not n:
        raise ValueError(ONE_KIND)
    all_ranks = _midranks(score)
    above = (all_ranks[positive] - _midranks(score[positive])) / n
    below = 1 - (all_ranks[~positive] - _midranks(score[~positive])) / m
    return Placements(above, below)


def _midranks(values: Floats) -> Floats:
    """Ranks from 1, ties at their middle."""
    _, row, count = np.unique(values, return_inverse=True, return_counts=True)
    return np.asarray((np.cumsum(count) - (count - 1) / 2)[row])


def delong_covariance(curves: list[Placements]) -> Floats:
    """Covariance (k, k) of the areas of curves on the same items; NaN with a single positive or negative."""
    positive, negative = np.stack([one.positive for one in curves]), np.stack([one.negative for one in curves])
    m, n = positive.shape[1], negative.shape[1]
    if m < 2 or n < 2:
        return np.full((len(curves), len(curves)), np.nan)
    return np.asarray(np.atleast_2d(np.cov(positive)) / m + np.atleast_2d(np.cov(negative)) / n)


def delong(score: Floats, positive: Bools, confidence: float = 0.95) -> Estimate:
    """The area with DeLong's interval, cut at 0 and 1; only right where every patient has one item."""
    if positive.all() or not positive.any():
        return Estimate(reason=ONE_KIND)
    found = placements(score, positive)
    variance = float(delong_covariance([found])[0, 0])
    if np.isnan(variance):
        return Estimate(value=found.auc, reason="no interval: a single item of one kind")
    reach = _NORMAL.inv_cdf((1 + confidence) / 2) * max(variance, 0.0) ** 0.5
    return Estimate(
        value=found.auc,
        low=max(0.0, found.auc - reach),
        high=min(1.0, found.auc + reach),
        degenerate=variance <= _FLAT,
    )


@dataclass(frozen=True, slots=True)
class PairedAreas:
    """Second minus first area on the same items, and the two-sided p; None where both curves do not vary."""

    difference: Estimate
    p: float | None


def paired_delong(first: Floats, second: Floats, positive: Bools, confidence: float = 0.95) -> PairedAreas:
    """Two scores (k,) of the same items."""
    if positive.all() or not positive.any():
        return PairedAreas(Estimate(reason=ONE_KIND), None)
    curves = [placements(score, positive) for score in (first, second)]
    covariance = delong_covariance(curves)
    variance = float(covariance[0, 0] + covariance[1, 1] - 2 * covariance[0, 1])
    apart = curves[1].auc - curves[0].auc
    if np.isnan(variance):
        return PairedAreas(Estimate(value=apart, reason="no interval: a single item of one kind"), None)
    if variance <= _FLAT:
        return PairedAreas(Estimate(value=apart, low=apart, high=apart, degenerate=True), 1.0 if not apart else None)
    error = variance**0.5
    reach = _NORMAL.inv_cdf((1 + confidence) / 2) * error
    p = 2 * _NORMAL.cdf(-abs(apart) / error)
    return PairedAreas(Estimate(value=apart, low=apart - reach, high=apart + reach), p)


@dataclass(frozen=True, slots=True, eq=False)
class AreaTable:
    """One label against the rest: positives and negatives by distinct score and patient, (S, P) each."""

    name: str
    positive: csr_array
    negative: csr_array

    def measure(self, weights: Floats) -> Floats:
        """The area, (B,), for patient weights (P, B)."""
        ill, well = self.positive @ weights, self.negative @ weights
        wins = np.asarray((ill * (np.cumsum(well, axis=0) - well / 2)).sum(axis=0))
        return ratio(wins, ill.sum(axis=0) * well.sum(axis=0))


@dataclass(frozen=True, slots=True, eq=False)
class Areas:
    """The area of every label against the rest, and their mean."""

    tables: tuple[AreaTable, ...]

    def measure(self, weights: Floats) -> dict[str, Floats]:
        """Areas by label, and `macro_auc` over those that are defined, (B,)."""
        areas = np.stack([table.measure(weights) for table in self.tables])
        defined = ~np.isnan(areas)
        macro = ratio(np.where(defined, areas, 0.0).sum(axis=0), defined.sum(axis=0).astype(float))
        return {**{table.name: areas[row] for row, table in enumerate(self.tables)}, "macro_auc": macro}


def areas(items: Items, members: Ints) -> Areas:
    """The areas over scored items; `members` are the rows of the patients that are weighed."""
    kept = items.where(items.scored)
    patient = np.searchsorted(members, kept.patient)
    return Areas(
        tuple(
            area_table(of_label("auc", label), kept.score[:, row], kept.reference == row, (patient, len(members)))
            for row, label in enumerate(items.labels)
        )
    )


def area_table(name: str, score: Floats, positive: Bools, patients: tuple[Ints, int]) -> AreaTable:
    """From scores (k,), which of them are positive, and the row of each one's patient with the number of patients."""
    levels, row = np.unique(score, return_inverse=True)
    patient, shape = patients[0], (len(levels), patients[1])
    ill, well = (counter(row[kept], patient[kept], shape) for kept in (positive, ~positive))
    return AreaTable(name, ill, well)


@dataclass(frozen=True, slots=True)
class RocPoint:
    """What a threshold gives: an item is positive from it on."""

    threshold: float
    sensitivity: float
    specificity: float


def roc_points(score: Floats, positive: Bools) -> list[RocPoint]:
    """One point for each distinct score, highest first.

    Raises:
        ValueError: all or none are positive.
    """
    m, n = int(positive.sum()), int((~positive).sum())
    if not m or not n:
        raise ValueError(ONE_KIND)
    levels, row = np.unique(-score, return_inverse=True)
    found = np.cumsum(np.bincount(row, positive, len(levels)))
    false = np.cumsum(np.bincount(row, ~positive, len(levels)))
    return [
        RocPoint(float(-level), float(hits / m), float(1 - wrong / n))
        for level, hits, wrong in zip(levels, found, false, strict=True)
    ]
