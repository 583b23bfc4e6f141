"""What was classified: the reference label of each item, the answer, and the scores behind it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from spinedet.scoring.matching.overlaps import Floats, Ints

REJECTED = -1  # the answer "none"


@dataclass(frozen=True, slots=True, eq=False)
class Items:
    """Images, or patients with their views together: one row each (n,).

    Attributes:
        labels: the L names.
        patient: row of the P patients. patients: P.
        center: (P,) row of `centers` for each patient.
        reference: row of `labels`.
        called: row of `labels`, or `REJECTED`.
        score: (n, L) probabilities, NaN where none were given (readers, rejected images).
    """

    labels: tuple[str, ...]
    centers: tuple[str, ...]
    center: Ints
    patient: Ints
    reference: Ints
    called: Ints
    score: Floats

    def __len__(self) -> int:
        return len(self.reference)

    @property
    def patients(self) -> int:
        """How many patients the rows are drawn from, those without a row included."""
        return len(self.center)

    @property
    def scored(self) -> NDArray[np.bool_]:
        """(n,) which have a score for every label."""
        return np.asarray(~np.isnan(self.score).any(axis=1))

    def where(self, kept: NDArray[np.bool_]) -> Items:
        """Only the rows (n,) that are kept; patients stay."""
        return replace(
            self,
            patient=self.patient[kept],
            reference=self.reference[kept],
            called=self.called[kept],
            score=self.score[kept],
        )

    def at(self, centers: Sequence[str]) -> Items:
        """Only the rows of patients of these centres."""
        rows = [self.centers.index(name) for name in centers]
        return self.where(np.isin(self.center[self.patient], rows))

    def forced(self) -> Items:
        """With the label of the highest score as the answer wherever there are scores."""
        best = np.where(self.scored, np.nan_to_num(self.score, nan=-1.0).argmax(axis=1), self.called)
        return replace(self, called=best)

    def confident(self, least: float) -> Items:
        """With no answer where the highest score is below `least`: a miss, and no false alarm."""
        sure = ~self.scored | (np.nan_to_num(self.score, nan=-1.0).max(axis=1) >= least)
        return replace(self, called=np.where(sure, self.called, REJECTED))

    def thresholded(self, positive: int, threshold: float) -> Items:
        """Two labels: the positive one from a score of `threshold` on, wherever there are scores and an answer."""
        answer = np.where(self.score[:, positive] >= threshold, positive, 1 - positive)
        return replace(self, called=np.where(self.scored & (self.called != REJECTED), answer, self.called))
