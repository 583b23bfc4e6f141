"""Pictures of radiographs with their heat maps, and how often these point at the evidence."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from io import BytesIO
from statistics import fmean

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from spinedet.core.radiograph import VIEWS
from spinedet.core.radiograph.readings import ImageReading, Readings
from spinedet.radiograph.classifier import ImageClassifier
from spinedet.radiograph.heat_maps import Hit, heat_map, hit
from spinedet.radiograph.images import PreparedImage
from spinedet.radiograph.single_vertebrae import decisive
from spinedet.radiograph.trainer import device_of
from spinedet.report.html import png_uri
from spinedet.report.label_page import Picture
from spinedet.scoring.statistics.exact import exact_interval

_SIDE = 320
_STRENGTH = 0.45
_OUTLINE, _WIDTH = (86, 180, 233), 2
# Heat maps that are compared with the evidence; each costs a backward pass.
_COMPARED = 40


@dataclass(frozen=True, slots=True, eq=False)
class Explained:
    """An image with its predicted label and the heat map of its highest score; None without one."""

    image: PreparedImage
    reading: ImageReading
    heat: NDArray[np.float32] | None


def explain(
    classifier: ImageClassifier, images: Sequence[PreparedImage], readings: Readings, most: int
) -> Iterator[Explained]:
    """The first `most` images that were scored."""
    known = {(study.id, image.id): image for study in readings.studies for image in study.images}
    for image in images:
        part = classifier.part_for(image.view)
        reading = known.get((image.study, image.image))
        if reading is None or not reading.scores or part is None or image.pixels is None:
            continue
        if most <= 0:
            return
        most -= 1
        label = part.labels.index(max(reading.scores, key=lambda name: reading.scores[name]))
        shown = decisive(classifier, part, image)
        pixels = torch.from_numpy(np.asarray(shown.pixels, np.float32))[None, None].to(device_of(part.network))
        yield Explained(shown, reading, heat_map(part.network, pixels, label))


def draw(explained: Explained) -> bytes:
    """PNG of the crop, red where the evidence lies by the network, with the reference boxes of the evidence."""
    image = explained.image
    assert image.pixels is not None  # noqa: S101  # `explain` leaves others out
    grey = np.repeat(image.pixels.astype(np.float32)[..., None], 3, axis=2)
    if explained.heat is not None:
        strength = _STRENGTH * explained.heat[..., None]
        grey = grey * (1 - strength) + strength * np.array([1.0, 0.2, 0.0], np.float32)
    picture = Image.fromarray((255 * grey.clip(0, 1)).astype(np.uint8)).resize((_SIDE, _SIDE))
    zoom = _SIDE / image.pixels.shape[0]
    canvas = ImageDraw.Draw(picture)
    for box in image.truth:
        canvas.rectangle([edge * zoom for edge in box], outline=_OUTLINE, width=_WIDTH)
    stream = BytesIO()
    picture.save(stream, "PNG", optimize=True)
    return stream.getvalue()


def page_pictures(
    classifier: ImageClassifier, images: Sequence[PreparedImage], readings: Readings, most: int
) -> tuple[Picture, ...]:
    """Images for a page: wrong predictions and right ones in turn, of every view."""
    known = {(study.id, image.id): image for study in readings.studies for image in study.images}

    def wrong(image: PreparedImage) -> bool:
        reading = known.get((image.study, image.image))
        told = reading.label if reading else None
        return image.known and told is not None and told != classifier.task.labels[image.label or 0]

    kinds: dict[tuple[str | None, bool], list[PreparedImage]] = {}
    for image in images:
        if image.known:
            kinds.setdefault((image.view, wrong(image)), []).append(image)
    turns = [row for kind in zip(*_padded(list(kinds.values())), strict=True) for row in kind if row is not None]
    return tuple(
        Picture(png_uri(draw(one)), _caption(classifier, one)) for one in explain(classifier, turns, readings, most)
    )


def _padded(rows: list[list[PreparedImage]]) -> list[list[PreparedImage | None]]:
    longest = max((len(row) for row in rows), default=0)
    return [[*row, *[None] * (longest - len(row))] for row in rows]


def _caption(classifier: ImageClassifier, one: Explained) -> str:
    reading = one.reading
    reference = classifier.task.labels[one.image.label or 0]
    predicted = reading.label or f"no label ({reading.rejected})"
    score = max(reading.scores.values())
    view = f"{VIEWS[one.image.view].title}, " if one.image.view else ""
    return f"{view}centre {one.image.center}: reference {reference}, predicted {predicted}; highest score {score:.2f}"


def evidence_fact(
    classifier: ImageClassifier, images: Sequence[PreparedImage], readings: Readings
) -> tuple[tuple[str, str], ...]:
    """How often the maximum of a heat map lies in the reference evidence, beside chance; nothing without any."""
    with_truth = [image for image in images if image.truth and image.known]
    hits: list[Hit] = [
        hit(one.heat, one.image.truth)
        for one in explain(classifier, with_truth, readings, _COMPARED)
        if one.heat is not None
    ]
    if not hits:
        return ()
    inside = sum(one.inside for one in hits)
    low, high = exact_interval(inside, len(hits))
    chance = fmean(one.area for one in hits)
    text = f"{inside} of {len(hits)} maxima lie in the evidence (exact interval {low:.2f}–{high:.2f})"
    return (("Heat maps", f"{text}, which covers {chance:.2f} of the images"),)
