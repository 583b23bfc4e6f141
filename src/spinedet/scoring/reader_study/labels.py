"""Readings of radiographs by several people: figures of merit, what they took over from a program, and time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, median

import numpy as np
from numpy.typing import NDArray

from spinedet.core.errors import InputError
from spinedet.core.radiograph import RadiographManifest
from spinedet.core.radiograph.readings import ImageReading, Readings, check_readings
from spinedet.scoring.classification.counts import LabelCounts, label_counts, of_label
from spinedet.scoring.classification.gather import (
    CohortReadings,
    LabelledCohort,
    gather_cohort,
    gather_readings,
    rows_by_patient,
)
from spinedet.scoring.classification.items import REJECTED, Items
from spinedet.scoring.matching.overlaps import Floats, Ints
from spinedet.scoring.reader_study.effects import (
    AIDED,
    PROGRAM,
    UNAIDED,
    Figure,
    MeasuredReading,
    Reading,
    analyses,
    jackknifed_share,
    measure,
)
from spinedet.scoring.reader_study.figures_of_merit import PatientShares, RatedEntries
from spinedet.scoring.reader_study.records import AidedLabels, Analysis, ReadingTime

LABEL_UNITS = ("patient", "image")
SENSITIVITY, SPECIFICITY, AUC = "sensitivity", "specificity", "auc"
# Of tasks with a finding alone.
_OF_A_FINDING = (AUC, SENSITIVITY, SPECIFICITY)
LABEL_FIGURES = {
    "accuracy": "accuracy: {unit}s that were given the label of the reference",
    "balanced_accuracy": "balanced accuracy: mean over labels of the {unit}s that were given their label",
    "macro_f1": "macro F1: mean of F1 over labels, by {unit}",
    SENSITIVITY: "sensitivity: {unit}s with {finding} that were called so",
    SPECIFICITY: "specificity: {unit}s without {finding} that were called so",
    AUC: "AUC: area under the ROC curve, the rating of {unit}s with {finding} against that of those without",
}
RIGHT_LABEL = "A label is right when it is that of the reference; no answer is wrong"


@dataclass(frozen=True)
class LabelReading:
    """Somebody's readings; the threshold is that from which the program's score is the finding, its own when None."""

    reader: str
    condition: str
    readings: Readings
    source: str
    sha256: str = ""
    threshold: float | None = None


@dataclass(frozen=True)
class LabelReaderSettings:
    """How readings of radiographs are analysed.

    Attributes:
        figure: one of `LABEL_FIGURES`. unit: `patient` or `image`. split: all studies when None.
    """

    figure: str = AUC
    unit: str = "patient"
    split: str | None = None
    confidence: float = 0.95


@dataclass(frozen=True, eq=False)
class GatheredReading:
    """A reading beside the reference: of every image, of the cases that count, and its figure of merit.

    Attributes:
        images: as they were read, in the order of the cohort. rated_by: `score`, `confidence` or `label`, or empty
            where nothing was answered.
    """

    given: LabelReading
    read: CohortReadings
    images: tuple[ImageReading, ...]
    items: Items
    rated_by: str
    measured: MeasuredReading

    @property
    def unanswered(self) -> int:
        """Cases without an answer."""
        return int((self.items.called == REJECTED).sum())


@dataclass(frozen=True, eq=False)
class LabelFigure:
    """A share of labels over patients."""

    counts: LabelCounts
    statistic: str

    def value(self, weights: Floats) -> Floats:
        """The share, (B,), for patient weights (P, B)."""
        return self.counts.measure(weights)[self.statistic]


def check_label_figure(manifest: RadiographManifest, settings: LabelReaderSettings) -> None:
    """Refuse a figure or unit that readings of this task do not have.

    Raises:
        InputError: names what there is.
    """
    task, figures = manifest.task, [*LABEL_FIGURES]
    if task.positive is None:
        figures = [name for name in figures if name not in _OF_A_FINDING]
    if settings.figure not in figures:
        why = f"; the task {task.name!r} has no finding (positive)" if settings.figure in LABEL_FIGURES else ""
        raise InputError(f"fom={settings.figure}: for these radiographs use one of {', '.join(figures)}{why}")
    if settings.unit not in LABEL_UNITS:
        raise InputError(f"unit={settings.unit}: for radiographs use {' or '.join(LABEL_UNITS)}")


def describe_label_figure(manifest: RadiographManifest, settings: LabelReaderSettings) -> dict[str, str]:
    """The figure of merit as files state it."""
    words = LABEL_FIGURES[settings.figure].format(unit=settings.unit, finding=manifest.task.positive)
    return {"name": settings.figure, "description": words}


def gather_label_readings(
    manifest: RadiographManifest, given: Sequence[LabelReading], settings: LabelReaderSettings
) -> list[GatheredReading]:
    """Every reading beside the reference labels; all must hold every labelled image.

    Raises:
        InputError: as `radiograph.score`; labels belong to views and the unit is a patient; confidences of one reader
            are on different scales; or the figure of merit is undefined.
    """
    check_label_figure(manifest, settings)
    cohort = gather_cohort(manifest, settings.split)
    if settings.unit == "patient" and not cohort.combines:
        raise InputError(f"the labels of the task {cohort.task.name!r} belong to views; use unit=image")
    if cohort.positive is None and any(one.threshold is not None for one in given):
        raise InputError(f"model_threshold= needs a task with a finding, and {cohort.task.name!r} has none (positive)")
    for one in given:
        check_readings(one.readings, manifest, one.source)
    return [_gathered(cohort, one, settings) for one in given]


def _gathered(cohort: LabelledCohort, one: LabelReading, settings: LabelReaderSettings) -> GatheredReading:
    read = gather_readings(cohort, one.readings, one.source)
    by_id = {(study.id, image.id): image for study in one.readings.studies for image in study.images}
    images = tuple(by_id[image.study, image.image] for image in cohort.images)
    items = read.patients() if settings.unit == "patient" else read.images()
    if one.threshold is not None and cohort.positive is not None:
        items = items.thresholded(cohort.positive, one.threshold)
    kind = _rated_by(images, one.source) if settings.figure == AUC else ""
    members, patient = np.unique(items.patient, return_inverse=True)
    if settings.figure == AUC:
        ratings = _ratings(read, images, items, settings.unit)
        ill = items.reference == cohort.positive
        figure: Figure = RatedEntries(ratings, ill, np.ones(len(items)), patient, len(members))
    else:
        figure = LabelFigure(label_counts(items), _statistic(settings.figure, items, cohort))
    who = Reading(one.reader, one.condition, one.sha256, int((read.called != REJECTED).sum()))
    measured = measure(who, figure, len(members), items.called == items.reference)
    if measured is None:
        raise InputError(
            f"{one.source}: fom={settings.figure} is undefined: it needs at least two patients with each label that "
            "it is about; choose another fom="
        )
    return GatheredReading(one, read, images, items, kind, measured)


def _statistic(figure: str, items: Items, cohort: LabelledCohort) -> str:
    if figure not in (SENSITIVITY, SPECIFICITY) or cohort.positive is None:
        return figure
    row = cohort.positive if figure == SENSITIVITY else 1 - cohort.positive
    return of_label("recall", items.labels[row])


def _rated_by(images: Sequence[ImageReading], source: str) -> str:
    """On which scale answers are graded.

    Raises:
        InputError: some are graded and others are not.
    """
    kinds = {_scale(one): one.id for one in images if one.rejected is None}
    if len(kinds) > 1:
        raise InputError(
            f"{source}: answers are graded by {' and by '.join(sorted(kinds))}, which no curve can hold together; give "
            "every answer a confidence (1 to 5), or take another fom="
        )
    return next(iter(kinds), "")


def _scale(one: ImageReading) -> str:
    return "score" if one.scores else "confidence" if one.confidence is not None else "label"


def _ratings(read: CohortReadings, images: Sequence[ImageReading], items: Items, unit: str) -> Floats:
    """How much each case speaks for the finding: (n,); no answer is rated as the worst wrong one.

    A person's rating is the confidence, negative for a label that is not the finding; of a patient the highest of the
    images. The score of a network is that which its label rests on.
    """
    cohort = read.cohort
    positive = cohort.positive or 0
    finding = cohort.task.labels[positive]
    each = np.array([_rating(one, finding) for one in images])
    known = [row for row, image in enumerate(cohort.images) if image.reference != REJECTED]
    if unit == "patient":
        groups = [rows for label, rows in rows_by_patient(cohort).values() if label is not None]
        found = np.array([np.fmax.reduce(each[rows], initial=-np.inf) for rows in groups])
    else:
        found = each[known]
    scored = items.scored
    found = np.where(scored, items.score[:, positive], found)
    wrong = np.where(items.reference == positive, -np.inf, np.inf)
    return np.where(items.called == REJECTED, wrong, found)


def _rating(one: ImageReading, finding: str) -> float:
    if one.rejected is not None or one.label is None:
        return np.nan
    return (one.confidence or 1) * (1.0 if one.label == finding else -1.0)


# --- with the program's help ---


def aided_labels(gathered: Sequence[GatheredReading], confidence: float) -> Iterator[AidedLabels]:
    """For each reader with the program's labels at hand: which of them were taken over, and what changed."""
    program = next((one for one in gathered if one.given.condition == PROGRAM), None)
    before = {one.given.reader: one for one in gathered if one.given.condition == UNAIDED}
    for one in gathered:
        if one.given.condition == AIDED and program is not None:
            yield _aided(one, before[one.given.reader], program, confidence)


def _aided(
    aided: GatheredReading, unaided: GatheredReading, program: GatheredReading, confidence: float
) -> AidedLabels:
    ours, mine, first = program.items, aided.items, unaided.items
    answered, right = ours.called != REJECTED, ours.called == ours.reference
    same = mine.called == ours.called
    was_right, is_right = first.called == first.reference, mine.called == mine.reference
    members, patient = np.unique(ours.patient, return_inverse=True)

    def share(among: NDArray[np.bool_], which: NDArray[np.bool_]) -> PatientShares:
        above, below = (_by_patient(patient[rows], len(members)) for rows in (among & which, among))
        return PatientShares(above, below)

    wrong = answered & ~right
    return AidedLabels(
        reader=aided.given.reader,
        program_right=int(right.sum()),
        right_followed=int((right & same).sum()),
        program_wrong=int(wrong.sum()),
        wrong_followed=int((wrong & same).sum()),
        wrong_taken_over=int((wrong & same & was_right).sum()),
        gained=int((~was_right & is_right).sum()),
        lost=int((was_right & ~is_right).sum()),
        false_accepted=jackknifed_share(share(wrong, same), confidence, "the program gave no wrong label"),
        true_rejected=jackknifed_share(share(right, ~same), confidence, "the program gave no right label"),
    )


def _by_patient(patient: Ints, patients: int) -> Floats:
    return np.bincount(patient, minlength=patients).astype(np.float64)


# --- time ---


def reading_times(gathered: Sequence[GatheredReading]) -> Iterator[ReadingTime]:
    """Seconds per image of each reader, where they were recorded."""
    for one in gathered:
        seconds = [image.seconds for image in one.images if image.seconds is not None]
        if seconds and one.given.condition != PROGRAM:
            yield ReadingTime(
                reader=one.given.reader,
                condition=one.given.condition,
                images=len(one.images),
                timed=len(seconds),
                mean=fmean(seconds),
                median=median(seconds),
            )


def time_analyses(gathered: Sequence[GatheredReading], confidence: float) -> tuple[Analysis, ...]:
    """Mean seconds per image as a figure of merit; empty unless every image of every reader has its time.

    Means, because the jackknife is wrong for medians.
    """
    people = [one for one in gathered if one.given.condition != PROGRAM]
    if any(image.seconds is None for one in people for image in one.images):
        return ()
    timed = [_timed(one) for one in people]
    return tuple(analyses([one for one in timed if one is not None], confidence)) if None not in timed else ()


def _timed(one: GatheredReading) -> MeasuredReading | None:
    _, patient = np.unique([image.patient for image in one.read.cohort.images], return_inverse=True)
    seconds = np.array([image.seconds for image in one.images], dtype=np.float64)
    patients = int(patient.max()) + 1
    total = np.bincount(patient, seconds, minlength=patients).astype(np.float64)
    shares = PatientShares(total, _by_patient(patient, patients))
    return measure(one.measured.who, shares, patients, one.measured.right)


def cases_by_label(one: GatheredReading) -> Mapping[str, int]:
    """How many cases have each label."""
    counts = np.bincount(one.items.reference, minlength=len(one.items.labels)).tolist()
    return dict(zip(one.items.labels, counts, strict=True))
