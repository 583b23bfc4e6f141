"""The domain's values: frozen, validated when built, in RAS millimetres; they are also the file format's records."""

from __future__ import annotations

import math
from enum import Enum
from pathlib import Path
from typing import Annotated, Any, TypeAlias, TypeGuard

import numpy as np
from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    FiniteFloat,
    JsonValue,
    SerializerFunctionWrapHandler,
    StringConstraints,
    field_validator,
    model_serializer,
    model_validator,
)
from typing_extensions import Self

from spinedet.core.anatomy import LEVELS, Plane, Region


def _finite(value: JsonValue) -> JsonValue:
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError("Input should hold finite numbers only")
    for child in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        _finite(child)
    return value


FiniteJson: TypeAlias = Annotated[JsonValue, AfterValidator(_finite)]
Name: TypeAlias = Annotated[str, StringConstraints(min_length=1)]
Vector: TypeAlias = tuple[FiniteFloat, FiniteFloat, FiniteFloat]
Positive: TypeAlias = Annotated[FiniteFloat, Field(gt=0)]
Extent: TypeAlias = tuple[Positive, Positive, Positive]
Axes: TypeAlias = tuple[Vector, Vector, Vector]

RAS_AXES: Axes = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0))
# Direction cosines travel through files with six digits or so; a frame that is off by more was never a frame.
ORTHONORMAL_TOLERANCE = 1e-3


def is_none(value: object) -> bool:
    """For `Field(exclude_if=)`: what is not known is left out of the file."""
    return value is None


def is_number(value: object) -> TypeGuard[int | float]:
    """Whether a value is a number as JSON knows them: true and false are none."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def _known_level(level: str | None) -> str | None:
    if level is not None and level not in LEVELS:
        raise ValueError(f"unknown level {level!r}; write discs as 'L4/L5', vertebrae as 'L4', unknown as null")
    return level


Level: TypeAlias = Annotated[str | None, AfterValidator(_known_level)]


class Record(BaseModel):
    """Base of every value: immutable, finite, strict about types; keys it does not know are kept and ignored."""

    model_config = ConfigDict(frozen=True, strict=True, extra="allow", allow_inf_nan=False)
    __pydantic_extra__: dict[str, FiniteJson]


class Box(Record):
    """A cuboid in RAS mm: `center`, full edge lengths `size`, measured along the rows of `axes`.

    `axes` are three orthonormal unit rows, the directions of the series on which the box was drawn, so that a
    tilted axial stack keeps tight boxes. The box covers voxel edges and is half-open.
    """

    center: Vector
    size: Extent
    axes: Axes = RAS_AXES

    @model_serializer(mode="wrap")
    def _without_default_axes(self, dump: SerializerFunctionWrapHandler) -> dict[str, Any]:
        content: dict[str, Any] = dump(self)
        if self.axes == RAS_AXES:
            content.pop("axes", None)
        return content

    @model_validator(mode="after")
    def _axes_are_a_frame(self) -> Self:
        if self.axes is not RAS_AXES:
            rows = np.asarray(self.axes)
            if not np.abs(rows @ rows.T - np.eye(3)).max() <= ORTHONORMAL_TOLERANCE:  # also refuses an overflow's NaN
                raise ValueError("box axes must be three orthonormal unit rows")
        return self


class Origin(str, Enum):
    """Where a reference box comes from."""

    MANUAL = "manual"
    MASK = "mask"
    POINT = "point"
    PHANTOM = "phantom"


class Split(str, Enum):
    """The part a study plays: development (train, tune) or test."""

    TRAIN = "train"
    TUNE = "tune"
    TEST = "test"


class Lesion(Record):
    """One finding of the reference standard; `ignore` makes it neither a hit nor a miss."""

    id: Name
    series: Name
    category: Name
    level: Level = None
    box: Box
    origin: Origin = Origin.MANUAL
    ignore: bool = False
    attributes: dict[str, FiniteJson] = Field(default_factory=dict)

    @property
    def severity(self) -> float:
        """Its grade by `attributes.severity`; NaN where that is not told, or no number."""
        told = self.attributes.get("severity")
        return float(told) if is_number(told) else math.nan


class Negative(Record):
    """A place of the same kind as the lesions that was assessed and found sound."""

    series: Name
    level: Level = None
    box: Box
    attributes: dict[str, FiniteJson] = Field(default_factory=dict)


class Finding(Record):
    """One statement of a detector about one series.

    `severity` and `grades` are absent where nothing was graded: the expected grade on each ordinal scale, and for
    what is present or not its probability (`core.grades`).
    """

    series: Name
    category: Name
    score: FiniteFloat
    level: Level = None
    box: Box
    severity: FiniteFloat | None = Field(default=None, exclude_if=is_none)
    grades: dict[str, FiniteFloat] | None = Field(default=None, exclude_if=is_none)

    @field_validator("severity", mode="before")
    @classmethod
    def _grade_or_nothing(cls, told: Any) -> Any:
        """Other detectors may say other things under this name; those are no grades, and no fault."""
        return told if is_number(told) and not told < 0 else None

    @field_validator("grades", mode="before")
    @classmethod
    def _grades_or_nothing(cls, told: Any) -> Any:
        """Likewise."""
        numbers = isinstance(told, dict) and all(map(is_number, told.values()))
        return {name: float(value) for name, value in told.items()} if numbers else None


class Series(Record):
    """One image volume of a study: a scan."""

    id: Name
    plane: Plane
    weighting: Name = "T2"
    path: Annotated[Path, Field(strict=False)]
    sha256: Annotated[str, StringConstraints(to_lower=True)] | None = None


class Study(Record):
    """One examination of one patient, with its series and reference lesions.

    Attributes:
        negatives: places that were assessed and found sound; they never change a match.
        region: what its manifest says it shows; written there, not here.
    """

    id: Name
    patient: Name
    center: Name
    split: Split | None = None
    attributes: dict[str, FiniteJson] = Field(default_factory=dict)
    series: tuple[Series, ...]
    lesions: tuple[Lesion, ...] = ()
    negatives: tuple[Negative, ...] = ()
    excluded: str | None = None
    region: Region | None = Field(default=None, exclude=True)


class Manifest(Record):
    """The reference standard of one or more centres; series paths are absolute once read."""

    name: Name
    region: Region
    categories: tuple[Name, ...]
    studies: tuple[Study, ...]


class StudyFindings(Record):
    """All findings of one study; an empty tuple says that it was read and nothing was found."""

    id: Name
    findings: tuple[Finding, ...] = ()


class Findings(Record):
    """What one detector says about many studies."""

    model: dict[str, FiniteJson]
    studies: tuple[StudyFindings, ...]
