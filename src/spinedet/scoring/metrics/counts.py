"""All numbers of one part of a cohort, for any weighting of its patients."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from spinedet.scoring.matching.greedy import ABSORBED
from spinedet.scoring.matching.overlaps import Floats, Ints
from spinedet.scoring.metrics.froc_pr import RATES, Curve, Ledger, RankedFindings, SomeHits, ratio, some_hits
from spinedet.scoring.metrics.matched_cohort import MatchedCohort, Part, one_category
from spinedet.scoring.metrics.patient_level import PatientTable, patient_table
from spinedet.scoring.metrics.severity_agreement import Grading, grading
from spinedet.scoring.metrics.sparse_sums import stacked
from spinedet.scoring.metrics.strata import Labels

if TYPE_CHECKING:
    from scipy.sparse import csr_array

_WORKING_SET = 1 << 18  # cells of a curve matrix: it stays in a cache, and its memory is used again instead of returned
_MOST_CELLS = 1 << 21  # of a matrix, where so many rows would make it large with 16 replicates
# Eight steps to an octave from 1/16 to 16 false positives per scan; the seven rates of the FROC are among them.
FROC_GRID: tuple[float, ...] = tuple(2.0 ** (step / 8) for step in range(-32, 33))
RECALLS: tuple[float, ...] = tuple(row / 100 for row in range(101))
MACRO = ("precision", "recall", "f1", "cpm")


@dataclass(frozen=True, eq=False)
class Decisions:
    """Counts at the frozen threshold, (P,) of each patient of a part."""

    tp: Ints
    fp: Ints
    fp_lesion_free: Ints
    lesions: Ints
    scans: Ints
    lesion_free: Ints

    @cached_property
    def _table(self) -> csr_array:
        return stacked([self.tp, self.fp, self.fp_lesion_free, self.lesions, self.scans, self.lesion_free])

    def measure(self, weights: Floats) -> dict[str, Floats]:
        """What holds at the frozen threshold."""
        tp, fp, fp_free, lesions, scans, free = self._table @ weights
        return {
            "precision": ratio(tp, tp + fp),
            "recall": ratio(tp, lesions),
            "f1": ratio(2 * tp, np.where(lesions > 0, tp + fp + lesions, 0.0)),
            "fp_per_scan": ratio(fp, scans),
            "fp_per_lesion_free_scan": ratio(fp_free, free),
        }


@dataclass(frozen=True, eq=False)
class Stratum:
    """Lesions of one kind: their hits in the part's ledger, how many there are and were hit (P,)."""

    key: str
    value: str
    hits: SomeHits
    lesions: Ints
    tp: Ints

    @cached_property
    def _table(self) -> csr_array:
        return stacked([self.lesions, self.tp])

    def measure(self, weights: Floats, pooled: Curve, last: Ints) -> dict[str, Floats]:
        """Recall at the frozen threshold, and sensitivity down to the rows `last` at which all have their rates."""
        lesions, found = self._table @ weights
        curve = self.hits.reached(last, pooled.draws)
        return {
            self.statistic("recall"): ratio(found, lesions),
            **{self.statistic(froc_name(rate)): row for rate, row in zip(RATES, ratio(curve, lesions), strict=True)},
        }

    def statistic(self, name: str) -> str:
        """The name of a statistic of this stratum."""
        return f"{self.key}={self.value}: {name}"


@dataclass(frozen=True, slots=True, eq=False)
class PartCounts:
    """A part of the cohort, counted.

    Attributes:
        book, decisions: all categories pooled.
        categories: the same for each category that has lesions, where the part has several categories.
        patients: the calls of each patient, None where they are not asked for.
        strata: kinds of lesions.
        grading: of hits, where findings and lesions have grades.
        froc: `step`, or `linear` for numbers like those of LUNA16's script; strata and drawn curves are always steps.
        drawn: whether the heights of both curves on their grids are statistics as well.
    """

    part: Part
    book: Ledger
    decisions: Decisions
    categories: tuple[tuple[Ledger, Decisions], ...]
    patients: PatientTable | None = None
    strata: tuple[Stratum, ...] = ()
    grading: Grading | None = None
    froc: str = "step"
    drawn: bool = False

    @property
    def members(self) -> Ints:
        """Rows of the cohort's patients, (P,)."""
        return self.part.members

    @property
    def batch(self) -> int:
        """How many replicates to take at once."""
        rows = len(self.book.threshold) + 1
        return int(np.clip(_WORKING_SET // rows, np.clip(_MOST_CELLS // rows, 4, 16), 1024))

    def measure(self, weights: Floats) -> dict[str, Floats]:
        """Every statistic by name, (B,), for patient weights (P, B)."""
        pooled = self.book.weigh(weights)
        found = {**self.decisions.measure(weights), **_curve(pooled, self.froc)}
        if self.drawn:
            found |= _heights(pooled)
        if self.patients is not None:
            found |= self.patients.measure(weights)
        if self.strata:
            last = pooled.last()
            found |= {name: row for one in self.strata for name, row in one.measure(weights, pooled, last).items()}
        if self.grading is not None:
            found |= self.grading.measure(weights)
        if self.part.categories.sum() > 1:
            found |= {"micro ap": found["ap"], **self._over_categories(weights)}
        return found

    def _over_categories(self, weights: Floats) -> dict[str, Floats]:
        """Means over the categories that have a lesion in the replicate."""
        single = [
            {**_curve(book.weigh(weights), self.froc), **counts.measure(weights)} for book, counts in self.categories
        ]

        def mean(name: str) -> Floats:
            rows = [np.where(np.isnan(one["recall"]), np.nan, one[name]) for one in single]
            table = np.reshape(rows, (-1, weights.shape[1]))
            defined = ~np.isnan(table)
            return ratio(np.where(defined, table, 0.0).sum(axis=0), defined.sum(axis=0).astype(np.float64))

        return {"ap": mean("ap"), "ap_step": mean("ap_step"), **{f"macro {name}": mean(name) for name in MACRO}}


def froc_name(rate: float) -> str:
    """The statistic's name."""
    return f"sensitivity at {rate:g} FP/scan"


def height_name(curve: str, row: int) -> str:
    """The statistic that is a curve's height (`froc` or `pr`) at a row of `FROC_GRID` or of `RECALLS`."""
    return f"{curve} {row}"


HEIGHTS = frozenset(
    height_name(curve, row) for curve, grid in (("froc", FROC_GRID), ("pr", RECALLS)) for row in range(len(grid))
)


def _heights(curve: Curve) -> dict[str, Floats]:
    grids = {"froc": curve.sensitivity(FROC_GRID), "pr": curve.interpolated_precision}
    return {height_name(name, row): height for name, heights in grids.items() for row, height in enumerate(heights)}


def _curve(curve: Curve, froc: str) -> dict[str, Floats]:
    sensitivity = curve.linear_sensitivity() if froc == "linear" else curve.sensitivity()
    return {
        **{froc_name(rate): row for rate, row in zip(RATES, sensitivity, strict=True)},
        "cpm": sensitivity.mean(axis=0),
        "f1_max": curve.f1_max(),
        "ap": curve.average_precision(),
        "ap_step": curve.average_precision_step(),
    }


def count_part(
    matched: MatchedCohort, part: Part, above: NDArray[np.bool_], strata: Sequence[tuple[str, Labels]] = ()
) -> PartCounts:
    """Count a part of a matched cohort; `above` (n,) says which findings reach the frozen threshold."""
    return replace(
        count_matches(matched, part, above),
        patients=patient_table(matched, part, above),
        strata=tuple(one for key, labels in strata for one in _strata(matched, part, above, (key, labels))),
        grading=grading(matched, part, above),
    )


def count_matches(matched: MatchedCohort, part: Part, above: NDArray[np.bool_]) -> PartCounts:
    """Likewise, for what depends on the criterion alone: without patients, strata and grades."""
    book, decided = matched.ledger(part), decisions(matched, part, above)
    names = np.flatnonzero(part.categories).tolist()
    single = [Part(part.cohort, part.scans, one_category(part.cohort, row)) for row in names] if len(names) > 1 else []
    categories = [
        (matched.ledger(one), decisions(matched, one, above)) for one in single if one.lesions_per_patient.any()
    ]
    return PartCounts(part, book, decided, tuple(categories) if single else ((book, decided),))


def decisions(matched: MatchedCohort, part: Part, above: NDArray[np.bool_]) -> Decisions:
    """Counts of a part; `above` (n,) tells which findings reach the threshold."""
    lesion, scan = matched.matches.lesion, matched.cohort.marks.scan
    counted = part.marks & above
    hit, false = counted & (lesion >= 0), counted & (lesion < 0) & (lesion != ABSORBED)
    free = lesion_free(part)
    return Decisions(
        tp=part.per_patient(scan[hit]),
        fp=part.per_patient(scan[false]),
        fp_lesion_free=part.per_patient(scan[false & free[scan]]),
        lesions=part.lesions_per_patient,
        scans=part.scans_per_patient,
        lesion_free=part.per_patient(np.flatnonzero(free)),
    )


def lesion_free(part: Part) -> NDArray[np.bool_]:
    """Scans of the part without any lesion of its categories, not even one to be ignored, (s,)."""
    free = part.scans.copy()
    free[part.cohort.lesions.scan[part.lesions]] = False
    return free


def _strata(
    matched: MatchedCohort, part: Part, above: NDArray[np.bool_], named: tuple[str, Labels]
) -> Iterator[Stratum]:
    key, labels = named
    lesions, marks = part.cohort.lesions, part.cohort.marks
    inside = part.lesions & ~lesions.ignore
    hits = np.flatnonzero(part.marks & (matched.matches.lesion >= 0))
    kind = labels.code[matched.matches.lesion[hits]]
    ranked = RankedFindings(marks.score[hits], np.ones(len(hits), bool), part.scan_member[marks.scan[hits]])
    for row, value in enumerate(labels.names):
        own = inside & labels.of(row)
        if own.any():
            yield Stratum(
                key=key,
                value=value,
                hits=some_hits(ranked, np.equal(kind, row), len(part.members)),
                lesions=part.per_patient(lesions.scan[own]),
                tp=part.per_patient(marks.scan[hits[np.equal(kind, row) & above[hits]]]),
            )
