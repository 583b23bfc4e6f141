"""The result of checking an image before prediction."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Suitability(str, Enum):
    """The result of a check, best first."""

    OK = "ok"
    DOUBTFUL = "doubtful"
    REJECTED = "rejected"


@dataclass(frozen=True, slots=True)
class InputCheck:
    """The result for one question, and the reason."""

    question: str
    suitability: Suitability
    reason: str


def overall_suitability(checks: tuple[InputCheck, ...]) -> Suitability:
    """The least favourable suitability."""
    return max((one.suitability for one in checks), key=list(Suitability).index, default=Suitability.OK)
