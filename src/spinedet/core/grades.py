"""The grades of a structure that are learnt and reported: one table of scales."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from pydantic import JsonValue


@dataclass(frozen=True, slots=True)
class GradeScale:
    """An ordinal scale from `lowest` to `highest`, under its name in `attributes`; 0 to 1 is absent or present.

    What lies above `highest` counts as `highest`, so that a present finding may be graded further.
    """

    name: str
    lowest: int
    highest: int

    @property
    def steps(self) -> int:
        """How many borders there are between grades."""
        return self.highest - self.lowest

    def of(self, attributes: Mapping[str, JsonValue]) -> float:
        """The grade that `attributes` give, NaN where it is unknown or not on the scale."""
        value = attributes.get(self.name)
        if isinstance(value, bool):
            value = int(value)
        if not isinstance(value, int | float) or not value >= self.lowest:
            return math.nan
        return float(min(value, self.highest))


# Pfirrmann et al., Spine 2001;26:1873-1878; the others as SPIDER grades them.
SCALES: dict[str, GradeScale] = {
    scale.name: scale
    for scale in (
        GradeScale("pfirrmann", 1, 5),
        GradeScale("bulging", 0, 1),
        GradeScale("herniation", 0, 1),
        GradeScale("narrowing", 0, 1),
    )
}

# Keys of `attributes` that hold grades: the scales above, and those that are kept for reports.
GRADES = frozenset({*SCALES, "modic", "spondylolisthesis", "severity"})


def numeric_grades(attributes: dict[str, JsonValue]) -> dict[str, JsonValue]:
    """`attributes` with grades that are written as text (`"2"`) as numbers; other text stays as it is."""
    return {name: _number(value) if name in GRADES else value for name, value in attributes.items()}


def _number(grade: JsonValue) -> JsonValue:
    if not isinstance(grade, str):
        return grade
    try:
        value = float(grade)
    except ValueError:
        return grade
    return (int(value) if value.is_integer() else value) if math.isfinite(value) else grade
