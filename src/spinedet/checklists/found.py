"""An answer that the files of a result give."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from spinedet.core.types import FiniteJson
from spinedet.scoring.cross_validated import FILE as CROSSED
from spinedet.scoring.cross_validated import HELD_OUT

__all__ = ["CONFIG", "CROSSED", "HELD_OUT", "MODEL", "POINT", "RUN", "SCORES", "Found", "criterion_in_words"]

# Files that answers are shown in.
SCORES, RUN, MODEL, CONFIG, POINT = "scores.json", "run.json", "model.json", "config.yaml", "operating_point.json"


def criterion_in_words(criterion: Mapping[str, FiniteJson]) -> str:
    """The criterion of a hit as a sentence."""
    text = str(criterion["description"])
    return f"{text[0].upper()}{text[1:]}."


@dataclass(frozen=True, slots=True)
class Found:
    """An answer, and the files and keys that it is copied from."""

    text: str
    source: str
