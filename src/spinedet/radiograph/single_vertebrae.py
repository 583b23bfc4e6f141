"""From single vertebrae to images: examples to train on, and one output of an image from those of its vertebrae."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from spinedet.core.errors import InputError
from spinedet.core.radiograph import VIEWS, Task
from spinedet.radiograph.classifier import ImageClassifier, Outputs, Part
from spinedet.radiograph.images import PreparedImage
from spinedet.radiograph.settings import InputConfig


def refuse_focus(task: Task, config: InputConfig) -> None:
    """Refuse single vertebrae where a task has no finding that a vertebra can show, or a view that hides them.

    Raises:
        InputError: as said.
    """
    if config.focus != "vertebra":
        return
    if task.positive is None:
        raise InputError("input.focus=vertebra is for tasks with a finding (task.positive); use image or metal")
    hidden = [view for view in task.views if not VIEWS[view].vertebrae]
    if hidden:
        raise InputError(f"input.focus=vertebra finds no vertebrae on the view {', '.join(hidden)}; use image or metal")


def examples(images: Sequence[PreparedImage], task: Task) -> list[PreparedImage]:
    """What a network is trained on: images as they are, and each vertebra of those that have crops as an image.

    A vertebra has the finding where the reference evidence (`truth`) is of it. All of an image without the finding are
    without it; an image with the finding whose evidence is not given, or not on a vertebra that was found, says
    nothing of its vertebrae and is left out.
    """
    found: list[PreparedImage] = []
    for image in images:
        if not image.crops:
            found.append(image)
            continue
        positive = task.labels.index(task.positive or "")
        if image.label == positive and not any(crop.evident for crop in image.crops):
            continue
        found += [
            replace(
                image,
                image=f"{image.image}, vertebra {number}",
                label=positive if crop.evident else 1 - positive,
                pixels=crop.pixels,
                truth=crop.truth,
                crops=(),
            )
            for number, crop in enumerate(image.crops, start=1)
        ]
    return found


def refuse_without_evidence(found: Sequence[PreparedImage], task: Task, config: InputConfig) -> None:
    """Refuse to train on single vertebrae of which none has the finding.

    Raises:
        InputError: as said.
    """
    if config.focus != "vertebra":
        return
    positive = task.labels.index(task.positive or "")
    if all(one.label != positive for one in found):
        raise InputError(
            f"input.focus=vertebra: no training image of {task.positive!r} has a box of its evidence (truth) on a "
            "vertebra that was found; draw such boxes, or use input.focus=image"
        )


def read_part(classifier: ImageClassifier, part: Part, images: Sequence[PreparedImage]) -> Outputs:
    """A network's output for each image; for one with crops, that for the vertebra likeliest to have the finding."""
    owners = np.repeat(np.arange(len(images)), [max(len(image.crops), 1) for image in images])
    outputs = part.outputs(_inputs(images, classifier.input.pixels), classifier.neighbours)
    chosen = _decisive(outputs, owners, len(images), classifier.task, part)
    return Outputs(outputs.probability[chosen], outputs.novelty[chosen])


def decisive(classifier: ImageClassifier, part: Part, image: PreparedImage) -> PreparedImage:
    """The image as its pictures show it: the vertebra by which it was read, or itself."""
    if not image.crops:
        return image
    outputs = part.outputs(_inputs([image], classifier.input.pixels), classifier.neighbours)
    (chosen,) = _decisive(outputs, np.zeros(len(image.crops), int), 1, classifier.task, part)
    crop = image.crops[chosen]
    return replace(image, pixels=crop.pixels, truth=crop.truth, crops=())


def _inputs(images: Sequence[PreparedImage], side: int) -> NDArray[np.float16]:
    """(m, side, side): the crops of every image, or its pixels."""
    found: list[NDArray[np.float16]] = []
    for image in images:
        if image.crops:
            found += [crop.pixels for crop in image.crops]
        elif image.pixels is not None:
            found.append(image.pixels)
    return np.stack(found) if found else np.empty((0, side, side), np.float16)


def _decisive(outputs: Outputs, owners: NDArray[np.intp], images: int, task: Task, part: Part) -> NDArray[np.intp]:
    """For each image the row that counts."""
    if len(owners) == images:
        return np.arange(images)
    score = outputs.probability[:, part.labels.index(task.positive or "")]
    best = np.lexsort((-score, owners))
    return np.asarray(best[np.searchsorted(owners[best], np.arange(images))], np.intp)
