"""From counts to the numbers of a group, each with its interval."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from spinedet.scoring.matching.criteria import criterion_record
from spinedet.scoring.matching.greedy import ABSORBED
from spinedet.scoring.matching.overlaps import Floats, Ints
from spinedet.scoring.metrics.counts import MACRO, PartCounts, froc_name, lesion_free
from spinedet.scoring.metrics.froc_pr import RATES
from spinedet.scoring.metrics.level_naming import NamedHits, RiskCurve, risk_curve
from spinedet.scoring.metrics.matched_cohort import MatchedCohort, Part
from spinedet.scoring.records import (
    BestF1,
    Counts,
    Estimate,
    FrocPoint,
    LevelNaming,
    MacroMicro,
    PatientLevel,
    Performance,
    RiskPoint,
    SeverityAgreement,
    StratumScore,
)
from spinedet.scoring.statistics.bootstrap import (
    BootstrapSettings,
    Weights,
    bca_limits,
    leave_one_out,
    percentile_limits,
    replicate,
)
from spinedet.scoring.statistics.exact import exact_interval

# Statistics that a record of `Performance` holds under their own names.
_PLAIN = tuple(name for name, field in Performance.model_fields.items() if field.annotation is Estimate)
_REASONS = {
    "precision": "no finding at or above the threshold",
    "macro precision": "no finding at or above the threshold",
    "fp_per_lesion_free_scan": "no lesion-free scan",
    "patient specificity": "no patient without lesions",
    "patient auc": "needs patients with and without lesions",
    "severity kappa": "needs hits of several grades",
    "severity spearman": "needs hits of several grades",
    "severity mae": "no hit with a grade on both sides",
}
_NO_LESION = "no lesion"
# Of a curve of risk against coverage in a record.
_RISK_POINTS = 50


@dataclass(frozen=True, slots=True, eq=False)
class Statistics:
    """Named statistics: their values, replicates (B,) and, for BCa, values with one patient left out (P,)."""

    values: Mapping[str, float]
    replicates: Mapping[str, Floats]
    left_out: Mapping[str, Floats]
    settings: BootstrapSettings
    method: str
    patients: int

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

    def without(self, names: Collection[str]) -> Statistics:
        """All others: replicates take much memory."""

        def kept(columns: Mapping[str, Any]) -> dict[str, Any]:
            return {name: column for name, column in columns.items() if name not in names}

        return replace(self, values=kept(self.values), replicates=kept(self.replicates), left_out=kept(self.left_out))

    def _limits(self, name: str, value: float, defined: Floats) -> tuple[float, float]:
        if self.method == "bca":
            left_out = self.left_out[name]
            return bca_limits(value, defined, left_out[~np.isnan(left_out)], self.settings.confidence)
        return percentile_limits(defined, self.settings.confidence)


class Countable(Protocol):
    """What can be weighed: counts, a reliability table, points of a curve."""

    @property
    def members(self) -> Ints:
        """Rows of the cohort's patients, (P,)."""

    @property
    def batch(self) -> int:
        """How many replicates to take at once."""

    def measure(self, weights: Floats) -> dict[str, Floats]:
        """Statistics by name, (B,), for patient weights (P, B)."""


def statistics(counted: Countable, weights: Weights, settings: BootstrapSettings) -> Statistics:
    """Values and replicates of every statistic.

    Args:
        counted: of one part.
        weights: (P, B) of all the cohort's patients.
        settings: how intervals are made.
    """
    members, measure, batch = counted.members, counted.measure, counted.batch
    theirs = weights[members] if len(members) < len(weights) else weights
    method = settings.method_for(len(members))
    values = {name: float(column[0]) for name, column in measure(np.ones((len(members), 1))).items()}
    # One patient resampled is always the same patient: that is no interval.
    enough = settings.samples > 0 and len(members) > 1
    return Statistics(
        values=values,
        replicates=replicate(measure, theirs, batch) if enough else {},
        left_out=replicate(measure, leave_one_out(len(members)), batch) if enough and method == "bca" else {},
        settings=settings,
        method=method if enough else "none",
        patients=len(members),
    )


def performance(
    counted: PartCounts, numbers: Statistics, matched: MatchedCohort, above: NDArray[np.bool_]
) -> Performance:
    """The record of one part under one criterion."""
    decisions, part = counted.decisions, counted.part
    tp, lesions = int(decisions.tp.sum()), int(decisions.lesions.sum())
    return Performance(
        criterion=dict(criterion_record(matched.criterion)),
        tp=tp,
        fp=int(decisions.fp.sum()),
        fn=lesions - tp,
        duplicates=int((matched.matches.duplicate & above & part.marks).sum()),
        f1_max=BestF1(**dict(numbers.estimate("f1_max")), threshold=_best_threshold(counted)),
        froc=_froc(numbers, froc_name),
        ap_categories=sum(bool(book.lesions.any()) for book, _ in counted.categories),
        **{name: numbers.estimate(name) for name in _PLAIN},
    )


def patient_level(counted: PartCounts, numbers: Statistics) -> PatientLevel:
    """The record of the calls of each patient.

    Raises:
        ValueError: the part was counted without them.
    """
    table = counted.patients
    if table is None:
        raise ValueError("a part that was counted by `count_matches` has no calls of patients")
    return PatientLevel(
        diseased=int(table.diseased.sum()),
        healthy=int(table.healthy.sum()),
        **{name: numbers.estimate(f"patient {name}") for name in ("sensitivity", "specificity", "auc")},
    )


def over_categories(counted: PartCounts, numbers: Statistics) -> MacroMicro | None:
    """The record of several categories together; None for a single one."""
    if counted.part.categories.sum() == 1:
        return None
    macro = {f"macro_{name}": numbers.estimate(f"macro {name}") for name in MACRO}
    return MacroMicro(**macro, micro_ap=numbers.estimate("micro ap"))


def level_naming(hits: NamedHits | None) -> LevelNaming | None:
    """How levels are named, with exact intervals over patients."""
    if hits is None:
        return None
    wrong = hits.named & ~hits.right
    patients, named = len(np.unique(hits.patient)), hits.over_patients(hits.named)
    wrong_patients = hits.over_patients(wrong)
    curve, nobody = risk_curve(hits), "no hit on a lesion with a level"
    unranked = Estimate(reason="the findings give no posterior of their names")
    return LevelNaming(
        right=int(hits.right.sum()),
        wrong=int(wrong.sum()),
        unresolved=int((~hits.named).sum()),
        patients=patients,
        named=named,
        wrong_patients=wrong_patients,
        error=_share(wrong_patients, named, "no named hit"),
        coverage=_share(named, patients, nobody),
        forced=_share(int(curve.named[-1] - curve.wrong[-1]), patients, nobody) if curve else unranked,
        area=Estimate(value=curve.area) if curve else unranked,
        curve=_risk_points(curve, patients) if curve else (),
    )


def _risk_points(curve: RiskCurve, patients: int) -> tuple[RiskPoint, ...]:
    """The curve at no more than `_RISK_POINTS` thresholds, the first and the last among them."""
    rows = np.unique(np.linspace(0, len(curve.threshold) - 1, min(_RISK_POINTS, len(curve.threshold))).astype(int))
    return tuple(
        RiskPoint(
            threshold=float(curve.threshold[row]),
            named=int(curve.named[row]),
            wrong=int(curve.wrong[row]),
            coverage=int(curve.named[row]) / patients,
            error=_share(int(curve.wrong[row]), int(curve.named[row]), "nobody is named"),
        )
        for row in rows
    )


def _share(hits: int, count: int, reason: str) -> Estimate:
    if not count:
        return Estimate(reason=reason)
    low, high = exact_interval(hits, count)
    return Estimate(value=hits / count, low=low, high=high)


def severity_agreement(counted: PartCounts, numbers: Statistics) -> SeverityAgreement | None:
    """The record of grades; None where there are none."""
    if counted.grading is None:
        return None
    found = {name: numbers.estimate(f"severity {name}") for name in ("kappa", "spearman", "mae")}
    return SeverityAgreement(hits=len(counted.grading.predicted), **found)


def strata_scores(counted: PartCounts, numbers: Statistics) -> tuple[StratumScore, ...]:
    """The records of the kinds of lesions."""
    return tuple(
        StratumScore(
            by={one.key: one.value},
            lesions=int(one.lesions.sum()),
            tp=int(one.tp.sum()),
            recall=numbers.estimate(one.statistic("recall")),
            froc=_froc(numbers, lambda rate, one=one: one.statistic(froc_name(rate))),  # type: ignore[misc]
        )
        for one in counted.strata
    )


def counts(part: Part, lesion: Ints) -> Counts:
    """What the part holds; `lesion` (n,) is the outcome of each of the cohort's findings."""
    cohort, series = part.cohort, int(part.scans.sum())
    lesions = int(part.lesions_per_patient.sum())
    return Counts(
        patients=len(part.members),
        studies=len(np.unique(cohort.scans.study[part.scans])),
        series=series,
        lesions=lesions,
        findings=int(part.marks.sum()),
        ignored_lesions=int((part.lesions & cohort.lesions.ignore).sum()),
        absorbed_findings=int((lesion[part.marks] == ABSORBED).sum()),
        lesion_free_series=int(lesion_free(part).sum()),
        lesions_per_scan=lesions / series,
    )


def rising(points: Sequence[Estimate]) -> list[Estimate]:
    """Estimates of a curve that cannot fall, with limits that do not fall either.

    Pointwise limits of a resampled curve may fall or spike where the curve itself rises. The lower limits are lowered
    to the least of those that follow, the upper ones raised to the highest before them: the narrowest monotone band
    that holds the pointwise one, so its pointwise coverage is at least the nominal.
    """
    lows = [one.low for one in points]
    highs = [one.high for one in points]
    for row in reversed(range(len(points) - 1)):
        low, following = lows[row], lows[row + 1]
        lows[row] = min(low, following) if low is not None and following is not None else low
    for row in range(1, len(points)):
        high, before = highs[row], highs[row - 1]
        highs[row] = max(high, before) if high is not None and before is not None else high
    return [
        one.model_copy(update={"low": low, "high": high}) for one, low, high in zip(points, lows, highs, strict=True)
    ]


def _froc(numbers: Statistics, name: Callable[[float], str]) -> tuple[FrocPoint, ...]:
    heights = rising([numbers.estimate(name(rate)) for rate in RATES])
    return tuple(FrocPoint(fp_per_scan=rate, sensitivity=one) for rate, one in zip(RATES, heights, strict=True))


def _best_threshold(counted: PartCounts) -> float | None:
    f1 = counted.book.curve().f1()[:, 0]
    return float(counted.book.threshold[np.argmax(f1)]) if len(f1) and not np.isnan(f1).all() else None
