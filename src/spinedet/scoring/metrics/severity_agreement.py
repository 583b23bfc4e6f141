"""Agreement of the predicted severity with that of the lesions that are hit."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from spinedet.scoring.matching.overlaps import Floats, Ints
from spinedet.scoring.metrics.froc_pr import ratio
from spinedet.scoring.metrics.matched_cohort import MatchedCohort, Part
from spinedet.scoring.metrics.sparse_sums import counter, stacked

if TYPE_CHECKING:
    from scipy.sparse import csr_array


@dataclass(frozen=True, eq=False)
class Grading:
    """Hits at the frozen threshold whose lesion has a known grade and whose finding has one.

    Attributes:
        predicted, reference: (n,) the finding's grade, any number, and the lesion's.
        patient: (n,) row among the `patients` of the part.
    """

    predicted: Floats
    reference: Floats
    patient: Ints
    patients: int

    def measure(self, weights: Floats) -> dict[str, Floats]:
        """Agreement, (B,), for patient weights (P, B)."""
        n, error = self._errors @ weights
        return {
            "severity kappa": _kappa(self._moments @ weights),
            "severity spearman": self._spearman(weights),
            "severity mae": ratio(error, n),
        }

    @cached_property
    def _errors(self) -> csr_array:
        return self._sums(np.ones_like(self.predicted), np.abs(self.predicted - self.reference))

    @cached_property
    def _moments(self) -> csr_array:
        x, y = np.floor(self.predicted + 0.5), np.floor(self.reference + 0.5)
        return self._sums(np.ones_like(x), x, y, x * x + y * y, x * y)

    def _sums(self, *values: Floats) -> csr_array:
        """Of each patient, a row for each kind of value."""
        return stacked([np.bincount(self.patient, each, self.patients) for each in values])

    def _spearman(self, weights: Floats) -> Floats:
        """Correlation of the ranks, ties at their middle."""
        each = weights[self.patient]
        n = each.sum(axis=0)
        x, y = (self._ranks(values, weights) - n / 2 for values in (self.predicted, self.reference))
        return ratio((each * x * y).sum(axis=0), np.sqrt((each * x * x).sum(axis=0) * (each * y * y).sum(axis=0)))

    def _ranks(self, values: Floats, weights: Floats) -> Floats:
        """How many lie below each value, and half of those at it, (n, B)."""
        levels, row = np.unique(values, return_inverse=True)
        count = counter(row, self.patient, (len(levels), self.patients)) @ weights
        return np.asarray((np.cumsum(count, axis=0) - count / 2)[row])


def _kappa(moments: Floats) -> Floats:
    """Kappa with quadratic weights (Cohen, Psychol Bull 1968;70:213), which needs no table of grades.

    1 - mean((x - y)^2) over what it would be if x and y were independent: sums of 1, x, y, x^2 + y^2, xy, (5, B).
    """
    n, x, y, squares, product = moments
    return 1 - ratio(n * (squares - 2 * product), n * squares - 2 * x * y)


def grading(matched: MatchedCohort, part: Part, above: NDArray[np.bool_]) -> Grading | None:
    """The graded hits of a part; None where no finding, or no lesion, has a grade."""
    cohort, lesion = matched.cohort, matched.matches.lesion
    predicted, reference = cohort.marks.severity, cohort.lesions.severity
    if np.isnan(predicted).all() or np.isnan(reference).all():
        return None
    hits = np.flatnonzero(part.marks & above & (lesion >= 0))
    hits = hits[~np.isnan(predicted[hits] + reference[lesion[hits]])]
    patient = part.scan_member[cohort.marks.scan[hits]]
    return Grading(predicted[hits], reference[lesion[hits]], patient, len(part.members))
