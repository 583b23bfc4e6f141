"""The domain's values: frozen, validated when built, in RAS millimetres; they are also the file format's records."""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping, Sequence
from enum import Enum
from pathlib import Path
from typing import Annotated, Any, Literal, TypeAlias, TypeGuard

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
    ValidationInfo,
    field_validator,
    model_serializer,
    model_validator,
)
from typing_extensions import Self

from spinedet.core.anatomy import LEVELS, Plane, Region
from spinedet.core.grades import numeric_grades


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


def is_empty(value: object) -> bool:
    """For `Field(exclude_if=)`: an empty list is left out of the file."""
    return value == ()


def is_number(value: object) -> TypeGuard[int | float]:
    """Whether a value is a number as JSON knows them that a float can hold: true, false and 10**400 are none."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return isinstance(value, float) or abs(value) <= sys.float_info.max


def _known_level(level: str | None) -> str | None:
    if level is not None and level not in LEVELS:
        raise ValueError(f"unknown level {level!r}; write discs as 'L4/L5', vertebrae as 'L4', unknown as null")
    return level


Level: TypeAlias = Annotated[str | None, AfterValidator(_known_level)]


class Record(BaseModel):
    """Base of every value: immutable, finite, strict about types; keys it does not know are kept and ignored."""

    model_config = ConfigDict(frozen=True, strict=True, extra="allow", allow_inf_nan=False, defer_build=True)
    __pydantic_extra__: dict[str, FiniteJson]


Attributes: TypeAlias = Annotated[dict[str, FiniteJson], AfterValidator(numeric_grades)]


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


def is_of_split(split: Split | None, wanted: str | None) -> bool:
    """Whether a test on the split `wanted` uses a study: without a split it counts as `test`; None wants all."""
    return wanted is None or (split or Split.TEST).value == wanted


def severity_in(attributes: Mapping[str, FiniteJson]) -> float:
    """The grade of a lesion's attributes, `severity`; NaN where it is absent or no number."""
    grade = attributes.get("severity")
    return float(grade) if is_number(grade) else math.nan


class Lesion(Record):
    """One finding of the reference standard; `ignore` makes it neither a hit nor a miss."""

    id: Name
    series: Name
    category: Name
    level: Level = None
    box: Box
    origin: Origin = Origin.MANUAL
    ignore: bool = False
    attributes: Attributes = Field(default_factory=dict)

    @property
    def severity(self) -> float:
        """See `severity_in`."""
        return severity_in(self.attributes)


class Negative(Record):
    """A place of the same kind as the lesions that was assessed and found sound."""

    series: Name
    level: Level = None
    box: Box
    attributes: Attributes = Field(default_factory=dict)


class Finding(Record):
    """One finding of a detector in one series.

    Attributes:
        above_operating_point: whether `score` reaches the frozen threshold of its plane and category.
        level: disc or vertebra; None where it is not known. ordinal: its number in the chain of structures, from the
            lowest, where the level is unresolved. naming: how the level was found (`levels`).
        severity: expected ordinal grade. grades: the expected grade on each ordinal scale, and for what is present or
            not its probability (`core.grades`). Both are absent where nothing was graded.

    Files of other detectors may use these names differently: a value of another type is read as absent.
    """

    series: Name
    category: Name
    score: FiniteFloat
    level: Level = None
    box: Box
    severity: FiniteFloat | None = Field(default=None, exclude_if=is_none)
    grades: dict[str, FiniteFloat] | None = Field(default=None, exclude_if=is_none)
    above_operating_point: bool | None = Field(default=None, exclude_if=is_none)
    ordinal: int | None = Field(default=None, exclude_if=is_none)
    naming: dict[str, FiniteJson] | None = Field(default=None, exclude_if=is_none)

    @field_validator("above_operating_point", "ordinal", "naming", mode="before")
    @classmethod
    def _of_its_type_or_nothing(cls, value: Any, info: ValidationInfo) -> Any:
        """Values of another type are another detector's own and are read as absent."""
        expected = {"above_operating_point": bool, "ordinal": int, "naming": dict}[info.field_name or ""]
        return value if type(value) is expected else None

    @field_validator("severity", mode="before")
    @classmethod
    def _grade_or_nothing(cls, given: Any) -> Any:
        """Other detectors may use this name for something else; that is no grade, and no fault."""
        return given if is_number(given) and not given < 0 else None

    @field_validator("grades", mode="before")
    @classmethod
    def _grades_or_nothing(cls, given: Any) -> Any:
        """Likewise."""
        numbers = isinstance(given, dict) and all(map(is_number, given.values()))
        return {name: float(value) for name, value in given.items()} if numbers else None


class Series(Record):
    """One image volume of a study: a scan.

    Attributes:
        acquisition: scanner and protocol, as far as the data set describes them.
    """

    id: Name
    plane: Plane
    weighting: Name = "T2"
    path: Annotated[Path, Field(strict=False)]
    sha256: Annotated[str, StringConstraints(to_lower=True)] | None = None
    acquisition: dict[str, FiniteJson] | None = Field(default=None, exclude_if=is_none)


class Study(Record):
    """One examination of one patient, with its series and reference lesions.

    Attributes:
        attributes: of patient and examination; `l5` or `c2` is a point in RAS mm that settles the names of levels.
        negatives: places that were assessed and found sound; they never change a match.
        region: the region of its manifest; written there, not here.
    """

    id: Name
    patient: Name
    center: Name
    split: Split | None = None
    attributes: dict[str, FiniteJson] = Field(default_factory=dict)
    series: tuple[Series, ...]
    lesions: tuple[Lesion, ...] = ()
    negatives: tuple[Negative, ...] = Field(default=(), exclude_if=is_empty)
    excluded: str | None = None
    region: Region | None = Field(default=None, exclude=True)

    @property
    def digests(self) -> tuple[str, ...]:
        """The SHA-256 of its images, as far as they are written down."""
        return tuple(series.sha256 for series in self.series if series.sha256)


class Manifest(Record):
    """The reference standard of one or more centres; series paths are absolute once read.

    Attributes:
        conversion: source and rule by which a converter made it.
    """

    name: Name
    region: Region
    categories: tuple[Name, ...]
    studies: tuple[Study, ...]
    conversion: dict[str, FiniteJson] | None = Field(default=None, exclude_if=is_none)


class Effect(str, Enum):
    """What became of a study with an annotation that could not be used.

    `excluded`: the place of a possible finding is unknown, so that the study can be neither learnt from nor tested.
    `ignored`: the place is known and is a box to ignore. `none`: no finding is lost.
    """

    EXCLUDED = "excluded"
    IGNORED = "ignored"
    NONE = "none"


class UnusedAnnotation(Record):
    """An annotation that a converter could not use; `study` is empty where it belongs to none."""

    study: str
    where: str
    reason: str
    effect: Effect = Field(default=Effect.NONE, exclude_if=lambda effect: effect is Effect.NONE)


class FusedFinding(Record):
    """One place of a study, as found in several of its series.

    Attributes:
        series: those in which it was found, highest score first; scores: of each. covered: how many series show the
            place. score: the mean over these, so that a place that one plane shows and does not report counts less.
        box: in RAS mm, along R, A, S.
    """

    category: Name
    score: FiniteFloat
    level: Level = None
    box: Box
    series: tuple[Name, ...]
    scores: tuple[FiniteFloat, ...]
    covered: int


class StudyFindings(Record):
    """All findings of one study; no finding means that it was read and nothing was found.

    Attributes:
        fused: the findings of all series in patient space. eligibility: the input checks of each series, by series id.
        images: the SHA-256 of each image that was read, by series id. naming: of the levels, by sagittal series
            (`levels.naming.SeriesNaming.record`).
    """

    id: Name
    findings: tuple[Finding, ...] = ()
    fused: tuple[FusedFinding, ...] | None = Field(default=None, exclude_if=is_none)
    eligibility: dict[str, FiniteJson] | None = Field(default=None, exclude_if=is_none)
    images: dict[str, str] | None = Field(default=None, exclude_if=is_none)
    naming: dict[str, FiniteJson] | None = Field(default=None, exclude_if=is_none)


class KnownResult(Record):
    """What a test of some weights on patients gave in one plane.

    Attributes:
        data: the images, and how they were tested. statistic: name of the value. low, high: its 95 % interval.
        remark: what limits it, or why there is no value.
    """

    plane: Name
    data: str = Field(default="", exclude_if=is_empty)
    patients: int = Field(default=0, exclude_if=is_empty)
    statistic: str = Field(default="", exclude_if=is_empty)
    value: float | None = Field(default=None, exclude_if=is_none)
    low: float | None = Field(default=None, exclude_if=is_none)
    high: float | None = Field(default=None, exclude_if=is_none)
    remark: str = Field(default="", exclude_if=is_empty)

    @property
    def words(self) -> str:
        """The result in words, without a full stop."""
        if self.value is None:
            return f"{self.plane}: {self.remark or 'never tested on patients'}"
        interval = "" if self.low is None or self.high is None else f" ({self.low:.3f} to {self.high:.3f})"
        remark = f", {self.remark}" if self.remark else ""
        return f"{self.plane}, {self.data}: {self.statistic} {self.value:.3f}{interval}{remark}"


class KnownResults(Record):
    """Results of released weights on patients.

    Attributes:
        weights: what the weights are, in words. weights_sha256: of their file.
    """

    weights: Name
    weights_sha256: Name
    results: tuple[KnownResult, ...] = Field(min_length=1)

    @property
    def words(self) -> str:
        """All of them, without a full stop."""
        return "; ".join(one.words for one in self.results)


class InitialWeights(Record):
    """The weights that a training began with; `known` are their own results on patients, not those after training."""

    name: Name
    weights_sha256: Name | None = Field(default=None, exclude_if=is_none)
    known: KnownResults | None = Field(default=None, exclude_if=is_none)

    @property
    def sentences(self) -> tuple[str, ...]:
        """What pages and the terminal show."""
        shown = f" (SHA-256 {self.weights_sha256[:12]})" if self.weights_sha256 else ""
        if self.known is None:
            return (f"Initialised from {self.name}{shown}.",)
        return (
            f"Initialised from {self.known.weights}, {self.name}{shown}.",
            f"Known results of those weights on patients, before this training: {self.known.words}.",
        )


class TrainedOn(Record):
    """What weights were trained on: `phantoms`, `patients` or `both`, and how many of each, initial weights included.

    Attributes:
        initial: the weights that the training began with. known: what tests of these weights on patients gave.
        members: of an ensemble, each on its own; the counts are then the largest of any of them.
    """

    kind: Literal["phantoms", "patients", "both"]
    phantoms: int = 0
    patients: int = 0
    initial: InitialWeights | None = Field(default=None, exclude_if=is_none)
    known: KnownResults | None = Field(default=None, exclude_if=is_none)
    members: tuple[TrainedOn, ...] = Field(default=(), exclude_if=is_empty)

    @property
    def sentences(self) -> tuple[str, ...]:
        """The plain lines that every page and the terminal show."""
        if self.members:
            return tuple(dict.fromkeys(line for one in self.members for line in one.sentences))
        known = (f"Known results on patients: {self.known.words}.",) if self.known else ()
        return (self._data, *(self.initial.sentences if self.initial else ()), *known)

    @property
    def _data(self) -> str:
        if self.kind == "phantoms":
            return f"Trained on {self.phantoms} phantoms drawn by software and on no patient."
        also = f" and {self.phantoms} phantoms drawn by software" if self.phantoms else ""
        return f"Trained on images of {self.patients} patients{also}."


def kind_of_training(phantoms: int, patients: int) -> Literal["phantoms", "patients", "both"]:
    """The `kind` of so many of each."""
    return "both" if phantoms and patients else "phantoms" if phantoms else "patients"


def trained_together(members: Sequence[TrainedOn | None]) -> TrainedOn | None:
    """What an ensemble was trained on; None where that is unknown of a member."""
    known = tuple(one for one in members if one is not None)
    if len(known) < len(members):
        return None
    if all(one == known[0] for one in known):
        return known[0]
    phantoms, patients = max(one.phantoms for one in known), max(one.patients for one in known)
    return TrainedOn(kind=kind_of_training(phantoms, patients), phantoms=phantoms, patients=patients, members=known)


class Findings(Record):
    """The findings of one detector in many studies.

    Attributes:
        model: name, version and weights hash of the detector. operating_point: its thresholds and their hash.
        trained_on: what its weights were trained on. created: date, ISO 8601.
    """

    model: dict[str, FiniteJson]
    studies: tuple[StudyFindings, ...]
    operating_point: dict[str, FiniteJson] | None = Field(default=None, exclude_if=is_none)
    trained_on: TrainedOn | None = Field(default=None, exclude_if=is_none)
    created: str | None = Field(default=None, exclude_if=is_none)

    def to_dict(self) -> dict[str, Any]:
        """The content of a findings file but for its header."""
        return self.model_dump(mode="json")
