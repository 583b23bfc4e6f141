"""Records of radiographs, frozen and validated when built; boxes are in stored pixels."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, FiniteFloat, StringConstraints, model_validator
from typing_extensions import Self

from spinedet.core.radiograph.views import VIEWS
from spinedet.core.types import FiniteJson, Name, Positive, Record, Split, is_empty, is_none, is_of_split

# The label of what is known to be none of a task's labels.
OTHER = "other"


def _is_false(value: object) -> bool:
    return value is False


def _is_no_attribute(value: object) -> bool:
    return value == {}


def _known_view(view: str | None) -> str | None:
    if view is not None and view not in VIEWS:
        raise ValueError(f"unknown view {view!r}; the views are {', '.join(VIEWS)}, and null where it is not known")
    return view


def _boxes(value: Any) -> Any:
    """`[x0, y0, x1, y1]` as one box in a tuple; lists as tuples, which strict records ask for."""
    if not isinstance(value, list | tuple):
        return value
    parts = tuple(tuple(part) if isinstance(part, list) else part for part in value)
    return (parts,) if parts and not any(isinstance(part, tuple) for part in parts) else parts


def _ordered(box: tuple[float, float, float, float]) -> tuple[float, float, float, float]:
    x0, y0, x1, y1 = box
    if not (0 <= x0 < x1 and 0 <= y0 < y1):
        raise ValueError("a box is [x0, y0, x1, y1] in stored pixels with 0 <= x0 < x1 and 0 <= y0 < y1")
    return box


# [x0, y0, x1, y1]: column and row of the edges, stored pixels, half-open; pixel (0, 0) is the box [0, 0, 1, 1].
PixelBox = Annotated[tuple[FiniteFloat, FiniteFloat, FiniteFloat, FiniteFloat], AfterValidator(_ordered)]
View = Annotated[Name, AfterValidator(_known_view)]
Attributes = dict[str, FiniteJson]


class Task(Record):
    """What is to be told from radiographs: one label for each image.

    A label `VIEW/name` belongs to images of that view alone.

    Attributes:
        name: of the task. labels: in the order of reports. views: that are read.
        positive: the finding, in a task of two labels; its sensitivity and AUC are reported.
    """

    name: Name
    labels: tuple[Name, ...] = Field(min_length=2)
    views: tuple[View, ...] = Field(min_length=1)
    positive: Name | None = None

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        for what, names in (("label", self.labels), ("view", self.views)):
            if len(set(names)) < len(names):
                raise ValueError(f"the task names a {what} twice; give each once")
        if OTHER in self.labels:
            raise ValueError(f"{OTHER!r} means none of the labels and cannot be one of them; give it another name")
        if self.positive is not None and (self.positive not in self.labels or len(self.labels) != 2):
            raise ValueError("positive names the finding of a task with two labels; otherwise it is null")
        for label in self.labels:
            view = view_of_label(label)
            if view is not None and view not in self.views:
                raise ValueError(f"the label {label!r} is of the view {view!r}, which the task does not have")
        return self

    def labels_of(self, view: str | None) -> tuple[str, ...]:
        """The labels that an image of this view may have; all of them where the view is not known."""
        return tuple(label for label in self.labels if view is None or view_of_label(label) in (None, view))

    def label_of(self, written: str | None, view: str | None) -> str | None:
        """The task's label that a manifest writes, `VIEW/` left out or not.

        Raises:
            ValueError: the task has no such label for this view.
        """
        if written is None or written == OTHER:
            return written
        known = self.labels_of(view)
        found = next((label for label in (written, f"{view}/{written}") if label in known), None)
        if found is None:
            raise ValueError(f"unknown label {written!r}; the labels are {', '.join(known)}, {OTHER} or null")
        return found


def view_of_label(label: str) -> str | None:
    """The view to which `VIEW/name` belongs; None for labels of every view."""
    prefix, slash, _ = label.partition("/")
    return prefix if slash and prefix in VIEWS else None


class Place(Record):
    """A structure of known place, for training and testing detectors: `hardware`, `L1`.

    Attributes:
        name: what it is. box: in stored pixels. attributes: what is known of it, such as an angle or a grade.
    """

    name: Name
    box: PixelBox
    attributes: Attributes = Field(default_factory=dict, exclude_if=_is_no_attribute)


class Radiograph(Record):
    """One image of a study.

    Attributes:
        view: None where it is not known. path: absolute once read.
        mm: of a pixel, where the file itself does not say or is wrong; at the detector or calibrated, as measured.
        label: one of the task's, `other` for none of them, None for not known; None too where the study has it.
        truth: where the evidence for the label lies, in stored pixels; heat maps are compared with it.
        places: structures of known place. excluded: why the image is never used.
    """

    id: Name
    view: View | None = None
    path: Annotated[Path, Field(strict=False)]
    sha256: Annotated[str, StringConstraints(to_lower=True)] | None = None
    mm: Positive | None = Field(default=None, exclude_if=is_none)
    label: Name | None = Field(default=None, exclude_if=is_none)
    truth: Annotated[tuple[PixelBox, ...], BeforeValidator(_boxes)] = Field(default=(), exclude_if=is_empty)
    places: tuple[Place, ...] = Field(default=(), exclude_if=is_empty)
    attributes: Attributes = Field(default_factory=dict, exclude_if=_is_no_attribute)
    excluded: str | None = Field(default=None, exclude_if=is_none)


class RadiographStudy(Record):
    """One examination of one patient with its radiographs.

    Attributes:
        attributes: of patient and examination. label: of all its images, unless an image has its own.
        phantom: whether it was drawn by software. excluded: why it is never used.
    """

    id: Name
    patient: Name
    center: Name
    split: Split | None = None
    attributes: Attributes = Field(default_factory=dict)
    label: Name | None = None
    images: tuple[Radiograph, ...]
    phantom: bool = Field(default=False, exclude_if=_is_false)
    excluded: str | None = None

    @property
    def digests(self) -> tuple[str, ...]:
        """The SHA-256 of its images, as far as they are written down."""
        return tuple(image.sha256 for image in self.images if image.sha256)

    @property
    def used(self) -> tuple[Radiograph, ...]:
        """The images that are not excluded, alone or with the study."""
        return () if self.excluded is not None else tuple(image for image in self.images if image.excluded is None)

    def is_of(self, split: str | None) -> bool:
        """See `is_of_split`."""
        return is_of_split(self.split, split)

    def label_of(self, image: Radiograph, task: Task) -> str | None:
        """The task's label of one of its images; `other` for none of the labels, None where it is not known."""
        return task.label_of(image.label or self.label, image.view)


class RadiographManifest(Record):
    """A task and the radiographs of one or more centres for it; paths are absolute once read.

    Attributes:
        conversion: source and rule by which a converter made it.
    """

    name: Name
    task: Task
    studies: tuple[RadiographStudy, ...]
    conversion: dict[str, FiniteJson] | None = Field(default=None, exclude_if=is_none)

    def images(self) -> Iterator[tuple[RadiographStudy, Radiograph]]:
        """Every image that is not excluded, with its study."""
        for study in self.studies:
            for image in study.used:
                yield study, image
