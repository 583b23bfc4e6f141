"""The operating point of the tuning images, and readings of images under it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spinedet.core.radiograph import Task
from spinedet.core.radiograph.readings import ImageReading, Readings, StudyReading
from spinedet.core.radiograph.types import view_of_label
from spinedet.core.types import FiniteJson
from spinedet.radiograph.classifier import ImageClassifier, Outputs, Part
from spinedet.radiograph.images import PreparedImage
from spinedet.radiograph.settings import RejectionConfig
from spinedet.radiograph.single_vertebrae import read_part
from spinedet.scoring.classification.combine import combine
from spinedet.scoring.classification.items import REJECTED
from spinedet.scoring.classification.operating_point import LabelOperatingPoint, PartPoint
from spinedet.scoring.classification.roc import placements
from spinedet.scoring.classification.thresholds import (
    LabelRule,
    choose_threshold,
    fit_label_temperature,
    novelty_limit,
    tempered,
)
from spinedet.scoring.operating_point import study_hash

UNLIKE = "unlike the training images"
NO_VIEW = "the view is not known"


@dataclass(frozen=True, slots=True, eq=False)
class _Output:
    """Images that a network has read, and its outputs."""

    part: Part
    images: tuple[PreparedImage, ...]
    outputs: Outputs


def _read(classifier: ImageClassifier, images: Sequence[PreparedImage]) -> list[_Output]:
    """By network, those that are fit to be read."""
    found = []
    for part in classifier.parts:
        own = tuple(one for one in images if one.rejected is None and classifier.part_for(one.view) is part)
        found.append(_Output(part, own, read_part(classifier, part, own)))
    return found


def choose_label_operating_point(
    classifier: ImageClassifier, tuning: Sequence[PreparedImage], rule: str, rejection: RejectionConfig
) -> LabelOperatingPoint:
    """Freeze temperature, threshold and rejection of every network on tuning images.

    Raises:
        InputError: no such rule.
    """
    wanted = LabelRule.parse(rule)
    task = classifier.task
    return LabelOperatingPoint(
        task=task.model_dump(mode="json"),
        rule=str(wanted) if task.positive else None,
        parts=tuple(_point(output, task, wanted, rejection) for output in _read(classifier, tuning)),
        chosen_on=tuple(sorted({study_hash(one.study) for one in tuning})),
    )


def _point(output: _Output, task: Task, rule: LabelRule, rejection: RejectionConfig) -> PartPoint:
    part, images, outputs = output.part, output.images, output.outputs
    known = np.array([one.known for one in images], dtype=bool)
    reference = np.array([part.labels.index(task.labels[one.label or 0]) for one in images if one.known], dtype=int)
    probability = outputs.probability[known]
    temperature = fit_label_temperature(probability, reference) or 1.0
    point = PartPoint(
        part=part.name,
        images=int(known.sum()),
        patients=len({one.patient for one in images if one.known}),
        temperature=temperature,
    ).model_copy(update=_rejection(images, outputs.novelty, rejection))
    if task.positive is None or not len(reference):
        return point
    row = part.labels.index(task.positive)
    chosen = choose_threshold(tempered(probability, temperature)[:, row], reference == row, rule)
    found = {"sensitivity": chosen.sensitivity, "specificity": chosen.specificity, "reason": chosen.reason}
    return point.model_copy(update={"threshold": chosen.value, **found})


def _rejection(
    images: Sequence[PreparedImage], novelty: NDArray[np.float64], config: RejectionConfig
) -> dict[str, float | str | None]:
    """Nothing is rejected unless the tuning images show that unknown kinds can be told."""
    known = np.array([one.known for one in images], dtype=bool)
    other = np.array([one.label == REJECTED for one in images], dtype=bool)
    if not known.any() or not other.any():
        return {"novelty_reason": "no tuning image of none of the labels shows whether such images can be told"}
    kept = known | other
    auroc = placements(novelty[kept], other[kept]).auc
    if auroc < config.least_auroc:
        return {"novelty_auroc": auroc, "novelty_reason": "images of none of the labels cannot be told from known ones"}
    return {"novelty_auroc": auroc, "novelty_limit": novelty_limit(novelty[known], config.keep)}


def read_images(
    classifier: ImageClassifier,
    point: LabelOperatingPoint,
    images: Sequence[PreparedImage],
    model: Mapping[str, FiniteJson],
) -> Readings:
    """Readings of all images and their studies; what is unfit has no label and the reason."""
    found: dict[tuple[str, str], ImageReading] = {}
    for output in _read(classifier, images):
        frozen = point.of(output.part.name)
        for row, image in enumerate(output.images):
            probability = tempered(output.outputs.probability[row : row + 1], frozen.temperature)[0]
            novelty = float(output.outputs.novelty[row])
            found[image.study, image.image] = _reading(
                classifier.task, output.part, frozen, image, probability, novelty
            )
    for image in images:
        if (image.study, image.image) not in found:
            found[image.study, image.image] = ImageReading(
                id=image.image, view=image.view, rejected=image.rejected or NO_VIEW, eligibility=dict(image.eligibility)
            )
    studies: dict[str, list[ImageReading]] = {}
    for image in images:
        studies.setdefault(image.study, []).append(found[image.study, image.image])
    return Readings(
        model=dict(model), studies=tuple(_study(name, own, classifier.task) for name, own in studies.items())
    )


def _reading(
    task: Task,
    part: Part,
    frozen: PartPoint,
    image: PreparedImage,
    probability: NDArray[np.float64],
    novelty: float,
) -> ImageReading:
    label = part.labels[int(probability.argmax())]
    if task.positive is not None and frozen.threshold is not None:
        row = part.labels.index(task.positive)
        label = part.labels[row if probability[row] >= frozen.threshold else 1 - row]
    unlike = frozen.novelty_limit is not None and novelty > frozen.novelty_limit
    return ImageReading(
        id=image.image,
        view=image.view,
        label=None if unlike else label,
        scores={name: float(value) for name, value in zip(part.labels, probability, strict=True)},
        rejected=UNLIKE if unlike else None,
        novelty=None if np.isnan(novelty) else novelty,
        eligibility=dict(image.eligibility),
    )


def _study(name: str, images: Sequence[ImageReading], task: Task) -> StudyReading:
    """The views together, where they have one label."""
    if any(view_of_label(label) is not None for label in task.labels):
        return StudyReading(id=name, images=tuple(images))
    called = np.array([REJECTED if one.label is None else task.labels.index(one.label) for one in images])
    score = np.array(
        [[one.scores.get(label, np.nan) if one.scores else np.nan for label in task.labels] for one in images]
    )
    together = combine(called, score, None if task.positive is None else task.labels.index(task.positive))
    if together.called == REJECTED:
        reasons = dict.fromkeys(one.rejected or "" for one in images)
        return StudyReading(id=name, rejected="; ".join(reasons), images=tuple(images))
    scores = {} if np.isnan(together.score).any() else dict(zip(task.labels, together.score.tolist(), strict=True))
    return StudyReading(id=name, label=task.labels[together.called], scores=scores, images=tuple(images))
