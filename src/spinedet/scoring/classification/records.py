"""The records of the scores of labels."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field, FiniteFloat

from spinedet.core.files import file_header, read_record, write_json
from spinedet.core.types import FiniteJson, Record, is_empty, is_none
from spinedet.scoring.records import Calibration, Estimate
from spinedet.scoring.statistics.bootstrap import BootstrapRecord

FORMAT = "spinedet-label-scores"


class LabelScore(Record):
    """One label: intervals resample patients; the exact ones beside them treat items as independent.

    Attributes:
        items: that have the label. answers: items that were given it. right: both.
        auc: this label against the rest; null where nothing is scored.
    """

    label: str
    items: int
    answers: int
    right: int
    precision: Estimate
    recall: Estimate
    f1: Estimate
    precision_exact: Estimate
    recall_exact: Estimate
    auc: Estimate


class PredictiveValues(Record):
    """Predictive values where so many have the finding, from sensitivity and specificity (Bayes)."""

    prevalence: FiniteFloat
    ppv: FiniteFloat | None
    npv: FiniteFloat | None


class FindingScore(Record):
    """A task with two labels, of which one is a finding; a rejected item counts as wrong on either side.

    Attributes:
        likelihood_positive, likelihood_negative: ratios; null where they are infinite or undefined.
    """

    finding: str
    sensitivity: Estimate
    specificity: Estimate
    ppv: Estimate
    npv: Estimate
    sensitivity_exact: Estimate
    specificity_exact: Estimate
    likelihood_positive: FiniteFloat | None
    likelihood_negative: FiniteFloat | None
    at_prevalence: tuple[PredictiveValues, ...]


class Answers(Record):
    """All numbers of one way to answer.

    Attributes:
        rule: `as answered` (the labels of the readings, which may reject), `forced choice` (the highest score), or
            `confidence >= t` (no answer below).
        confusion: rows the reference, columns the answer in the order of `labels`, the last column no answer.
        empty: labels without items; they leave the means over labels.
    """

    rule: str
    labels: tuple[LabelScore, ...]
    confusion: tuple[tuple[int, ...], ...]
    empty: tuple[str, ...] = Field(default=(), exclude_if=is_empty)
    accuracy: Estimate
    accuracy_exact: Estimate
    balanced_accuracy: Estimate
    macro_precision: Estimate
    macro_recall: Estimate
    macro_f1: Estimate
    micro_precision: Estimate
    micro_recall: Estimate
    micro_f1: Estimate
    answered: Estimate
    accuracy_of_answered: Estimate
    kappa: Estimate
    finding: FindingScore | None = Field(default=None, exclude_if=is_none)


class Area(Record):
    """Area under the ROC curve: of the finding, or the mean of each label against the rest.

    Attributes:
        labels: how many labels the mean is over.
        bootstrap: interval from resampled patients. delong: null with a reason where patients have several items.
    """

    labels: int
    bootstrap: Estimate
    delong: Estimate


class CurvePoint(Record):
    """A point of a ROC curve: one minus the specificity, and the sensitivity."""

    x: FiniteFloat
    y: FiniteFloat


class LabelGroup(Record):
    """One part of the test: `by` holds `unit` (image or patient), and `view` and `center` where they are fixed.

    Attributes:
        interval: `percentile`, `bca` or `none`. curve: ROC of the finding, where there is one.
    """

    by: dict[str, str]
    patients: int
    items: int
    interval: str
    answers: tuple[Answers, ...]
    auc: Area
    calibration: Calibration | None = Field(default=None, exclude_if=is_none)
    curve: tuple[CurvePoint, ...] = Field(default=(), exclude_if=is_empty)

    def answer(self, rule: str) -> Answers:
        """One way to answer.

        Raises:
            KeyError: there is no such rule.
        """
        for one in self.answers:
            if one.rule == rule:
                return one
        raise KeyError(rule)


class Rejection(Record):
    """How images of none of the labels are told from known ones, image by image.

    Attributes:
        known, other: images. auroc: of the novelty, known against other; null where there is none of either.
        kept: share of known images that were answered. caught: share of other images that were not.
        accuracy_of_kept, accuracy_of_all: of known images; rejected ones count as wrong in the second.
    """

    by: dict[str, str]
    known: int
    other: int
    auroc: Estimate
    kept: Estimate
    caught: Estimate
    accuracy_of_kept: Estimate
    accuracy_of_all: Estimate


class LabelContrast(Record):
    """One statistic of an external centre minus the same of the internal one.

    Attributes:
        p_holm: corrected over the external centres of one unit, view and statistic.
    """

    by: dict[str, str]
    metric: str
    internal: str
    external: str
    difference: Estimate
    p: FiniteFloat | None
    p_holm: FiniteFloat | None = None


class Discordance(Record):
    """Two predictions of the same items: how often only one of them is right (exact McNemar).

    Attributes:
        among: `all`, `with FINDING` (sensitivity) or `without FINDING` (specificity).
        p_holm: corrected over the pairs of the same kind; null where the test is not one of their family.
    """

    among: str
    items: int
    first_right: int
    second_right: int
    first_only: int
    second_only: int
    p: FiniteFloat
    p_holm: FiniteFloat | None = None


class LabelPair(Record):
    """Two networks, or a network and a reader, on the same items.

    Attributes:
        kind: `two networks`, `a network and a reader` or `two readers`.
        differences: second minus first, by resampling patients. p: of these differences.
        auc: second minus first by DeLong's method; null where one of them gives no scores.
        kappa: agreement of the two with each other, beyond chance.
    """

    by: dict[str, str]
    first: str
    second: str
    kind: str
    items: int
    patients: int
    differences: dict[str, Estimate]
    p: dict[str, FiniteFloat | None]
    discordance: tuple[Discordance, ...]
    auc: Estimate | None = None
    auc_p: FiniteFloat | None = None
    auc_p_holm: FiniteFloat | None = None
    kappa: Estimate


class Flow(Record):
    """What went into a part, counted both ways.

    Attributes:
        other: images known to be none of the labels. unlabelled: neither scored nor counted further.
        rejected: labelled images without a label predicted, by reason.
    """

    by: dict[str, str]
    patients: int
    studies: int
    images: int
    labelled: int
    other: int
    unlabelled: int
    excluded: int
    rejected: dict[str, int]


class Misclassification(Record):
    """An image that was given another label than its own, with the score of the label that it was given."""

    study: str
    image: str
    view: str
    center: str
    reference: str
    label: str
    score: FiniteFloat | None


class LabelScores(Record):
    """What `scores.json` of a classification holds; `worst` are the surest misclassifications."""

    name: str
    task: dict[str, FiniteJson]
    model: dict[str, FiniteJson]
    bootstrap: BootstrapRecord
    flow: tuple[Flow, ...]
    groups: tuple[LabelGroup, ...]
    rejection: tuple[Rejection, ...] = ()
    contrasts: tuple[LabelContrast, ...] = ()
    pairs: tuple[LabelPair, ...] = ()
    worst: tuple[Misclassification, ...] = ()
    others: tuple[LabelScores, ...] = Field(default=(), exclude_if=is_empty)
    notes: tuple[str, ...] = ()

    @property
    def model_name(self) -> str:
        """Of the network or reader."""
        return str(self.model.get("name", "a network"))

    def group(self, **by: str) -> LabelGroup:
        """The group that fixes exactly this.

        Raises:
            KeyError: there is none.
        """
        for group in self.groups:
            if group.by == by:
                return group
        raise KeyError(f"no group {by}")


def read_label_scores(path: Path) -> LabelScores:
    """Read the scores of a classification.

    Raises:
        InputError: the file breaks the format.
    """
    return read_record(path, LabelScores, FORMAT, space=None)


def write_label_scores(path: Path, scores: LabelScores) -> None:
    """Write them atomically."""
    write_json(path, {**file_header(FORMAT, space=None), **scores.model_dump(mode="json")})
