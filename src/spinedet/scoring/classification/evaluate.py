"""From items to the record of a group."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from spinedet.scoring.classification.counts import LabelCounts, confusion, label_counts, of_label, without_items
from spinedet.scoring.classification.items import Items
from spinedet.scoring.classification.records import (
    Answers,
    Area,
    CurvePoint,
    FindingScore,
    LabelGroup,
    LabelScore,
    PredictiveValues,
)
from spinedet.scoring.classification.roc import ONE_KIND, Areas, areas, delong, roc_points
from spinedet.scoring.matching.overlaps import Floats, Ints
from spinedet.scoring.metrics.froc_pr import RankedFindings
from spinedet.scoring.records import Calibration, Estimate
from spinedet.scoring.statistics.bootstrap import BootstrapSettings, Weights, draw
from spinedet.scoring.statistics.calibration import calibration, reliability
from spinedet.scoring.statistics.estimates import Statistics, statistics
from spinedet.scoring.statistics.exact import exact_interval

AS_ANSWERED, FORCED = "as answered", "forced choice"
CONFIDENT = 0.5
PREVALENCES = (0.1, 0.3, 0.5)
_REASONS = {
    "precision": "never answered",
    "recall": "no item has the label",
    "f1": "neither given nor answered",
    "auc": ONE_KIND,
    "macro_auc": "no label has scored items of both kinds",
    "micro_precision": "no answer",
    "accuracy_of_answered": "no answer",
    "kappa": "chance alone would agree always",
}
_NO_SCORES = "no scores"
_OVERALL = [name for name, field in Answers.model_fields.items() if field.annotation is Estimate]


@dataclass(frozen=True, slots=True, eq=False)
class Resampling:
    """How often each patient comes in each replicate, (P, B): the same for every model of one test."""

    weights: Weights
    settings: BootstrapSettings

    @classmethod
    def over(cls, centers: tuple[str, ...], center: Ints, settings: BootstrapSettings) -> Resampling:
        """Patients within their centres; `center` (P,) is the row of each patient's."""
        return cls(draw(center, centers, settings), settings)

    def of(self, items: Items) -> Statistics:
        """Values and replicates of every statistic of these items."""
        return statistics(summary(items), self.weights, self.settings)


@dataclass(frozen=True, slots=True, eq=False)
class Summary:
    """Counts and areas of the same items, weighed together."""

    counts: LabelCounts
    areas: Areas

    batch = 256

    @property
    def members(self) -> Ints:
        """Rows of all patients, (P,)."""
        return self.counts.members

    def measure(self, weights: Floats) -> dict[str, Floats]:
        """All statistics, (B,), for patient weights (P, B)."""
        return {**self.counts.measure(weights), **self.areas.measure(weights)}


def summary(items: Items) -> Summary:
    """What is counted of some items."""
    counts = label_counts(items)
    return Summary(counts, areas(items, counts.members))


def estimate(numbers: Statistics, name: str) -> Estimate:
    """One statistic with its interval, and in these words why there is none."""
    found = numbers.estimate(name)
    if found.value is None:
        return Estimate(reason=_REASONS.get(name.partition(" of ")[0], "no item"))
    return found


def exact_share(hits: int, count: int, confidence: float, reason: str) -> Estimate:
    """A share with its Clopper-Pearson interval."""
    if not count:
        return Estimate(reason=reason)
    low, high = exact_interval(hits, count, confidence)
    return Estimate(value=hits / count, low=low, high=high)


def ways_to_answer(items: Items) -> dict[str, Items]:
    """The answers as they are, and what scores alone would say: the highest, and the highest if it is high enough.

    The highest is left out where it is the same everywhere.
    """
    ways = {AS_ANSWERED: items}
    if items.scored.any():
        if not np.array_equal(items.forced().called, items.called):
            ways[FORCED] = items.forced()
        if len(items.labels) > 2:
            ways[f"confidence >= {CONFIDENT:g}"] = items.forced().confident(CONFIDENT)
    return ways


def score_group(items: Items, by: Mapping[str, str], sampling: Resampling, finding: str | None) -> LabelGroup:
    """All numbers of one part of a test.

    Args:
        items: at least one.
        by: what the part fixes.
        sampling: of all patients.
        finding: the positive label of a two-label task.
    """
    numbers = {rule: sampling.of(one) for rule, one in ways_to_answer(items).items()}
    first = numbers[AS_ANSWERED]
    return LabelGroup(
        by=dict(by),
        patients=len(np.unique(items.patient)),
        items=len(items),
        interval=first.method,
        answers=tuple(_answers(rule, one, numbers[rule], finding) for rule, one in ways_to_answer(items).items()),
        auc=_area(items, first, finding),
        calibration=_calibration(items, by, sampling, finding),
        curve=_curve(items, finding),
    )


def _curve(items: Items, finding: str | None) -> tuple[CurvePoint, ...]:
    """From the strictest threshold to the loosest; nothing without a finding, scores or both labels."""
    kept = items.where(items.scored)
    if finding is None or len(np.unique(kept.reference)) < 2:
        return ()
    row = items.labels.index(finding)
    points = roc_points(kept.score[:, row], kept.reference == row)
    return (CurvePoint(x=0, y=0), *(CurvePoint(x=1 - one.specificity, y=one.sensitivity) for one in points))


def _answers(rule: str, items: Items, numbers: Statistics, finding: str | None) -> Answers:
    table = confusion(items)
    right, answered = int(np.trace(table)), table[:, :-1].sum(axis=0)
    confidence = numbers.settings.confidence
    overall = {name: estimate(numbers, name) for name in _OVERALL if name != "accuracy_exact"}
    return Answers(
        rule=rule,
        labels=tuple(_label(items, row, table, numbers) for row in range(len(items.labels))),
        confusion=tuple(tuple(line) for line in table.tolist()),
        empty=without_items(items),
        accuracy_exact=exact_share(right, len(items), confidence, "no item"),
        finding=_finding(items, finding, table, numbers) if finding and answered.sum() else None,
        **overall,
    )


def _label(items: Items, row: int, table: Ints, numbers: Statistics) -> LabelScore:
    label, confidence = items.labels[row], numbers.settings.confidence
    right, support, answers = (int(number) for number in (table[row, row], table[row].sum(), table[:, row].sum()))
    return LabelScore(
        label=label,
        items=support,
        answers=answers,
        right=right,
        precision_exact=exact_share(right, answers, confidence, _REASONS["precision"]),
        recall_exact=exact_share(right, support, confidence, _REASONS["recall"]),
        **{name: estimate(numbers, of_label(name, label)) for name in ("precision", "recall", "f1", "auc")},
    )


def _finding(items: Items, finding: str, table: Ints, numbers: Statistics) -> FindingScore:
    yes = items.labels.index(finding)
    no, confidence = 1 - yes, numbers.settings.confidence
    found = {
        name: estimate(numbers, of_label(metric, items.labels[row]))
        for name, metric, row in (
            ("sensitivity", "recall", yes),
            ("specificity", "recall", no),
            ("ppv", "precision", yes),
            ("npv", "precision", no),
        )
    }
    true, false = found["sensitivity"].value, found["specificity"].value
    return FindingScore(
        finding=finding,
        sensitivity_exact=exact_share(int(table[yes, yes]), int(table[yes].sum()), confidence, _REASONS["recall"]),
        specificity_exact=exact_share(int(table[no, no]), int(table[no].sum()), confidence, _REASONS["recall"]),
        likelihood_positive=_over(true, None if false is None else 1 - false),
        likelihood_negative=_over(None if true is None else 1 - true, false),
        at_prevalence=tuple(predictive_values(share, true, false) for share in PREVALENCES),
        **found,
    )


def predictive_values(prevalence: float, sensitivity: float | None, specificity: float | None) -> PredictiveValues:
    """What a positive and a negative answer are worth where so many have the finding."""
    if sensitivity is None or specificity is None:
        return PredictiveValues(prevalence=prevalence, ppv=None, npv=None)
    true, false = prevalence * sensitivity, (1 - prevalence) * (1 - specificity)
    cleared, missed = (1 - prevalence) * specificity, prevalence * (1 - sensitivity)
    return PredictiveValues(prevalence=prevalence, ppv=_over(true, true + false), npv=_over(cleared, cleared + missed))


def _over(above: float | None, below: float | None) -> float | None:
    return None if above is None or below is None or below <= 0 else above / below


def _area(items: Items, numbers: Statistics, finding: str | None) -> Area:
    if finding is None:
        defined = sum(not np.isnan(numbers.values[of_label("auc", label)]) for label in items.labels)
        reason = "one curve for each label"
        mean = estimate(numbers, "macro_auc") if items.scored.any() else Estimate(reason=_NO_SCORES)
        return Area(labels=defined, bootstrap=mean, delong=Estimate(reason=reason))
    kept = items.where(items.scored)
    if not len(kept):
        return Area(labels=1, bootstrap=Estimate(reason=_NO_SCORES), delong=Estimate(reason=_NO_SCORES))
    row = items.labels.index(finding)
    exact = delong(kept.score[:, row], kept.reference == row, numbers.settings.confidence)
    if len(np.unique(kept.patient)) < len(kept):
        exact = Estimate(value=exact.value, reason="no interval: patients have several items")
    return Area(labels=1, bootstrap=estimate(numbers, of_label("auc", finding)), delong=exact)


def _calibration(items: Items, by: Mapping[str, str], sampling: Resampling, finding: str | None) -> Calibration | None:
    """Of the finding's score; with several labels, of the highest score as the chance that its label is right."""
    kept = items.where(items.scored)
    if not len(kept):
        return None
    members, patient = np.unique(kept.patient, return_inverse=True)
    row = items.labels.index(finding) if finding else None
    best = kept.forced()
    score = kept.score.max(axis=1) if row is None else kept.score[:, row]
    hit = best.called == kept.reference if row is None else kept.reference == row
    table = reliability(RankedFindings(score, hit, patient), members)
    return calibration(table, statistics(table, sampling.weights, sampling.settings), dict(by), 1.0)
