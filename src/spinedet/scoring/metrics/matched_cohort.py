"""Every finding matched once: hit, false positive or absorbed; any part of the cohort is then a selection of rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from spinedet.core.errors import InputError
from spinedet.scoring.matching.cohort import PLANES, Cohort, PlacedCohort
from spinedet.scoring.matching.criteria import Criterion, IouCriterion
from spinedet.scoring.matching.greedy import ABSORBED, Matches, match
from spinedet.scoring.matching.overlaps import Floats, Ints, Pairs, touching
from spinedet.scoring.metrics.froc_pr import Ledger, RankedFindings, ledger


@dataclass(frozen=True, eq=False)
class Part:
    """Some scans (s,) and some categories (c,) of a cohort, as masks, with the patients who have such scans.

    Attributes:
        members: (P,) rows of the cohort's patients.
    """

    cohort: Cohort
    scans: NDArray[np.bool_]
    categories: NDArray[np.bool_]

    @property
    def key(self) -> tuple[bytes, bytes]:
        """Equal for parts with the same scans and categories."""
        return self.scans.tobytes(), self.categories.tobytes()

    @cached_property
    def members(self) -> Ints:
        """Rows of the cohort's patients who have such scans, (P,)."""
        return np.unique(self.cohort.scans.patient[self.scans])

    @cached_property
    def scan_member(self) -> Ints:
        """Number among `members` for every scan of the cohort; meaningless outside the part, (s,)."""
        return np.searchsorted(self.members, self.cohort.scans.patient).astype(np.int32)

    @cached_property
    def lesions(self) -> NDArray[np.bool_]:
        """The cohort's lesions that lie in the part, ignored ones included, (l,)."""
        theirs = self.cohort.lesions
        return self.scans[theirs.scan] & self.categories[theirs.category]

    @cached_property
    def marks(self) -> NDArray[np.bool_]:
        """The cohort's findings that lie in the part, (n,)."""
        ours = self.cohort.marks
        return self.scans[ours.scan] & self.categories[ours.category]

    def per_patient(self, scans: Ints) -> Ints:
        """How many of these scans (with repeats) each member has, (P,)."""
        return np.bincount(self.scan_member[scans], minlength=len(self.members))

    @cached_property
    def scans_per_patient(self) -> Ints:
        """(P,)."""
        return self.per_patient(np.flatnonzero(self.scans))

    @cached_property
    def lesions_per_patient(self) -> Ints:
        """Ignored ones left out, (P,)."""
        theirs = self.cohort.lesions
        return self.per_patient(theirs.scan[self.lesions & ~theirs.ignore])


@dataclass(frozen=True, eq=False)
class MatchedCohort:
    """A cohort under one criterion.

    Attributes:
        overlaps: findings and lesions of one scan that overlap at all, of whatever category.
    """

    cohort: Cohort
    criterion: Criterion
    matches: Matches
    overlaps: Pairs

    @cached_property
    def falling(self) -> Ints:
        """Rows of the findings that are not absorbed, highest score first."""
        rows, kept = self.cohort.marks.falling, self.matches.lesion != ABSORBED
        return rows if kept.all() else rows[kept[rows]]

    def ranked(self, part: Part) -> RankedFindings:
        """The matched findings of a part, highest score first, by member."""
        rows = self.falling[part.marks[self.falling]]
        marks = self.cohort.marks
        return RankedFindings(marks.score[rows], self.matches.lesion[rows] >= 0, part.scan_member[marks.scan[rows]])

    def ledger(self, part: Part) -> Ledger:
        """What the curves of a part are made of."""
        return ledger(self.ranked(part), part.lesions_per_patient, part.scans_per_patient)


def match_cohort(placed: PlacedCohort, criterion: Criterion) -> MatchedCohort:
    """Match all findings of a cohort; overlaps are computed once for all criteria."""
    cohort = placed.cohort
    if isinstance(criterion, IouCriterion):
        pairs = of_one_category(cohort, placed.overlaps).at_least(criterion.iou)
    else:
        pairs = touching(*placed.cells, criterion)
    matches = match(pairs, cohort.marks.score, cohort.lesions.ignore)
    return MatchedCohort(cohort, criterion, matches, placed.overlaps)


def of_one_category(cohort: Cohort, pairs: Pairs) -> Pairs:
    """Those whose finding and lesion have the same category."""
    return pairs.where(np.equal(cohort.marks.category[pairs.finding], cohort.lesions.category[pairs.lesion]))


def whole(cohort: Cohort) -> Part:
    """All of it."""
    return Part(cohort, np.ones(len(cohort.scans.series), bool), np.ones(len(cohort.categories), bool))


def one_category(cohort: Cohort, category: int) -> NDArray[np.bool_]:
    """The mask of a single category."""
    return np.arange(len(cohort.categories)) == category


def above(cohort: Cohort, thresholds: Mapping[tuple[str, str], float]) -> NDArray[np.bool_]:
    """Which findings count at these thresholds by (plane, category), (n,).

    Raises:
        InputError: a plane and category that is scored has no threshold.
    """
    marks = cohort.marks
    table: Floats = np.full((len(PLANES), len(cohort.categories)), np.nan)
    for row in np.unique(cohort.scans.plane).tolist():
        for column, name in enumerate(cohort.categories):
            if (PLANES[row], name) not in thresholds:
                raise InputError(
                    f"the operating point has no threshold for {name!r} in the {PLANES[row]} plane; score the planes "
                    "and categories that it was chosen for"
                )
            table[row, column] = thresholds[PLANES[row], name]
    limit = table[cohort.scans.plane[marks.scan], marks.category]
    return np.greater_equal(marks.score, limit)
