"""Colours of boxes, told apart by people with any colour vision, and never grey."""

from __future__ import annotations

REFERENCE_COLOR = "#38c6ff"
FINDING_COLOR = "#ff9d1e"
# Findings below the operating point.
BELOW_COLOR = "#9a9a9a"


def rgb(color: str) -> list[float]:
    """Red, green and blue, 0 to 1, of `#rrggbb`."""
    return [round(int(color[at : at + 2], 16) / 255, 4) for at in (1, 3, 5)]
