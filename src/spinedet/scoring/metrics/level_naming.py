"""Whether findings that hit name the level of the lesion that they hit; names never decide on a hit."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spinedet.scoring.matching.overlaps import Ints
from spinedet.scoring.metrics.matched_cohort import MatchedCohort, Part


@dataclass(frozen=True, slots=True)
class NamedLevels:
    """Hits at the frozen threshold whose lesion has a level, and their patients.

    Attributes:
        right, wrong, unresolved: of the hits.
        patients: with such hits; named: those with a named hit; wrong_patients: with one that is named wrongly. One
            anchor names all discs of a scan, so that the patient is the unit of inference.
    """

    right: int
    wrong: int
    unresolved: int
    patients: int
    named: int
    wrong_patients: int


def named_levels(matched: MatchedCohort, part: Part, above: NDArray[np.bool_]) -> NamedLevels | None:
    """How the hits of a part are named; None where no finding names a level, or no lesion's is known."""
    cohort, lesion = matched.cohort, matched.matches.lesion
    predicted, reference = _levels(matched)
    if not any(predicted) or not any(reference):
        return None
    hits = np.flatnonzero(part.marks & above & (lesion >= 0))
    hits = np.array([row for row in hits if reference[lesion[row]]], dtype=np.int64)
    patient = part.scan_member[cohort.marks.scan[hits]]
    named = np.array([bool(predicted[row]) for row in hits], dtype=bool)
    right = np.array([predicted[row] == reference[lesion[row]] for row in hits], dtype=bool)
    wrong = named & ~right
    return NamedLevels(
        right=int(right.sum()),
        wrong=int(wrong.sum()),
        unresolved=int((~named).sum()),
        patients=_count(patient),
        named=_count(patient[named]),
        wrong_patients=_count(patient[wrong]),
    )


def _levels(matched: MatchedCohort) -> tuple[list[str], list[str]]:
    """Of every finding and every lesion of the cohort; an unknown one is empty."""
    cohort, table = matched.cohort, matched.cohort.table
    names = (*table.level_names, "")  # no level is -1
    return [names[row] for row in table.level[cohort.marks.row]], [one.level or "" for one in cohort.lesions.records]


def _count(patients: Ints) -> int:
    return len(np.unique(patients))
