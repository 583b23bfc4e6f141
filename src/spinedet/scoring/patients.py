"""Does this patient have any lesion? The answer that the findings of all their scans give together."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spinedet.scoring.curves import ratio
from spinedet.scoring.judgement import Judgement, Part
from spinedet.scoring.matching import ABSORBED
from spinedet.scoring.pairs import Floats, Ints


@dataclass(frozen=True, slots=True, eq=False)
class PatientTable:
    """One row per patient of a part (P,).

    Attributes:
        diseased: has a lesion that counts.
        healthy: has no lesion at all. Who has none but lesions to be ignored is neither.
        called: has a finding at or above the threshold; absorbed findings do not count.
        rising: patients by their highest score, lowest first; who has no finding comes before all.
        start: where among them a new score begins.
    """

    diseased: NDArray[np.bool_]
    healthy: NDArray[np.bool_]
    called: NDArray[np.bool_]
    rising: Ints
    start: Ints

    def measure(self, weights: Floats) -> dict[str, Floats]:
        """Sensitivity, specificity and the area under the ROC curve, (B,), for patient weights (P, B)."""
        ill, well = self.diseased @ weights, self.healthy @ weights
        return {
            "patient sensitivity": ratio((self.diseased & self.called) @ weights, ill),
            "patient specificity": ratio((self.healthy & ~self.called) @ weights, well),
            "patient auc": ratio(self._wins(weights), ill * well),
        }

    def _wins(self, weights: Floats) -> Floats:
        """Pairs in which the diseased patient scores higher, ties by half, (B,)."""
        ordered = weights[self.rising]
        ill = np.add.reduceat(ordered * self.diseased[self.rising, None], self.start, axis=0)
        well = np.add.reduceat(ordered * self.healthy[self.rising, None], self.start, axis=0)
        return np.asarray((ill * (np.cumsum(well, axis=0) - well / 2)).sum(axis=0))


def patient_table(judgement: Judgement, part: Part, above: NDArray[np.bool_]) -> PatientTable:
    """What the patients of a part have, and what the findings say; `above` (n,) reach the frozen threshold."""
    cohort = judgement.cohort
    diseased = part.lesions_per_patient > 0
    touched = part.per_patient(cohort.lesions.scan[part.lesions]) > 0
    kept = part.marks & (judgement.matches.lesion != ABSORBED)
    patient = part.scan_member[cohort.marks.scan]
    rank = np.zeros(len(part.members), dtype=np.int64)
    _, place = np.unique(cohort.marks.score[kept], return_inverse=True)
    np.maximum.at(rank, patient[kept], place + 1)
    called = part.per_patient(cohort.marks.scan[kept & above]) > 0
    rising = np.argsort(rank, kind="stable")
    start = np.flatnonzero(np.diff(rank[rising], prepend=-1))
    return PatientTable(diseased, ~touched, called, rising, start)
