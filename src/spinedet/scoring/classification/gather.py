"""From a manifest of radiographs and readings of it to items that are counted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spinedet.core.errors import InputError
from spinedet.core.radiograph import OTHER, RadiographManifest, RadiographStudy, Task
from spinedet.core.radiograph.readings import ImageReading, LabelReading, Readings, StudyReading
from spinedet.core.radiograph.types import view_of_label
from spinedet.scoring.classification.combine import combine
from spinedet.scoring.classification.items import REJECTED, Items
from spinedet.scoring.classification.records import Flow
from spinedet.scoring.classification.rejection import Novel
from spinedet.scoring.matching.overlaps import Floats, Ints


@dataclass(frozen=True, slots=True)
class LabelledImage:
    """An image of the test: rows of its patient and label; `REJECTED` is none of the labels."""

    study: str
    image: str
    view: str | None
    patient: int
    reference: int


@dataclass(frozen=True, slots=True, eq=False)
class LabelledCohort:
    """The images of a test that have a label, `other` included.

    Attributes:
        patients: P ids. centers: their names. center: (P,) row of each patient's.
        flow: what went in, whole and by centre, without rejections.
    """

    task: Task
    patients: tuple[str, ...]
    centers: tuple[str, ...]
    center: Ints
    images: tuple[LabelledImage, ...]
    flow: tuple[Flow, ...]

    @property
    def positive(self) -> int | None:
        """Row of the finding in a task that has one."""
        return None if self.task.positive is None else self.task.labels.index(self.task.positive)

    @property
    def combines(self) -> bool:
        """Whether several images of a patient have one label: not where labels belong to views."""
        return all(view_of_label(label) is None for label in self.task.labels)


def gather_cohort(manifest: RadiographManifest, split: str | None = None) -> LabelledCohort:
    """The labelled images of a split, or of all studies.

    Raises:
        InputError: there is none.
    """
    studies = [one for one in manifest.studies if one.is_of(split)]
    patients = tuple(dict.fromkeys(study.patient for study in studies if study.used))
    home = {study.patient: study.center for study in studies}
    centers = tuple(sorted({home[patient] for patient in patients}))
    row = {patient: number for number, patient in enumerate(patients)}
    images = tuple(_labelled(studies, manifest.task, row))
    if not any(image.reference != REJECTED for image in images):
        part = "" if split is None else f" with the split {split!r}"
        raise InputError(f"{manifest.name}: no study{part} has an image with a label; nothing can be scored")
    groups = {"": studies, **({name: [s for s in studies if s.center == name] for name in centers})}
    return LabelledCohort(
        task=manifest.task,
        patients=patients,
        centers=centers,
        center=np.array([centers.index(home[patient]) for patient in patients], dtype=np.int64),
        images=images,
        flow=tuple(_flow(part, manifest.task, {"center": name} if name else {}) for name, part in groups.items()),
    )


def _labelled(studies: list[RadiographStudy], task: Task, row: Mapping[str, int]) -> Iterator[LabelledImage]:
    for study in studies:
        for image in study.used:
            label = study.label_of(image, task)
            if label is not None:
                reference = REJECTED if label == OTHER else task.labels.index(label)
                yield LabelledImage(study.id, image.id, image.view, row[study.patient], reference)


def _flow(studies: list[RadiographStudy], task: Task, by: dict[str, str]) -> Flow:
    labels = [study.label_of(image, task) for study in studies for image in study.used]
    return Flow(
        by=by,
        patients=len({study.patient for study in studies if study.used}),
        studies=sum(bool(study.used) for study in studies),
        images=len(labels),
        labelled=sum(label not in (None, OTHER) for label in labels),
        other=labels.count(OTHER),
        unlabelled=labels.count(None),
        excluded=sum(len(study.images) - len(study.used) for study in studies),
        rejected={},
    )


@dataclass(frozen=True, slots=True, eq=False)
class CohortReadings:
    """What one network or reader says of the images of a cohort, in their order, and of its studies.

    Attributes:
        called: (n,) rows of labels, or `REJECTED`. score: (n, L). novelty: (n,); NaN where not told.
        rejected: (n,) reasons, empty where a label is given.
        view: (n,) as the manifest says, or as it was seen.
        studies: readings of whole studies, where there are some.
    """

    cohort: LabelledCohort
    called: Ints
    score: Floats
    novelty: Floats
    rejected: tuple[str, ...]
    view: tuple[str, ...]
    studies: Mapping[str, StudyReading]

    def images(self, view: str | None = None) -> Items:
        """The images of known labels, of one view or of all."""
        cohort = self.cohort
        reference = np.array([image.reference for image in cohort.images])
        items = Items(
            labels=cohort.task.labels,
            centers=cohort.centers,
            center=cohort.center,
            patient=np.array([image.patient for image in cohort.images]),
            reference=reference,
            called=self.called,
            score=self.score,
        )
        if view is None:
            return items.where(reference != REJECTED)
        return _of_labels(items.where((reference != REJECTED) & self._of(view)), cohort.task.labels_of(view))

    def _of(self, view: str) -> NDArray[np.bool_]:
        return np.array([one == view for one in self.view])

    def novel(self, view: str | None = None) -> Novel:
        """The images of known labels and of none, of one view or of all."""
        reference = np.array([image.reference for image in self.cohort.images])
        patient = np.array([image.patient for image in self.cohort.images])
        every = Novel.of(patient, reference, self.called, self.novelty)
        return every if view is None else every.where(self._of(view))

    def patients(self) -> Items:
        """One row for each patient whose images have one label; with a finding, the finding if any image has it."""
        cohort, rows = self.cohort, rows_by_patient(self.cohort)
        found = [(patient, label, members) for patient, (label, members) in rows.items() if label is not None]
        predicted = [self._together(np.array(members)) for _, _, members in found]
        width = len(cohort.task.labels)
        return Items(
            labels=cohort.task.labels,
            centers=cohort.centers,
            center=cohort.center,
            patient=np.array([patient for patient, _, _ in found], dtype=np.int64),
            reference=np.array([label for _, label, _ in found], dtype=np.int64),
            called=np.array([called for called, _ in predicted], dtype=np.int64),
            score=np.array([score for _, score in predicted]).reshape(-1, width),
        )

    def _together(self, members: Ints) -> tuple[int, Floats]:
        studies = {self.cohort.images[row].study for row in members.tolist()}
        own = self.studies.get(studies.pop()) if len(studies) == 1 else None
        if own is not None:
            return _row_and_scores(own, self.cohort.task)
        one = combine(self.called[members], self.score[members], self.cohort.positive)
        return one.called, one.score

    def flow(self) -> tuple[Flow, ...]:
        """What went in, with the labelled images that were given no label, by reason."""
        known = [row for row, image in enumerate(self.cohort.images) if image.reference != REJECTED]
        home = self.cohort.center

        def reasons(center: str | None) -> dict[str, int]:
            rows = [
                row
                for row in known
                if center is None or self.cohort.centers[home[self.cohort.images[row].patient]] == center
            ]
            return dict(Counter(self.rejected[row] for row in rows if self.called[row] == REJECTED))

        return tuple(part.model_copy(update={"rejected": reasons(part.by.get("center"))}) for part in self.cohort.flow)


def _of_labels(items: Items, labels: tuple[str, ...]) -> Items:
    """The same with fewer labels; a prediction that is none of them is a miss of its label and no more."""
    columns = [items.labels.index(label) for label in labels]
    rows = np.full(len(items.labels) + 1, REJECTED)
    rows[columns] = np.arange(len(columns))
    return Items(
        labels=labels,
        centers=items.centers,
        center=items.center,
        patient=items.patient,
        reference=rows[items.reference],
        called=rows[items.called],
        score=items.score[:, columns],
    )


def rows_by_patient(cohort: LabelledCohort) -> dict[int, tuple[int | None, list[int]]]:
    """Rows of the images of known labels by patient, with the patient's label; None where the images disagree."""
    members: dict[int, list[int]] = {}
    for row, image in enumerate(cohort.images):
        if image.reference != REJECTED:
            members.setdefault(image.patient, []).append(row)
    return {patient: (_patient_label(cohort, rows), rows) for patient, rows in members.items()}


def _patient_label(cohort: LabelledCohort, rows: list[int]) -> int | None:
    labels = {cohort.images[row].reference for row in rows}
    if cohort.positive in labels:
        return cohort.positive
    return labels.pop() if len(labels) == 1 else None


def gather_readings(cohort: LabelledCohort, readings: Readings, source: str) -> CohortReadings:
    """The readings of every image of a cohort.

    Raises:
        InputError: an image is not among the readings.
    """
    studies = {study.id: study for study in readings.studies}
    known = {(study.id, image.id): image for study in readings.studies for image in study.images}
    found: list[ImageReading] = []
    for one in cohort.images:
        if (one.study, one.image) not in known:
            missing = f"image {one.image!r}" if one.study in studies else "the study"
            raise InputError(
                f"{source}: study {one.study!r}: {missing} is not among the readings; an image that was not read is "
                "written with the reason under rejected, so that it is counted"
            )
        found.append(known[one.study, one.image])
    predicted = [_row_and_scores(one, cohort.task) for one in found]
    return CohortReadings(
        cohort=cohort,
        called=np.array([called for called, _ in predicted], dtype=np.int64),
        score=np.stack([score for _, score in predicted]),
        novelty=np.array([np.nan if one.novelty is None else one.novelty for one in found]),
        rejected=tuple(one.rejected or "" for one in found),
        view=tuple(image.view or one.view or "" for image, one in zip(cohort.images, found, strict=True)),
        studies={name: study for name, study in studies.items() if study.read_whole},
    )


def _row_and_scores(reading: LabelReading, task: Task) -> tuple[int, Floats]:
    """Row of the label, and scores; labels of other views have none, which is 0. Without a label the highest counts."""
    score = np.full(len(task.labels), np.nan)
    if reading.scores:
        score = np.array([reading.scores.get(label, 0.0) for label in task.labels])
    if reading.label is not None:
        return task.labels.index(reading.label), score
    return REJECTED if reading.rejected is not None else int(score.argmax()), score
