"""FROC and precision-recall curves, exact at tied scores, for many weightings of the patients at once."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from spinedet.scoring.matching.overlaps import Floats, Ints
from spinedet.scoring.metrics.sparse_sums import CountTable, Draws, Wholes, count_table, cumulated, draws_of, stacked

if TYPE_CHECKING:
    from scipy.sparse import csr_array

Number = TypeVar("Number", bound=np.number[Any])
# The rates of LUNA16's competition performance metric.
RATES: tuple[float, ...] = (0.125, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0)


@dataclass(frozen=True, eq=False)
class Ledger:
    """Hits and false positives by score and patient: all that a curve needs, whatever the patients weigh.

    Every curve turns only where a lesion is hit, so there is one row for each distinct score of a hit (K of them,
    highest first); row j holds what lies at or above its score and below the row before.

    Attributes:
        threshold: (K,) scores.
        hits, false: (K, P) counts.
        tied: (K, P) those of the false positives whose score is exactly the row's.
        lesions, scans: (P,) of each patient.
    """

    threshold: Floats
    hits: CountTable
    false: CountTable
    tied: CountTable
    lesions: Ints
    scans: Ints

    @cached_property
    def _sizes(self) -> csr_array:
        return stacked([self.lesions, self.scans])

    def weigh(self, weights: Floats) -> Curve:
        """The curve in which patient p counts `weights[p, b]` times, for each column b of (P, B)."""
        return Curve(self, draws_of(weights), *(self._sizes @ weights))

    def curve(self) -> Curve:
        """The curve of the patients as they are (B = 1)."""
        return self.weigh(np.ones((len(self.lesions), 1)))


@dataclass(frozen=True, slots=True, eq=False)
class RankedFindings:
    """Matched findings (n,) by falling score: the score, whether it is a hit, the patient; absorbed ones left out."""

    score: Floats
    hit: NDArray[np.bool_]
    patient: Ints


@dataclass(frozen=True, slots=True)
class Step:
    """Hits and false positives at or above a score."""

    tp: int
    fp: int


@dataclass(frozen=True, slots=True, eq=False)
class OperatingPoints:
    """Every operating point there is: the distinct scores (D,), highest first, with hits and false positives (D,)."""

    score: Floats
    tp: Ints
    fp: Ints

    def at(self, threshold: float) -> Step:
        """The counts at a frozen threshold."""
        row = int(np.searchsorted(-self.score, -threshold, side="right")) - 1
        return Step(int(self.tp[row]), int(self.fp[row])) if row >= 0 else Step(0, 0)


def operating_points(ranked: RankedFindings) -> OperatingPoints:
    """Operating points of matched findings; equal scores move together."""
    order = np.argsort(-ranked.score, kind="stable")
    score, hit = ranked.score[order], ranked.hit[order]
    last = np.flatnonzero(np.append(np.diff(score) != 0, True))[: len(score)]
    hits: Ints = np.cumsum(hit, dtype=np.int64)[last]
    return OperatingPoints(score[last], hits, last + 1 - hits)


def ledger(ranked: RankedFindings, lesions: Ints, scans: Ints) -> Ledger:
    """Count hits and false positives between neighbouring scores of hits.

    Args:
        ranked: the findings, highest score first.
        lesions, scans: (P,) of each patient; ignored lesions left out.
    """
    threshold = np.unique(ranked.score[ranked.hit])[::-1]
    # The findings of a row stand together, and what scores below the last hit changes no curve.
    above = np.searchsorted(-ranked.score, -threshold, side="right")
    row = np.repeat(np.arange(len(threshold), dtype=np.int32), np.diff(above, prepend=0))
    hit, patient = ranked.hit[: len(row)], ranked.patient[: len(row)]
    tied = ~hit & np.equal(ranked.score[: len(row)], threshold[row])

    def counts(some: NDArray[np.bool_]) -> CountTable:
        return count_table(row[some], patient[some], (len(threshold), len(lesions)))

    return Ledger(threshold, counts(hit), counts(~hit), counts(tied), lesions, scans)


@dataclass(frozen=True, slots=True, eq=False)
class SomeHits:
    """Some of the hits of a ledger: the rows (k,) in which there are any, and how many of each patient (k, P)."""

    rows: Ints
    counts: CountTable

    def reached(self, last: Ints, draws: Draws) -> Wholes:
        """How many there are up to and including the ledger's rows `last` (R, B), -1 for none, (R, B)."""
        return _pick_or_zero(self.counts.cumulate(draws), np.searchsorted(self.rows, last, side="right") - 1)


def some_hits(ranked: RankedFindings, some: NDArray[np.bool_], patients: int) -> SomeHits:
    """Some of the hits, in any order, by row of the ledger that all hits make."""
    rising = np.unique(ranked.score[ranked.hit])
    row = len(rising) - np.searchsorted(rising, ranked.score[some], side="right")
    rows, place = np.unique(row, return_inverse=True)
    return SomeHits(rows, count_table(place, ranked.patient[some], (len(rows), patients)))


@dataclass(frozen=True, eq=False)
class Curve:
    """Hits and false positives (K, B) at or above each score of a hit, from the highest score down.

    Counts are whole numbers. Undefined values come back as NaN: no lesion, or no scan. Columns are contiguous, because
    cumulating along contiguous numbers takes a quarter of the time.

    Attributes:
        ledger: the counts of each patient. draws: weights (P, B) of the patients.
        lesions, scans: (B,).
    """

    ledger: Ledger
    draws: Draws
    lesions: Floats
    scans: Floats

    @cached_property
    def gained(self) -> Wholes:
        """Hits whose score is the row's, (K, B)."""
        return self.ledger.hits.weigh_columns(self.draws)

    @cached_property
    def tp(self) -> Wholes:
        """Hits at or above the row's score, (K, B)."""
        return cumulated(self.gained)

    @cached_property
    def fp(self) -> Wholes:
        """False positives at or above the row's score, (K, B)."""
        return self.ledger.false.cumulate(self.draws)

    @cached_property
    def tied(self) -> Wholes:
        """False positives whose score is the row's, (K, B)."""
        return self.ledger.tied.weigh_columns(self.draws)

    @cached_property
    def counted(self) -> Wholes:
        """Hits and false positives at or above the row's score, (K, B)."""
        return self.tp + self.fp

    def last(self, rates: tuple[float, ...] = RATES) -> Ints:
        """The last row with at most `rate` false positives per scan, -1 where there is none, (R, B)."""
        allowed = np.asarray(rates)[:, None] * self.scans
        return _first_at_least(self.fp, np.nextafter(allowed, np.inf)) - 1

    def sensitivity(self, rates: tuple[float, ...] = RATES) -> Floats:
        """FROC: the highest sensitivity with at most `rate` false positives per scan, a step function, (R, B)."""
        found = _pick_or_zero(self.tp, self.last(rates))
        return np.where(self.scans > 0, ratio(found, self.lesions), np.nan)

    def linear_sensitivity(self, rates: tuple[float, ...] = RATES) -> Floats:
        """FROC with straight lines between neighbouring thresholds, as LUNA16's script draws it, (R, B).

        It differs from the steps only where a hit and a false positive have the same score.
        """
        allowed = np.asarray(rates)[:, None] * self.scans
        after = _first_at_least(self.fp, np.nextafter(allowed, np.inf))
        below = _pick_or_zero(self.tp, after - 1)
        row = np.minimum(after, max(len(self.tp) - 1, 0))
        tied = _pick(self.tied, row)
        share = ratio(allowed - (_pick(self.fp, row) - tied), tied)  # of the way along the line, below 0 before it
        climbing = (after < len(self.tp)) & (share > 0)
        found = below + np.where(climbing, share * (_pick(self.tp, row) - below), 0.0)
        return np.where(self.scans > 0, ratio(found, self.lesions), np.nan)

    @cached_property
    def precision(self) -> Floats:
        """(K, B); 0 where nothing is counted yet."""
        return np.asarray(self.tp / np.maximum(self.counted, 1))  # of whole numbers: 0 / 1 where there are none

    @cached_property
    def interpolated_precision(self) -> Floats:
        """The best precision at recall k / 100 or more, for k = 0 ... 100, (101, B)."""
        # recall >= k / 100 if and only if tp >= ceil(k * lesions / 100)
        first = _first_at_least(self.tp, np.ceil(np.arange(101)[:, None] * self.lesions / 100))
        best = np.maximum.accumulate(_highest_between(self.precision, first)[::-1], axis=0)[::-1]
        return np.where(self.lesions > 0, best, np.nan)

    def average_precision(self) -> Floats:
        """101-point average precision with recall compared in whole numbers, (B,)."""
        return np.asarray(self.interpolated_precision.mean(axis=0))

    def average_precision_step(self) -> Floats:
        """Average precision without interpolation: precision summed over the steps of recall, (B,)."""
        # Column by column, so that a replicate is summed in the same order as the value, however many there are.
        return ratio((self.gained * self.precision).T.sum(axis=1), self.lesions)

    def f1(self) -> Floats:
        """F1 at each score, (K, B)."""
        below = self.counted + self.lesions
        with np.errstate(invalid="ignore"):  # 0 / 0 is NaN; a mask as in `ratio` takes half as long again
            return np.asarray(np.divide(2 * self.tp, below, out=below))

    def f1_max(self) -> Floats:
        """The best F1 over all thresholds, (B,): what no frozen threshold can beat."""
        best = self.f1().max(axis=0, initial=0.0)
        return np.where(self.lesions > 0, best, np.nan)


def ratio(above: NDArray[Any], below: NDArray[Any]) -> Floats:
    """above / below, NaN where there is nothing below."""
    below = np.broadcast_to(below, above.shape)
    return np.divide(above, below, out=np.full(above.shape, np.nan), where=below > 0)


def _pick(columns: NDArray[Number], rows: Ints) -> NDArray[Number]:
    """columns[rows[q, b], b] for (K, B) and (Q, B); zeros when there is no row at all."""
    return np.take_along_axis(columns, rows, axis=0) if len(columns) else np.zeros(rows.shape, columns.dtype)


def _pick_or_zero(columns: NDArray[Number], rows: Ints) -> NDArray[Number]:
    """The same, and 0 where the row is -1."""
    return np.where(rows >= 0, _pick(columns, np.maximum(rows, 0)), columns.dtype.type(0))


def _highest_between(columns: Floats, first: Ints) -> Floats:
    """The highest of each column's rows from one of `first` (Q, B), which rise, to the next, (Q, B); 0 beyond the end.

    Where two are equal, it is the value of that row.
    """
    count, width = columns.shape
    starts = first.T + count * np.arange(width)[:, None]
    ends = count * np.arange(1, width + 1)[:, None]
    # A 0 stands behind all columns, so that every start and end is a place.
    flat = np.append(columns.T.ravel(), 0.0)
    highest: Floats = np.maximum.reduceat(flat, np.concatenate([starts, ends], axis=1).ravel())
    return np.where(first < count, highest.reshape(width, -1)[:, :-1].T, 0.0)


def _first_at_least(rising: Wholes, target: Floats) -> Ints:
    """For each column b the first row of `rising` (K, B) that is >= target (Q, B); K when none is."""
    least = np.ceil(target).astype(rising.dtype)  # of whole numbers, and of one type with them: nothing is copied
    return np.stack([np.searchsorted(*pair) for pair in zip(rising.T, least.T, strict=True)], axis=1)
