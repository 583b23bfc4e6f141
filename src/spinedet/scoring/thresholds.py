"""The thresholds that a test applied, as `scores.json` states them."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import product
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import Discriminator, Field, FiniteFloat, Tag

from spinedet.core.types import FiniteJson, Record, is_none


class HitModel(Record):
    """The chance that a finding of the tuning data is a hit: sigmoid(slope * logit(score) + intercept).

    Attributes:
        prior: share of hits among those findings.
    """

    slope: FiniteFloat
    intercept: FiniteFloat
    prior: FiniteFloat


class Threshold(Record):
    """The lowest score that counts in one plane for one category, and what it gave where it was chosen.

    Attributes:
        temperature: under which scores predicted hits best there, see `calibration.fit_temperature`.
        hit_model: of the findings there, see `adaptation.fit_hit_model`; absent in files of earlier versions.
    """

    plane: str
    category: str
    value: FiniteFloat
    f1: FiniteFloat | None = None
    sensitivity: FiniteFloat | None = None
    fp_per_scan: FiniteFloat | None = None
    lesions: int = 0
    scans: int = 0
    temperature: FiniteFloat | None = None
    hit_model: HitModel | None = Field(default=None, exclude_if=is_none)
    reason: str | None = None


class NoThreshold(Record):
    """Every finding counts."""

    rule: Literal["none"] = "none"
    value: None = None
    description: str = "no threshold was given: every finding counts"


class GivenThreshold(Record):
    """One threshold for every plane and category."""

    rule: Literal["given"] = "given"
    value: FiniteFloat
    description: str

    @classmethod
    def at(cls, value: float) -> GivenThreshold:
        """A finding counts when its score is at or above `value`."""
        return cls(value=value, description=f"score ≥ {value:g} counts")


class TuningData(Record):
    """How many studies chose an operating point, and the digest of their data."""

    studies: int
    data_sha256: str


class FrozenThresholds(Record):
    """Those of an operating point.

    Attributes:
        rule: that chose them. criterion: under which. sha256: of the operating point's file.
    """

    rule: str
    criterion: dict[str, FiniteJson]
    thresholds: tuple[Threshold, ...]
    sha256: str
    chosen_on: TuningData
    description: str = "frozen before this test: a finding counts when its score is at or above its threshold"


def _kind(value: Any) -> str:
    """The tag of a record or of a file's content; the rule of an operating point is free text."""
    match value:
        case NoThreshold() | {"rule": "none"}:
            return "none"
        case GivenThreshold() | {"rule": "given"}:
            return "given"
    return "frozen"


AppliedThresholds: TypeAlias = Annotated[
    Annotated[NoThreshold, Tag("none")]
    | Annotated[GivenThreshold, Tag("given")]
    | Annotated[FrozenThresholds, Tag("frozen")],
    Discriminator(_kind),
]


def limits(
    applied: AppliedThresholds, planes: Iterable[str], categories: Iterable[str]
) -> dict[tuple[str, str], float]:
    """The lowest score that counts by (plane, category).

    Args:
        planes, categories: that are scored; an operating point names its own.
    """
    match applied:
        case FrozenThresholds():
            return {(one.plane, one.category): one.value for one in applied.thresholds}
        case GivenThreshold():
            return dict.fromkeys(product(planes, categories), applied.value)
        case NoThreshold():
            return dict.fromkeys(product(planes, categories), float("-inf"))
