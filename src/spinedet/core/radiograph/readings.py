"""What a network or a human reader says of radiographs (`spinedet-readings`)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

from pydantic import Field, FiniteFloat, model_validator
from typing_extensions import Self

from spinedet.core.errors import InputError
from spinedet.core.files import file_header, read_record, refuse_repeats, write_json
from spinedet.core.radiograph.types import RadiographManifest, Task, View
from spinedet.core.types import FiniteJson, Name, Record, is_none

FORMAT = "spinedet-readings"
READER = "reader"

Probability = Annotated[FiniteFloat, Field(ge=0, le=1)]


def _is_nothing(value: object) -> bool:
    return value == {}


class LabelReading(Record):
    """What is read: a label, or why there is none.

    Attributes:
        label: one of the task's. scores: by label; empty for human readers and where nothing was computed.
        rejected: why no label is given.
    """

    id: Name
    label: Name | None = None
    scores: dict[str, Probability] = Field(default_factory=dict, exclude_if=_is_nothing)
    rejected: str | None = None

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if self.label is not None and self.rejected is not None:
            raise ValueError("a label and a reason why there is none (rejected) exclude each other; keep one")
        if self.label is None and self.rejected is None and not self.scores:
            raise ValueError("neither a label, nor scores, nor a reason why there is none (rejected); give one")
        return self


class ImageReading(LabelReading):
    """The reading of one image.

    Attributes:
        view: as it was seen. novelty: how unlike the training images it is; higher is less like them.
        confidence: of a human reader, 1 (a guess) to 5 (certain). seconds: that the reader took.
        eligibility: questions about the image, such as `view` or `field`, with what was found.
    """

    view: View | None = None
    novelty: FiniteFloat | None = Field(default=None, exclude_if=is_none)
    confidence: Annotated[int, Field(ge=1, le=5)] | None = Field(default=None, exclude_if=is_none)
    seconds: Annotated[FiniteFloat, Field(ge=0)] | None = Field(default=None, exclude_if=is_none)
    eligibility: dict[str, FiniteJson] = Field(default_factory=dict, exclude_if=_is_nothing)


class StudyReading(LabelReading):
    """The reading of a study, all views together, and of each of its images."""

    images: tuple[ImageReading, ...] = ()

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        # A study may be read image by image only.
        if self.label is not None and self.rejected is not None:
            raise ValueError("a label and a reason why there is none (rejected) exclude each other; keep one")
        return self

    @property
    def read_whole(self) -> bool:
        """Whether the study has a reading of its own."""
        return self.label is not None or self.rejected is not None or bool(self.scores)


class Readings(Record):
    """All readings of one network or reader.

    Attributes:
        model: who reads: `name`, and `kind`, which is `reader` for a human; more may stand there.
    """

    model: dict[str, FiniteJson]
    studies: tuple[StudyReading, ...]

    @property
    def name(self) -> str:
        """Of the network or reader."""
        return str(self.model.get("name", self.model.get("kind", "a network")))

    @property
    def by_reader(self) -> bool:
        """Whether a human reads."""
        return self.model.get("kind") == READER


def read_readings(path: Path) -> Readings:
    """Read one file of readings.

    Raises:
        InputError: the file breaks the format; the message names file, study, image and field.
    """
    readings = read_record(path, Readings, FORMAT, space=None)
    refuse_repeats((study.id for study in readings.studies), str(path), "study")
    for study in readings.studies:
        refuse_repeats((image.id for image in study.images), f"{path}: study {study.id!r}", "image")
    return readings


def write_readings(path: Path, readings: Readings) -> None:
    """Write a file of readings atomically."""
    write_json(path, {**file_header(FORMAT, space=None), **readings.model_dump(mode="json")})


def check_readings(readings: Readings, manifest: RadiographManifest, source: str) -> None:
    """Refuse labels that the task does not have, and scores that leave some of them out.

    Raises:
        InputError: names source, study and image.
    """
    views = {(study.id, image.id): image.view for study in manifest.studies for image in study.images}
    for study in readings.studies:
        for reading, view in _each(study, views):
            where = f"{source}: study {study.id!r}" + (f", image {reading.id!r}" if reading is not study else "")
            _check(reading, view, manifest.task, where)


def _each(study: StudyReading, views: dict[tuple[str, str], str | None]) -> Iterator[tuple[LabelReading, str | None]]:
    yield study, None
    for image in study.images:
        yield image, views.get((study.id, image.id)) or image.view


def _check(reading: LabelReading, view: str | None, task: Task, where: str) -> None:
    for name in (*([reading.label] if reading.label else []), *reading.scores):
        if name not in task.labels:
            raise InputError(f"{where}: unknown label {name!r}; the labels are {', '.join(task.labels)}")
    missing = [label for label in task.labels_of(view) if label not in reading.scores]
    if reading.scores and missing and view is not None:
        raise InputError(f"{where}: the scores leave out {', '.join(missing)}; give every label of the view a score")
