"""All numbers of one part of a cohort, for any weighting of its patients."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spinedet.scoring.bootstrap import Weights
from spinedet.scoring.curves import RATES, Ledger, ratio
from spinedet.scoring.judgement import Judgement, Part, one_category
from spinedet.scoring.matching import ABSORBED
from spinedet.scoring.pairs import Floats, Ints


@dataclass(frozen=True, slots=True, eq=False)
class Decisions:
    """Counts at the frozen threshold, (P,) of each patient of a part."""

    tp: Ints
    fp: Ints
    fp_lesion_free: Ints
    lesions: Ints
    scans: Ints
    lesion_free: Ints


@dataclass(frozen=True, slots=True, eq=False)
class Tally:
    """A part of the cohort, counted: `book` pools the categories, `by_category` holds those that have lesions."""

    part: Part
    decisions: Decisions
    book: Ledger
    by_category: tuple[Ledger, ...]

    def measure(self, weights: Weights) -> dict[str, Floats]:
        """Every statistic by name, (B,), for patient weights (P, B)."""
        return {**self.decided(weights), **self.curves(weights)}

    def decided(self, weights: Weights) -> dict[str, Floats]:
        """What holds at the frozen threshold."""
        counts = self.decisions
        table = np.stack(
            [counts.tp, counts.fp, counts.fp_lesion_free, counts.lesions, counts.scans, counts.lesion_free]
        )
        tp, fp, fp_free, lesions, scans, free = table.astype(np.float64) @ weights
        return {
            "precision": ratio(tp, tp + fp),
            "recall": ratio(tp, lesions),
            "f1": ratio(2 * tp, tp + fp + lesions),
            "fp_per_scan": ratio(fp, scans),
            "fp_per_lesion_free_scan": ratio(fp_free, free),
        }

    def curves(self, weights: Weights) -> dict[str, Floats]:
        """What the curves give; average precision is the mean over categories that have lesions."""
        pooled = self.book.weigh(weights)
        curves = [book.weigh(weights) for book in self.by_category] if len(self.by_category) > 1 else [pooled]
        sensitivity = pooled.sensitivity()
        return {
            **{froc_name(rate): row for rate, row in zip(RATES, sensitivity, strict=True)},
            "cpm": sensitivity.mean(axis=0),
            "f1_max": pooled.f1_max(),
            "ap": _mean_defined([curve.average_precision() for curve in curves]),
            "ap_step": _mean_defined([curve.average_precision_step() for curve in curves]),
        }


def froc_name(rate: float) -> str:
    """The statistic's name."""
    return f"sensitivity at {rate:g} false positives per scan"


def tally(judgement: Judgement, part: Part, above: NDArray[np.bool_]) -> Tally:
    """Count a part of a judged cohort; `above` (n,) tells which findings reach the frozen threshold."""
    by_category = [
        Part(judgement.cohort, part.scans, one_category(judgement.cohort, category))
        for category in np.flatnonzero(part.categories).tolist()
    ]
    with_lesions = [one for one in by_category if one.lesions_per_patient.any()]
    book = judgement.ledger(part)
    books = tuple(judgement.ledger(one) for one in with_lesions) if len(by_category) > 1 else (book,)
    return Tally(part, _decisions(judgement, part, above), book, books)


def _decisions(judgement: Judgement, part: Part, above: NDArray[np.bool_]) -> Decisions:
    cohort, lesion = judgement.cohort, judgement.matches.lesion
    scan = cohort.marks.scan
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


def _mean_defined(values: list[Floats]) -> Floats:
    """The mean over categories of what is defined, (B,)."""
    table = np.stack(values)
    defined = ~np.isnan(table)
    return ratio(np.where(defined, table, 0.0).sum(axis=0), defined.sum(axis=0).astype(np.float64))
