"""From a tally to the numbers of a group, each with its interval."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from spinedet.scoring.bootstrap import (
    BootstrapSettings,
    Weights,
    bca_limits,
    leave_one_out,
    percentile_limits,
    replicate,
)
from spinedet.scoring.curves import RATES
from spinedet.scoring.judgement import Part
from spinedet.scoring.matching import ABSORBED
from spinedet.scoring.pairs import Floats, Ints
from spinedet.scoring.scores import BestF1, Counts, Estimate, FrocPoint, Performance
from spinedet.scoring.tally import Tally, froc_name, lesion_free

_REASONS = {
    "precision": "no finding at or above the threshold",
    "fp_per_scan": "no scan",
    "fp_per_lesion_free_scan": "no lesion-free scan",
}
_NO_LESION = "no lesion"


@dataclass(frozen=True, slots=True, eq=False)
class Statistics:
    """Named statistics: their values, replicates (B,) and, for BCa, values with one patient left out (P,)."""

    values: Mapping[str, float]
    replicates: Mapping[str, Floats]
    left_out: Mapping[str, Floats]
    settings: BootstrapSettings
    method: str

    def estimate(self, name: str) -> Estimate:
        """One statistic with its interval; undefined replicates are left out and counted."""
        value = self.values[name]
        if np.isnan(value):
            return Estimate(reason=_REASONS.get(name, _NO_LESION))
        if name not in self.replicates:
            return Estimate(value=value)
        replicates = self.replicates[name]
        defined = replicates[~np.isnan(replicates)]
        undefined = len(replicates) - len(defined)
        if not len(defined):
            return Estimate(value=value, undefined_replicates=undefined, reason="no interval: no replicate is defined")
        low, high = self._limits(name, value, defined)
        degenerate = bool((defined == value).all())
        return Estimate(value=value, low=low, high=high, undefined_replicates=undefined, degenerate=degenerate)

    def _limits(self, name: str, value: float, defined: Floats) -> tuple[float, float]:
        if self.method == "bca":
            left_out = self.left_out[name]
            return bca_limits(value, defined, left_out[~np.isnan(left_out)], self.settings.confidence)
        return percentile_limits(defined, self.settings.confidence)


def statistics(counted: Tally, weights: Weights, settings: BootstrapSettings) -> Statistics:
    """Values and replicates of every statistic of a tally.

    Args:
        counted: of one part.
        weights: (P, B) of all the cohort's patients.
        settings: how intervals are made.
    """
    members = counted.part.members
    method = settings.method_for(len(members))
    single = counted.measure(np.ones((len(members), 1), dtype=np.int64))
    values = {name: float(column[0]) for name, column in single.items()}
    # One patient resampled is always the same patient: that is no interval.
    enough = settings.samples > 0 and len(members) > 1
    return Statistics(
        values=values,
        replicates=replicate(counted.measure, weights[members]) if enough else {},
        left_out=replicate(counted.measure, leave_one_out(len(members))) if enough and method == "bca" else {},
        settings=settings,
        method=method if enough else "none",
    )


def performance(counted: Tally, numbers: Statistics) -> Performance:
    """The record of one part under one criterion."""
    decisions = counted.decisions
    best = numbers.estimate("f1_max")
    tp, lesions = int(decisions.tp.sum()), int(decisions.lesions.sum())
    return Performance(
        tp=tp,
        fp=int(decisions.fp.sum()),
        fn=lesions - tp,
        f1_max=BestF1(**best.model_dump(), threshold=_best_threshold(counted)),
        froc=tuple(FrocPoint(fp_per_scan=r, sensitivity=numbers.estimate(froc_name(r))) for r in RATES),
        ap_categories=sum(bool(book.lesions.any()) for book in counted.by_category),
        **{
            name: numbers.estimate(name)
            for name in ("precision", "recall", "f1", "fp_per_scan", "fp_per_lesion_free_scan", "cpm", "ap", "ap_step")
        },
    )


def _best_threshold(counted: Tally) -> float | None:
    f1 = counted.book.curve().f1()[:, 0]
    return float(counted.book.threshold[np.argmax(f1)]) if len(f1) and not np.isnan(f1).all() else None


def counts(part: Part, lesion: Ints) -> Counts:
    """What the part holds; `lesion` (n,) is the outcome of each of the cohort's findings."""
    cohort = part.cohort
    inside = part.lesions
    return Counts(
        patients=len(part.members),
        studies=len(np.unique(cohort.scans.study[part.scans])),
        series=int(part.scans.sum()),
        lesions=int((inside & ~cohort.lesions.ignore).sum()),
        findings=int(part.marks.sum()),
        ignored_lesions=int((inside & cohort.lesions.ignore).sum()),
        absorbed_findings=int((lesion[part.marks] == ABSORBED).sum()),
        lesion_free_series=int(lesion_free(part).sum()),
    )
