"""Does this patient have any lesion? The answer that the findings of all their scans give together."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from spinedet.scoring.matching.greedy import ABSORBED
from spinedet.scoring.matching.overlaps import Floats, Ints
from spinedet.scoring.metrics.froc_pr import ratio
from spinedet.scoring.metrics.matched_cohort import MatchedCohort, Part
from spinedet.scoring.metrics.sparse_sums import CountTable, count_table, cumulated, draws_of, stacked

if TYPE_CHECKING:
    from scipy.sparse import csr_array


@dataclass(frozen=True, eq=False)
class PatientTable:
    """One row per patient of a part (P,).

    Attributes:
        diseased: has a lesion that counts.
        healthy: has no lesion at all. Who has none but lesions to be ignored is neither.
        called: has a finding at or above the threshold; absorbed findings do not count.
        rank: of the highest score among the distinct ones, 0 for no finding.
    """

    diseased: NDArray[np.bool_]
    healthy: NDArray[np.bool_]
    called: NDArray[np.bool_]
    rank: Ints

    def measure(self, weights: Floats) -> dict[str, Floats]:
        """Sensitivity, specificity and the area under the ROC curve, (B,), for patient weights (P, B)."""
        ill, well, found, cleared = self._table @ weights
        return {
            "patient sensitivity": ratio(found, ill),
            "patient specificity": ratio(cleared, well),
            "patient auc": ratio(self._wins(weights), ill * well),
        }

    @cached_property
    def _table(self) -> csr_array:
        return stacked([self.diseased, self.healthy, self.diseased & self.called, self.healthy & ~self.called])

    @cached_property
    def _by_rank(self) -> tuple[CountTable, CountTable]:
        """Diseased and healthy patients by rank, (ranks, P) each."""
        _, row = np.unique(self.rank, return_inverse=True)
        patients, shape = np.arange(len(row)), (int(row.max()) + 1, len(row))
        ill, well = (count_table(row[kept], patients[kept], shape) for kept in (self.diseased, self.healthy))
        return ill, well

    def _wins(self, weights: Floats) -> Floats:
        """Pairs in which the diseased patient scores higher, ties by half, (B,)."""
        draws = draws_of(weights)
        ill, well = (table.weigh_columns(draws) for table in self._by_rank)
        return np.asarray((ill * (cumulated(well) - well / 2)).sum(axis=0))


def patient_table(matched: MatchedCohort, part: Part, above: NDArray[np.bool_]) -> PatientTable:
    """What the patients of a part have, and what the findings show; `above` (n,) reach the frozen threshold."""
    cohort = matched.cohort
    diseased = part.lesions_per_patient > 0
    touched = part.per_patient(cohort.lesions.scan[part.lesions]) > 0
    kept = part.marks & (matched.matches.lesion != ABSORBED)
    patient = part.scan_member[cohort.marks.scan]
    rank = np.zeros(len(part.members), dtype=cohort.marks.rank.dtype)
    np.maximum.at(rank, patient[kept].astype(np.intp), cohort.marks.rank[kept])  # other types take ten times as long
    called = part.per_patient(cohort.marks.scan[kept & above]) > 0
    return PatientTable(diseased, ~touched, called, rank)
