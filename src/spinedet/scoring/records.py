"""The records of `scores.json`."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from pydantic import Field, FiniteFloat, SerializerFunctionWrapHandler, model_serializer

from spinedet.core.files import file_header, read_record, write_json
from spinedet.core.types import FiniteJson, Record, TrainedOn, is_empty, is_none
from spinedet.scoring.participants import Participants
from spinedet.scoring.statistics.bootstrap import BootstrapRecord
from spinedet.scoring.thresholds import AppliedThresholds, FrozenThresholds

FORMAT = "spinedet-scores"


class Estimate(Record):
    """A number with its interval; an undefined one is null with the reason.

    Attributes:
        undefined_replicates: how many bootstrap replicates had no value; the interval rests on the others.
        degenerate: all replicates equal the value, so the interval says nothing of the uncertainty.
    """

    value: FiniteFloat | None = None
    low: FiniteFloat | None = None
    high: FiniteFloat | None = None
    reason: str | None = None
    undefined_replicates: int = 0
    degenerate: bool = False

    @model_serializer(mode="wrap")
    def _brief(self, dump: SerializerFunctionWrapHandler) -> dict[str, Any]:
        content: dict[str, Any] = dump(self)
        silent = {"reason": None, "undefined_replicates": 0, "degenerate": False}
        return {key: value for key, value in content.items() if key not in silent or value != silent[key]}


class FrocPoint(Record):
    """Sensitivity at one rate of false positives per scan."""

    fp_per_scan: FiniteFloat
    sensitivity: Estimate


class BestF1(Estimate):
    """The highest F1 over all thresholds: an upper bound that describes, never a result."""

    threshold: FiniteFloat | None = None


class Counts(Record):
    """What a group holds; a series is a scan. Lesions to be ignored are not among the lesions."""

    patients: int
    studies: int
    series: int
    lesions: int
    findings: int
    ignored_lesions: int
    absorbed_findings: int
    lesion_free_series: int
    lesions_per_scan: FiniteFloat


class Performance(Record):
    """All numbers of some findings under one criterion.

    Attributes:
        tp, fp, fn, precision, recall, f1, fp_per_scan: at the frozen threshold.
        duplicates: those of the false positives that touch a lesion which a better finding took.
        ap: 101-point average precision, the mean over the `ap_categories` categories that have lesions.
    """

    criterion: dict[str, FiniteJson]
    tp: int
    fp: int
    fn: int
    duplicates: int
    precision: Estimate
    recall: Estimate
    f1: Estimate
    f1_max: BestF1
    fp_per_scan: Estimate
    fp_per_lesion_free_scan: Estimate
    froc: tuple[FrocPoint, ...]
    cpm: Estimate
    ap: Estimate
    ap_step: Estimate
    ap_categories: int


class PatientLevel(Record):
    """Has this patient any lesion? Patients whose only lesions are to be ignored are left out."""

    diseased: int
    healthy: int
    sensitivity: Estimate
    specificity: Estimate
    auc: Estimate


class MacroMicro(Record):
    """Several categories together: means over those with lesions, and the average precision of all pooled."""

    macro_precision: Estimate
    macro_recall: Estimate
    macro_f1: Estimate
    macro_cpm: Estimate
    micro_ap: Estimate


class SeverityAgreement(Record):
    """Do the predicted grades of hits agree with those of the lesions they hit, at the frozen threshold?

    Attributes:
        hits: with a grade on both sides. mae: mean absolute difference.
        kappa: with quadratic weights, of grades rounded to whole ones. spearman: rank correlation.
    """

    hits: int
    kappa: Estimate
    spearman: Estimate
    mae: Estimate


class RiskPoint(Record):
    """Error among the patients that are named from a posterior of `threshold` on; the interval is exact binomial."""

    threshold: FiniteFloat
    named: int
    wrong: int
    coverage: FiniteFloat
    error: Estimate


class LevelNaming(Record):
    """Are the levels that hits name those of the lesions they hit, at the frozen threshold?

    Attributes:
        right, wrong, unresolved: hits whose lesion has a level.
        patients: with such hits; named: with a named one; wrong_patients: with one that is named wrongly.
        error: share of wrong among named patients; coverage: share of named ones. Intervals are exact binomial.
        forced: share of patients with right names alone if every scan is named by its likeliest outcome; who then has
            no name counts as wrong.
        curve: error over coverage as the threshold on the posterior falls; empty where findings give no posterior.
        area: under that curve, the mean error over all numbers of named patients.
    """

    right: int
    wrong: int
    unresolved: int
    patients: int
    named: int
    wrong_patients: int
    error: Estimate
    coverage: Estimate
    forced: Estimate = Estimate(reason="not computed")
    area: Estimate = Estimate(reason="not computed")
    curve: tuple[RiskPoint, ...] = ()


class StratumScore(Record):
    """Sensitivity for one kind of lesion, at the thresholds that are common to all kinds."""

    by: dict[str, FiniteJson]
    lesions: int
    tp: int
    recall: Estimate
    froc: tuple[FrocPoint, ...]


class Group(Performance):
    """One part of the cohort; `by` names only what it fixes.

    Attributes:
        interval: `percentile`, `bca`, or `none`.
        secondary: the same under other criteria.
        strata: kinds of lesions; given for everything and for every plane.
        severity: absent from the file where no finding has a grade. levels: where none names a level.
    """

    by: dict[str, FiniteJson]
    n: Counts
    interval: str
    patient: PatientLevel
    categories: MacroMicro | None = None
    secondary: tuple[Performance, ...] = ()
    strata: tuple[StratumScore, ...] = ()
    severity: SeverityAgreement | None = Field(default=None, exclude_if=is_none)
    levels: LevelNaming | None = Field(default=None, exclude_if=is_none)


class CenterEstimate(Record):
    """One row of a forest plot."""

    center: str
    lesions: int
    estimate: Estimate


class Forest(Record):
    """One statistic over centres: random effects, and how much the centres differ beyond chance.

    Attributes:
        pooled, low, high: the random-effects mean with its interval, transformed back to the statistic's own scale.
        tau: standard deviation between centres. q, p: Cochran's test. i2: share of variation not due to chance.
        scale: on which centres were pooled, `logit` or (files of earlier versions) `linear`; tau and q are on it too.
        corrected: centres at 0, at 1 or without variation between replicates, which enter with a continuity correction.
        left_out: centres where the statistic is undefined.
    """

    by: dict[str, FiniteJson]
    metric: str
    centers: tuple[CenterEstimate, ...]
    pooled: FiniteFloat
    low: FiniteFloat
    high: FiniteFloat
    tau: FiniteFloat
    q: FiniteFloat
    p: FiniteFloat
    i2: FiniteFloat
    scale: Literal["linear", "logit"] = "linear"
    corrected: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()


class Bin(Record):
    """Findings of neighbouring scores: what the score promised and what came."""

    low: FiniteFloat
    high: FiniteFloat
    findings: int
    score: FiniteFloat
    hits: Estimate


class Calibration(Record):
    """Whether a score is the chance of being a hit.

    Attributes:
        temperature: by which the logits were divided; 1 for the scores as they are.
        bins: of about equally many findings.
        ece: mean distance between score and share of hits over the bins.
        reason: why there is nothing.
    """

    by: dict[str, FiniteJson]
    temperature: FiniteFloat = 1.0
    bins: tuple[Bin, ...] = ()
    brier: Estimate
    ece: Estimate
    reason: str | None = None


class Contrast(Record):
    """One statistic at an external centre minus the same at the internal one; the patients are different people.

    Attributes:
        external: a centre, or `all others` pooled.
        p_holm: corrected over the single centres of one plane and statistic.
    """

    by: dict[str, FiniteJson]
    metric: str
    internal: str
    external: str
    difference: Estimate
    p: FiniteFloat | None
    p_holm: FiniteFloat | None = None


class CenterGap(Record):
    """One or several centres in one plane against the internal centres, at the operating point.

    Attributes:
        centers: taken together. internal: whether these are the internal centres themselves.
        change: F1, recall and precision minus those of the internal centres; empty for those themselves. The two sides
            have no patient in common; intervals are percentiles of the differences between replicates.
    """

    plane: str
    centers: tuple[str, ...]
    internal: bool
    scans: int
    lesions: int
    f1: Estimate
    change: dict[str, Estimate]


class AtThreshold(Record):
    """What one threshold gives."""

    threshold: FiniteFloat
    f1: Estimate
    precision: Estimate
    recall: Estimate


class AdaptedThreshold(Record):
    """A threshold from a centre's unlabelled scores beside the frozen one, see `adaptation.adapted_thresholds`.

    Attributes:
        tuning_share, share: of hits among the findings, on the tuning data and as estimated here.
        change: F1 at the adapted threshold minus F1 at the frozen one.
    """

    center: str
    plane: str
    category: str
    findings: int
    tuning_share: FiniteFloat
    share: FiniteFloat
    frozen: AtThreshold
    adapted: AtThreshold
    change: Estimate


class DegradationPoint(Record):
    """A test on images degraded by so much, at the frozen threshold.

    Attributes:
        skipped: studies that could not be read any more; they count as without findings.
    """

    strength: FiniteFloat
    f1: Estimate
    recall: Estimate
    ap: Estimate
    skipped: int = 0


class DegradationCurve(Record):
    """One degradation in one plane; strengths rise from 0, the test itself."""

    plane: str
    degradation: str
    unit: str
    points: tuple[DegradationPoint, ...]


class HalfWidth(Record):
    """Half the width of the interval that a test of so many patients has reached."""

    by: dict[str, FiniteJson]
    metric: str
    patients: int
    value: FiniteFloat


class SampleSize(Record):
    """Patients that a test needs, see `sample_size.sample_sizes`.

    Attributes:
        half_width: wanted. patients: needed; None with a reason. expected: half-width with so many.
        pilot_patients, pilot_half_width: of the data that this rests on.
    """

    by: dict[str, FiniteJson]
    metric: str
    half_width: FiniteFloat
    patients: int | None = None
    expected: FiniteFloat | None = None
    pilot_patients: int
    pilot_half_width: FiniteFloat | None = None
    reason: str | None = Field(default=None, exclude_if=is_none)


class Scores(Record):
    """What `scores.json` holds.

    Attributes:
        trained_on: copied from the findings. participants: who was tested; absent in files of earlier
            versions.
    """

    name: str = ""
    model: dict[str, FiniteJson]
    trained_on: TrainedOn | None = Field(default=None, exclude_if=is_none)
    criterion: dict[str, FiniteJson]
    threshold: AppliedThresholds
    bootstrap: BootstrapRecord
    froc: str = "step"
    groups: tuple[Group, ...]
    forests: tuple[Forest, ...] = ()
    contrasts: tuple[Contrast, ...] = ()
    center_gaps: tuple[CenterGap, ...] = ()
    calibration: tuple[Calibration, ...] = ()
    adapted: tuple[AdaptedThreshold, ...] = Field(default=(), exclude_if=is_empty)
    participants: tuple[Participants, ...] = Field(default=(), exclude_if=is_empty)
    half_widths: tuple[HalfWidth, ...] = Field(default=(), exclude_if=is_empty)
    sample_sizes: tuple[SampleSize, ...] = Field(default=(), exclude_if=is_empty)
    robustness: tuple[DegradationCurve, ...] = Field(default=(), exclude_if=is_empty)
    not_read: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def operating_point_sha256(self) -> str | None:
        """Digest of the operating point that was applied; None where there was none."""
        return self.threshold.sha256 if isinstance(self.threshold, FrozenThresholds) else None

    @property
    def banner(self) -> tuple[str, ...]:
        """What a reader must know before the numbers, and what is known of the detector's training."""
        return (*self.notes, *(self.trained_on.sentences if self.trained_on else ()))

    def group(self, **by: str) -> Group:
        """The group that fixes exactly this.

        Raises:
            KeyError: there is none.
        """
        for group in self.groups:
            if group.by == by:
                return group
        raise KeyError(f"no group {by}")


def read_scores(path: Path) -> Scores:
    """Read `scores.json`.

    Raises:
        InputError: the file breaks the format.
    """
    return read_record(path, Scores, FORMAT)


def write_scores(path: Path, scores: Scores) -> None:
    """Write `scores.json` atomically."""
    write_json(path, {**file_header(FORMAT), **scores.model_dump(mode="json")})
