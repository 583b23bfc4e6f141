"""The grades of a structure that are learnt and reported: one table of scales."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from pydantic import JsonValue


@dataclass(frozen=True, slots=True)
class GradeScale:
    """An ordinal scale from `lowest` to `highest`, under its name in `attributes`; from 0 to 1 it says present or not.

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
