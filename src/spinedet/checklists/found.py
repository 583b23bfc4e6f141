"""An answer that the files of a result give."""

from __future__ import annotations

from dataclasses import dataclass

# Files that answers are shown in.
SCORES, RUN, MODEL, CONFIG, POINT = "scores.json", "run.json", "model.json", "config.yaml", "operating_point.json"


@dataclass(frozen=True, slots=True)
class Found:
    """An answer, and the files and keys that it is copied from."""

    text: str
    source: str
