"""Figures of merit of one reading, for any weighting of its patients."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from spinedet.core.errors import InputError
from spinedet.scoring.evaluate import Examination
from spinedet.scoring.matching.greedy import ABSORBED
from spinedet.scoring.matching.overlaps import Floats, Ints
from spinedet.scoring.metrics.froc_pr import ratio
from spinedet.scoring.metrics.graded_places import area

UNITS = ("patient", "scan")
# Below so many lesion-free patients the abscissa of the wAFROC curve rests on a handful of people.
FEWEST_LESION_FREE = 20


@dataclass(frozen=True, eq=False)
class RatedEntries:
    """Area under a curve: every rated thing of the diseased side against every one of the other side.

    Attributes:
        rating: (n,), -inf for what got no mark. diseased: (n,) the side. share: (n,) weight within its case.
        patient: (n,) row among `patients`.
    """

    rating: Floats
    diseased: NDArray[np.bool_]
    share: Floats
    patient: Ints
    patients: int

    def value(self, weights: Floats) -> Floats:
        """The area, (B,), for patient weights (P, B); NaN where one side is empty."""
        return area(self.rating, self.diseased, self.share[:, None] * weights[self.patient])

    def curve(self) -> tuple[Floats, Floats]:
        """Corners of the curve from (0, 0) to (1, 1): share of each side at or above every distinct rating."""
        order = np.argsort(-self.rating, kind="stable")
        rated = self.rating[order]
        last = np.r_[rated[1:] != rated[:-1], True]
        sides = [np.cumsum(np.where(self.diseased[order] == side, self.share[order], 0.0)) for side in (False, True)]
        x, y = (np.r_[0.0, side[last] / side[-1]] for side in sides)
        return x, y


@dataclass(frozen=True, eq=False)
class PatientShares:
    """A share of sums over patients: `above` of `below`, (P,) each."""

    above: Floats
    below: Floats

    def value(self, weights: Floats) -> Floats:
        """The share, (B,), for patient weights (P, B); NaN where there is nothing to share."""
        return ratio(self.above @ weights, self.below @ weights)


Figure: TypeAlias = RatedEntries | PatientShares


@dataclass(frozen=True, eq=False)
class Cases:
    """The cases of a reading: patients or scans.

    Attributes:
        patient: (C,) row of each case's patient. lesions: (C,) how many it has. free: (C,) no lesion at all.
        highest: (C,) highest mark anywhere, -inf for none. called: (C,) has a mark at or above the threshold.
        worst: (C,) highest false mark. lesion_rating, lesion_case: of every lesion that counts, (L,).
        hits, false: (P,) marks at or above the threshold by patient.
    """

    patient: Ints
    lesions: Ints
    free: NDArray[np.bool_]
    highest: Floats
    called: NDArray[np.bool_]
    worst: Floats
    lesion_rating: Floats
    lesion_case: Ints
    hits: Ints
    false: Ints

    @property
    def patients(self) -> int:
        """How many patients there are, P."""
        return len(self.hits)


def cases_of(reading: Examination, unit: str) -> Cases:
    """What a reading gave for every patient or scan.

    Marks on lesions to be ignored count for nothing. A case whose only lesions are to be ignored is neither diseased
    nor free.

    Raises:
        InputError: the unit is none of `UNITS`.
    """
    if unit not in UNITS:
        raise InputError(f"unit={unit}: use {' or '.join(UNITS)}")
    cohort, matches = reading.cohort, reading.matched.matches
    of_scan = cohort.scans.patient if unit == "patient" else np.arange(len(cohort.scans.series))
    count = len(cohort.patients) if unit == "patient" else len(of_scan)
    patient = np.arange(count) if unit == "patient" else cohort.scans.patient
    lesions, marks = cohort.lesions, cohort.marks
    counted = np.flatnonzero(~lesions.ignore)
    kept = matches.lesion != ABSORBED
    false = kept & (matches.lesion < 0)
    finder = matches.finding[counted]
    rating = np.full(len(counted), -np.inf)
    rating[finder >= 0] = marks.score[finder[finder >= 0]]
    by_case, by_patient = of_scan[marks.scan], cohort.scans.patient[marks.scan]
    reached = reading.reached & kept
    return Cases(
        patient=patient,
        lesions=np.bincount(of_scan[lesions.scan[counted]], minlength=count),
        free=np.bincount(of_scan[lesions.scan], minlength=count) == 0,
        highest=_highest(by_case[kept], marks.score[kept], count),
        called=np.bincount(by_case[reached], minlength=count) > 0,
        worst=_highest(by_case[false], marks.score[false], count),
        lesion_rating=rating,
        lesion_case=of_scan[lesions.scan[counted]],
        hits=np.bincount(by_patient[reached & ~false], minlength=len(cohort.patients)),
        false=np.bincount(by_patient[reached & false], minlength=len(cohort.patients)),
    )


def _highest(case: Ints, score: Floats, count: int) -> Floats:
    found = np.full(count, -np.inf)
    np.maximum.at(found, case, score)
    return found


def roc_area(cases: Cases) -> RatedEntries:
    """AUC: the highest mark of diseased cases against that of lesion-free ones."""
    ill = cases.lesions > 0
    rows = np.flatnonzero(ill | cases.free)
    return RatedEntries(cases.highest[rows], ill[rows], np.ones(len(rows)), cases.patient[rows], cases.patients)


def wafroc_area(cases: Cases) -> RatedEntries:
    """Weighted AFROC (Chakraborty & Zhai 2016, doi:10.1118/1.4950979): lesions, which share one unit in each diseased
    case, against the highest false mark of lesion-free cases.
    """
    free = np.flatnonzero(cases.free)
    count = len(cases.lesion_case)
    return RatedEntries(
        rating=np.r_[cases.lesion_rating, cases.worst[free]],
        diseased=np.arange(count + len(free)) < count,
        share=np.r_[1 / cases.lesions[cases.lesion_case], np.ones(len(free))],
        patient=np.r_[cases.patient[cases.lesion_case], cases.patient[free]],
        patients=cases.patients,
    )


def f1_share(cases: Cases) -> PatientShares:
    """F1 of lesions at the reading's threshold."""
    hits, false = cases.hits.astype(np.float64), cases.false.astype(np.float64)
    return PatientShares(2 * hits, hits + false + np.bincount(cases.patient, cases.lesions, minlength=cases.patients))


def sensitivity_share(cases: Cases) -> PatientShares:
    """Share of diseased cases with a mark at or above the threshold."""
    return _share(cases, cases.lesions > 0, cases.called)


def specificity_share(cases: Cases) -> PatientShares:
    """Share of lesion-free cases without such a mark."""
    return _share(cases, cases.free, ~cases.called)


def _share(cases: Cases, among: NDArray[np.bool_], which: NDArray[np.bool_]) -> PatientShares:
    above, below = (np.bincount(cases.patient[rows], minlength=cases.patients) for rows in (among & which, among))
    return PatientShares(above.astype(np.float64), below.astype(np.float64))


FIGURES: Mapping[str, Callable[[Cases], Figure]] = {
    "auc": roc_area,
    "wafroc": wafroc_area,
    "f1": f1_share,
    "sensitivity": sensitivity_share,
    "specificity": specificity_share,
}
DESCRIPTIONS = {
    "auc": "AUC: area under the ROC curve, the highest mark of each {unit} with lesions against lesion-free ones",
    "wafroc": "wAFROC: area under the weighted AFROC curve; the lesions of a {unit} share one unit, the abscissa is "
    "the highest false mark of each lesion-free {unit}",
    "f1": "F1 of lesions at the reader's own threshold",
    "sensitivity": "sensitivity: {unit}s with lesions that got a mark at the reader's own threshold",
    "specificity": "specificity: lesion-free {unit}s that got no mark at the reader's own threshold",
}


def figure_of_merit(name: str, cases: Cases) -> Figure:
    """The figure of merit of this name.

    Raises:
        InputError: no such figure; or too few lesion-free patients for the wAFROC curve.
    """
    if name not in FIGURES:
        raise InputError(f"fom={name}: use one of {', '.join(FIGURES)}")
    free = len(np.unique(cases.patient[cases.free]))
    if name == "wafroc" and free < FEWEST_LESION_FREE:
        raise InputError(
            f"fom=wafroc needs {FEWEST_LESION_FREE} patients with a lesion-free case and there are {free}: the curve's "
            "abscissa rests on them. Use unit=scan if their scans are lesion-free one by one, or fom=f1"
        )
    return FIGURES[name](cases)
