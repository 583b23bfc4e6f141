"""Whether images of none of the labels are told from known ones, and what rejecting costs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from spinedet.scoring.classification.evaluate import Resampling
from spinedet.scoring.classification.items import REJECTED
from spinedet.scoring.classification.records import Rejection
from spinedet.scoring.classification.roc import ONE_KIND, AreaTable, area_table
from spinedet.scoring.matching.overlaps import Floats, Ints
from spinedet.scoring.metrics.froc_pr import ratio
from spinedet.scoring.metrics.sparse_sums import counter
from spinedet.scoring.records import Estimate
from spinedet.scoring.statistics.estimates import Statistics, statistics

if TYPE_CHECKING:
    from scipy.sparse import csr_array

_REASONS = {
    "auroc": ONE_KIND.replace("the label", "a known label, each with a novelty"),
    "kept": "no known image",
    "accuracy_of_all": "no known image",
    "accuracy_of_kept": "no known image was answered",
    "caught": "no image of none of the labels",
}


@dataclass(frozen=True, slots=True, eq=False)
class Novel:
    """Images (n,) of known labels and of none.

    Attributes:
        patient: row of all patients. known: whether the image has one of the labels.
        answered: whether it was answered. right: whether with its label.
        novelty: how unlike the training images it is, NaN where not told; higher is less like them.
    """

    patient: Ints
    known: NDArray[np.bool_]
    answered: NDArray[np.bool_]
    right: NDArray[np.bool_]
    novelty: Floats

    @classmethod
    def of(cls, patient: Ints, reference: Ints, called: Ints, novelty: Floats) -> Novel:
        """From rows of labels; a reference of `REJECTED` is none of them."""
        known = reference != REJECTED
        return cls(patient, known, called != REJECTED, known & (called == reference), novelty)

    def where(self, kept: NDArray[np.bool_]) -> Novel:
        """Only the rows (n,) that are kept."""
        columns = {name: getattr(self, name)[kept] for name in ("patient", "known", "answered", "right", "novelty")}
        return replace(self, **columns)


@dataclass(frozen=True, slots=True, eq=False)
class _Table:
    members: Ints
    sums: csr_array
    area: AreaTable

    batch = 256

    def measure(self, weights: Floats) -> dict[str, Floats]:
        known, other, kept, right, caught = self.sums @ weights
        return {
            "auroc": self.area.measure(weights),
            "kept": ratio(kept, known),
            "caught": ratio(caught, other),
            "accuracy_of_kept": ratio(right, kept),
            "accuracy_of_all": ratio(right, known),
        }


def score_rejection(images: Novel, by: Mapping[str, str], sampling: Resampling) -> Rejection:
    """All numbers of one part; at least one image."""
    numbers = statistics(_table(images), sampling.weights, sampling.settings)
    return Rejection(
        by=dict(by),
        known=int(images.known.sum()),
        other=int((~images.known).sum()),
        **{name: _estimate(numbers, name) for name in _REASONS},
    )


def _table(images: Novel) -> _Table:
    members, patient = np.unique(images.patient, return_inverse=True)
    known, answered = images.known, images.answered
    kinds = (known, ~known, known & answered, images.right & answered, ~known & ~answered)
    rows = np.concatenate([np.full(int(kind.sum()), row) for row, kind in enumerate(kinds)])
    sums = counter(rows, np.concatenate([patient[kind] for kind in kinds]), (len(kinds), len(members)))
    told = ~np.isnan(images.novelty)
    area = area_table("auroc", images.novelty[told], ~known[told], (patient[told], len(members)))
    return _Table(members, sums, area)


def _estimate(numbers: Statistics, name: str) -> Estimate:
    found = numbers.estimate(name)
    return Estimate(reason=_REASONS[name]) if found.value is None else found
