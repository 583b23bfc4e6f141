"""The scores of readings: every part of a test, centres, rejection, and networks and readers beside each other."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import combinations

import numpy as np

from spinedet.core.errors import InputError
from spinedet.core.radiograph import RadiographManifest, phantom_note
from spinedet.core.radiograph.readings import Readings, check_readings
from spinedet.scoring.classification.evaluate import Resampling, score_group
from spinedet.scoring.classification.gather import CohortReadings, LabelledCohort, gather_cohort, gather_readings
from spinedet.scoring.classification.items import REJECTED, Items
from spinedet.scoring.classification.pairs import Predicted, compare_predictions, contrast_centers, corrected
from spinedet.scoring.classification.records import (
    LabelContrast,
    LabelGroup,
    LabelPair,
    LabelScores,
    Misclassification,
    Rejection,
)
from spinedet.scoring.classification.rejection import score_rejection
from spinedet.scoring.statistics.bootstrap import BootstrapSettings

WORST = 12


@dataclass(frozen=True, slots=True)
class Contestant:
    """Readings with the file that they come from, for messages."""

    readings: Readings
    source: str


@dataclass(frozen=True, slots=True)
class LabelSettings:
    """What is scored.

    Attributes:
        split: train, tune or test; all studies when None. internal: the centre that the others are compared with.
    """

    split: str | None = None
    internal: str | None = None
    bootstrap: BootstrapSettings = field(default_factory=BootstrapSettings)


@dataclass(frozen=True, slots=True, eq=False)
class _Test:
    cohort: LabelledCohort
    sampling: Resampling
    settings: LabelSettings
    name: str
    notes: tuple[str, ...]

    @property
    def finding(self) -> str | None:
        return self.cohort.task.positive


def score_readings(
    manifest: RadiographManifest, first: Contestant, others: Sequence[Contestant], settings: LabelSettings
) -> LabelScores:
    """The scores of the first, and of the others beside it; human readers among them are told by their model's kind.

    Raises:
        InputError: nothing is labelled; readings that do not go with the manifest; no such internal centre.
    """
    cohort = gather_cohort(manifest, settings.split)
    if settings.internal is not None and settings.internal not in cohort.centers:
        raise InputError(f"internal={settings.internal}: the studies scored come from {', '.join(cohort.centers)}")
    sampling = Resampling.over(cohort.centers, cohort.center, settings.bootstrap)
    studies = [study for study in manifest.studies if study.is_of(settings.split)]
    test = _Test(cohort, sampling, settings, manifest.name, phantom_note(studies))
    everyone = (first, *others)
    for one in everyone:
        check_readings(one.readings, manifest, one.source)
    read = [gather_readings(cohort, one.readings, one.source) for one in everyone]
    scores = [_score(test, one.readings, found) for one, found in zip(everyone, read, strict=True)]
    pairs = _pairs(test, [one.readings for one in everyone], read)
    return scores[0].model_copy(update={"pairs": pairs, "others": tuple(scores[1:])})


def _score(test: _Test, readings: Readings, read: CohortReadings) -> LabelScores:
    return LabelScores(
        name=test.name,
        task=test.cohort.task.model_dump(mode="json"),
        model=readings.model,
        bootstrap=test.settings.bootstrap.record,
        flow=read.flow(),
        groups=tuple(_groups(test, read)),
        rejection=tuple(_rejections(test, read)),
        contrasts=tuple(_contrasts(test, read)),
        worst=_worst(read),
        notes=test.notes,
    )


def _worst(read: CohortReadings) -> tuple[Misclassification, ...]:
    """The surest misclassifications, first those with scores."""
    cohort, found = read.cohort, []
    for row, image in enumerate(cohort.images):
        called = int(read.called[row])
        if called in (image.reference, REJECTED) or image.reference == REJECTED:
            continue
        score = float(read.score[row, called])
        found.append(
            Misclassification(
                study=image.study,
                image=image.image,
                view=read.view[row],
                center=cohort.centers[cohort.center[image.patient]],
                reference=cohort.task.labels[image.reference],
                label=cohort.task.labels[called],
                score=None if np.isnan(score) else score,
            )
        )
    return tuple(sorted(found, key=lambda one: -(one.score or 0.0))[:WORST])


def _parts(test: _Test, read: CohortReadings) -> Iterator[tuple[dict[str, str], Items]]:
    """Patients with their images together, and the images of each view."""
    if test.cohort.combines:
        yield {"unit": "patient"}, read.patients()
    for view in test.cohort.task.views:
        items = read.images(view)
        if len(items):
            yield {"unit": "image", "view": view}, items


def _groups(test: _Test, read: CohortReadings) -> Iterator[LabelGroup]:
    for by, items in _parts(test, read):
        yield score_group(items, by, test.sampling, _finding(test, items))
        present = _centers(items)
        for center in present if len(present) > 1 else ():
            yield score_group(items.at([center]), {**by, "center": center}, test.sampling, _finding(test, items))


def _finding(test: _Test, items: Items) -> str | None:
    return test.finding if test.finding in items.labels else None


def _centers(items: Items) -> list[str]:
    return [items.centers[row] for row in np.unique(items.center[items.patient]).tolist()]


def _rejections(test: _Test, read: CohortReadings) -> Iterator[Rejection]:
    if np.isnan(read.novelty).all() and all(image.reference >= 0 for image in test.cohort.images):
        return
    for view in test.cohort.task.views:
        images = read.novel(view)
        if len(images.known):
            yield score_rejection(images, {"view": view}, test.sampling)


def _contrasts(test: _Test, read: CohortReadings) -> Iterator[LabelContrast]:
    if test.settings.internal is None:
        return
    for by, items in _parts(test, read):
        yield from contrast_centers(items, by, test.settings.internal, test.sampling, _finding(test, items))


def _pairs(test: _Test, readings: Sequence[Readings], read: Sequence[CohortReadings]) -> tuple[LabelPair, ...]:
    found: list[LabelPair] = []
    # Where the manifest does not know the view of an image, all are compared under the one that the first has seen.
    same = [replace(one, view=read[0].view) for one in read]
    for parts in zip(*(list(_parts(test, one)) for one in same), strict=True):
        by = parts[0][0]
        sides = [Predicted(one.name, items, one.by_reader) for one, (_, items) in zip(readings, parts, strict=True)]
        for first, second in combinations(sides, 2):
            found.append(compare_predictions(first, second, by, test.sampling, _finding(test, first.items)))
    return corrected(found, test.finding)
