"""Whether findings that hit name the level of the lesion that they hit; names never decide on a hit."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spinedet.scoring.matching.cohort import Cohort
from spinedet.scoring.matching.overlaps import Floats, Ints
from spinedet.scoring.metrics.matched_cohort import MatchedCohort, Part


@dataclass(frozen=True, slots=True, eq=False)
class NamedHits:
    """The hits at the frozen threshold on lesions with a level, (h,) each.

    Attributes:
        patient: whose hit; one anchor names all discs of a scan, so that the patient is the unit of inference.
        named, right: whether the hit has a level, and whether it is the lesion's.
        guessed, guessed_right: likewise of the level by the likeliest outcome, which findings keep unresolved or not.
        probability: of that outcome, NaN where the findings give none.
    """

    patient: Ints
    named: NDArray[np.bool_]
    right: NDArray[np.bool_]
    guessed: NDArray[np.bool_]
    guessed_right: NDArray[np.bool_]
    probability: Floats

    def over_patients(self, which: NDArray[np.bool_]) -> int:
        """How many patients have one of these hits (h,)."""
        return len(np.unique(self.patient[which]))


@dataclass(frozen=True, slots=True, eq=False)
class RiskCurve:
    """Patients by falling probability of their names: named from a threshold on, and wrong among these.

    Attributes:
        threshold: (k,) distinct probabilities, falling. named, wrong: (k,) patients at each.
        area: mean error over all numbers of named patients (area under risk against coverage; Geifman and El-Yaniv,
            NeurIPS 2017), equal probabilities in random order.
    """

    threshold: Floats
    named: Ints
    wrong: Ints
    area: float


def named_hits(matched: MatchedCohort, part: Part, above: NDArray[np.bool_]) -> NamedHits | None:
    """How the hits of a part are named; None where no finding names a level, or no lesion's is known."""
    cohort, lesion, marks = matched.cohort, matched.matches.lesion, matched.cohort.marks
    reference = [one.level or "" for one in cohort.lesions.records]
    if not any(reference) or not any((codes >= 0).any() for codes in (marks.level, marks.likeliest)):
        return None
    hits = np.flatnonzero(part.marks & above & (lesion >= 0))
    hits = np.array([row for row in hits if reference[lesion[row]]], dtype=np.int64)
    truth = [reference[row] for row in lesion[hits].tolist()]
    # A level of another detector, or a person's, is also the likeliest; it comes without a probability.
    predicted, guessed = (_levels(cohort, codes[hits]) for codes in (marks.level, marks.likeliest))
    return NamedHits(
        patient=part.scan_member[marks.scan[hits]],
        named=np.array([bool(name) for name in predicted], dtype=bool),
        right=np.array([name == right for name, right in zip(predicted, truth, strict=True)], dtype=bool),
        guessed=np.array([bool(name) for name in guessed], dtype=bool),
        guessed_right=np.array([name == right for name, right in zip(guessed, truth, strict=True)], dtype=bool),
        probability=marks.level_probability[hits],
    )


def _levels(cohort: Cohort, codes: Ints) -> list[str]:
    """In words; an unknown one is empty."""
    names = (*cohort.level_names, "")  # no level is -1
    return [names[row] for row in codes.tolist()]


def risk_curve(hits: NamedHits) -> RiskCurve | None:
    """Error among named patients over the share that is named, if the threshold on the posterior moved.

    A patient is wrong with one wrong name; several posteriors count by the lowest. None without posteriors.
    """
    known = hits.guessed & ~np.isnan(hits.probability)
    if not known.any():
        return None
    patients, owner = np.unique(hits.patient[known], return_inverse=True)
    probability = np.full(len(patients), np.inf)
    np.minimum.at(probability, owner, hits.probability[known])
    wrong = np.bincount(owner, ~hits.guessed_right[known], len(patients)) > 0
    threshold, group = np.unique(-probability, return_inverse=True)
    named = np.cumsum(np.bincount(group))
    wrongs = np.cumsum(np.bincount(group, wrong).astype(np.int64))
    ranks = np.arange(1, len(patients) + 1)
    expected = np.interp(ranks, np.r_[0, named], np.r_[0, wrongs])
    return RiskCurve(-threshold, named, wrongs, float((expected / ranks).mean()))
