"""Radiographs as networks are given them: read, checked, cropped, squared."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from functools import partial

import numpy as np
from numpy.typing import NDArray

from spinedet.cli.exit_status import Skipped
from spinedet.core.errors import InputError
from spinedet.core.radiograph import OTHER, Radiograph, RadiographStudy, Task
from spinedet.imaging.radiograph.checks import Expected, ViewClassifier, ViewEstimate, check_radiograph, view_of
from spinedet.imaging.radiograph.content import foreign_content
from spinedet.imaging.radiograph.metal import crop_around, hardware_groups
from spinedet.imaging.radiograph.read import Declared, read_radiograph
from spinedet.imaging.radiograph.records import Box, DeclaredView, Pixels, RadiographImage
from spinedet.imaging.radiograph.square import square
from spinedet.imaging.suitability import InputCheck, Suitability
from spinedet.radiograph.crops import Crop, vertebra_crops
from spinedet.radiograph.settings import InputConfig
from spinedet.radiograph.view_router import overview
from spinedet.scoring.classification.items import REJECTED

_CHUNK = 4
# The share of an image's sides that `focus=rim` leaves: collimation, markers, letters.
_RIM = 0.15


@dataclass(frozen=True, slots=True, eq=False)
class PreparedImage:
    """One image, ready for a network, or with the reason why it is not.

    Attributes:
        view: as written, as the file declares, or as the router sees it. label: row of the task's labels, `REJECTED`
            for none of them, None for not known.
        pixels: (side, side) in [0, 1], bone white. overview: the whole field as a small square.
        crops: single vertebrae, which are read instead of `pixels`; none where the focus is another.
        truth: boxes of the evidence in pixels of `pixels`. rejected: why it is not read.
        eligibility: what is doubtful or unfit about it.
    """

    study: str
    image: str
    patient: str
    center: str
    view: str | None
    label: int | None
    pixels: NDArray[np.float16] | None = None
    overview: NDArray[np.float16] | None = None
    truth: tuple[Box, ...] = ()
    crops: tuple[Crop, ...] = ()
    rejected: str | None = None
    eligibility: dict[str, str] = field(default_factory=dict)

    @property
    def known(self) -> bool:
        """Whether it has one of the labels."""
        return self.label is not None and self.label != REJECTED


@dataclass(frozen=True, slots=True)
class Preparation:
    """How images are prepared: for a task, with what of them, and with which router of views, if any."""

    task: Task
    input: InputConfig
    router: ViewClassifier | None = None

    @property
    def expected(self) -> Expected:
        """What the networks read."""
        foreign = Suitability.REJECTED if self.input.foreign == "reject" else Suitability.DOUBTFUL
        return Expected(self.task.views, self.input.metal, foreign=foreign)

    def estimate(self, image: RadiographImage) -> ViewEstimate | None:
        """What an image shows: none of the views by the network that ships, else the view by the task's own router."""
        return foreign_content(image) or (self.router(image) if self.router else None)


Item = tuple[RadiographStudy, Radiograph]


def prepare_images(
    items: Sequence[Item], how: Preparation, processes: int, progress: Callable[[int, int], None]
) -> list[PreparedImage]:
    """All images in order; what cannot be read is rejected with the reason."""
    found = []
    for each in _prepared(items, how, processes):
        found.append(each)
        progress(len(found), len(items))
    return found


def _prepared(items: Sequence[Item], how: Preparation, processes: int) -> Iterator[PreparedImage]:
    work = partial(prepare_image, how=how)
    if processes <= 1 or len(items) <= 2 * _CHUNK:
        yield from map(work, items)
        return
    # A fresh interpreter per worker: forking a process that runs threads can hang.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(min(processes, len(items)), mp_context=context) as pool:
        yield from pool.map(work, items, chunksize=_CHUNK)


def prepare_image(item: Item, how: Preparation) -> PreparedImage:
    """One image; what makes it unfit is told under `rejected`."""
    study, image = item
    known = {
        "study": study.id,
        "image": image.id,
        "patient": study.patient,
        "center": study.center,
        "label": _row(study, image, how.task),
    }
    try:
        read = read_radiograph(image.path, Declared(image.mm, image.sha256))
    except InputError as error:
        # The message names the file; a reading travels, so it says only what is wrong.
        reason = str(error).replace(f"{image.path}", "the file")
        return PreparedImage(**known, view=image.view, rejected=reason)  # type: ignore[arg-type]
    estimate = how.estimate(read)
    checks = check_radiograph(read, how.expected, estimate, image.view)
    declared = DeclaredView(image.view, "manifest") if image.view else read.view
    view = view_of(declared, estimate, how.expected.sure)
    box, doubt = _focus(read, how.input)
    truth = [read.flip_box(each) for each in image.truth]
    crops: tuple[Crop, ...] = ()
    if how.input.focus == "vertebra":
        crops = vertebra_crops(read, how.input.mm, how.input.pixels, truth)
        doubt = () if crops else (InputCheck("focus", Suitability.DOUBTFUL, "no vertebra was found; read as a whole"),)
    checks = (*checks, *doubt)
    shown = _rim(read.pixels) if how.input.focus == "rim" else read.pixels
    unfit = [check for check in checks if check.suitability is Suitability.REJECTED]
    cut = square(shown, box, how.input.pixels)
    return PreparedImage(
        **known,  # type: ignore[arg-type]
        view=view,
        pixels=cut.pixels,
        overview=overview(read),
        truth=tuple(cut.place(box) for box in truth),
        crops=crops,
        rejected="; ".join(f"{check.question}: {check.reason}" for check in unfit) or None,
        eligibility={check.question: f"{check.suitability.value}: {check.reason}" for check in checks},
    )


def _row(study: RadiographStudy, image: Radiograph, task: Task) -> int | None:
    label = study.label_of(image, task)
    if label is None:
        return None
    return REJECTED if label == OTHER else task.labels.index(label)


def _focus(image: RadiographImage, config: InputConfig) -> tuple[Box, tuple[InputCheck, ...]]:
    """The box that the network sees; the whole field, with a doubt, where the focus is not found."""
    if config.focus == "metal":
        groups = hardware_groups(image)
        if groups:
            return _around(image, groups[0].box, config.mm), ()
        return image.field.box, (InputCheck("focus", Suitability.DOUBTFUL, "no metal to focus on; read as a whole"),)
    if config.focus == "rim":
        rows, columns = image.pixels.shape
        return (0.0, 0.0, float(columns), float(rows)), ()
    return image.field.box, ()


def _around(image: RadiographImage, hardware: Box, mm: float | None) -> Box:
    """The square of so many mm around the hardware; the usual crop where no length is wanted or known."""
    if mm is None or image.spacing is None:
        return crop_around(image, hardware)
    x0, y0, x1, y1 = hardware
    across, down, half = (x0 + x1) / 2, (y0 + y1) / 2, mm / image.spacing.mm / 2
    return across - half, down - half, across + half, down + half


def _rim(pixels: Pixels) -> Pixels:
    """The image with its inner part blanked."""
    rows, columns = (round(_RIM * length) for length in pixels.shape)
    blanked = pixels.copy()
    blanked[rows:-rows, columns:-columns] = 0
    return blanked


def unfit(images: Sequence[PreparedImage]) -> Skipped:
    """Images that were rejected before any network saw them."""
    return Skipped({f"{one.study}/{one.image}": one.rejected for one in images if one.rejected is not None})
