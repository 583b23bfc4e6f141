"""What counts as a hit: the three matching criteria."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

from spinedet.core.errors import InputError

# Rounding in the last digits of two boxes must not decide whether an overlap of exactly t is a hit.
SLACK = 1e-9


@dataclass
class IouCriterion:
    """Volumes that overlap: intersection over union in RAS mm.

    Attributes:
        iou: least intersection over union of a hit.
    """

    name: str = "iou"
    iou: float = 0.1

    def __post_init__(self) -> None:
        if self.name != "iou" or not 0 < self.iou <= 1:
            raise InputError(f"criterion.iou={self.iou}: the overlap must be above 0 and at most 1")

    @property
    def description(self) -> str:
        """One line for people."""
        return f"hit: 3D IoU ≥ {self.iou:g} with a free lesion, highest score first"


@dataclass
class CenterCriterion:
    """The finding's centre lies in the lesion's box."""

    name: str = "center"

    @property
    def description(self) -> str:
        """One line for people."""
        return "hit: finding's centre inside a free lesion's box, highest score first"


@dataclass
class DistanceCriterion:
    """The two centres lie within `mm` of each other; 6 mm is the Tianchi spine challenge's."""

    name: str = "distance"
    mm: float = 6.0

    def __post_init__(self) -> None:
        if self.name != "distance" or not (0 < self.mm < math.inf):
            raise InputError(f"criterion.mm={self.mm}: the distance must be above 0 mm and finite")

    @property
    def description(self) -> str:
        """One line for people."""
        return f"hit: centres within {self.mm:g} mm of a free lesion, highest score first"


Criterion: TypeAlias = IouCriterion | CenterCriterion | DistanceCriterion
CRITERIA: dict[str, type] = {"iou": IouCriterion, "center": CenterCriterion, "distance": DistanceCriterion}


def criterion_record(criterion: Criterion) -> dict[str, str | float]:
    """The criterion as files carry it, with its line for people."""
    return {**vars(criterion), "description": criterion.description}


def criterion_from(record: Mapping[str, object]) -> Criterion:
    """The criterion that a file carries.

    Raises:
        InputError: no such criterion, or its number is missing.
    """
    match record:
        case {"name": "iou", "iou": float() | int() as iou}:
            return IouCriterion(iou=float(iou))
        case {"name": "center"}:
            return CenterCriterion()
        case {"name": "distance", "mm": float() | int() as mm}:
            return DistanceCriterion(mm=float(mm))
    raise InputError(f"criterion {dict(record)}: use iou with its iou, center, or distance with its mm")
