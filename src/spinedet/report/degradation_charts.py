"""F1 and average precision against the strength of a degradation, as small drawings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from spinedet.scoring.records import DegradationCurve, DegradationPoint

WIDTH, HEIGHT, MARGIN = 200, 120, 22


@dataclass(frozen=True, slots=True)
class Chart:
    """One degradation in one plane; paths are SVG, empty where nothing is defined."""

    curve: DegradationCurve
    f1: str
    ap: str
    places: tuple[float, ...]


def charts(curves: Sequence[DegradationCurve]) -> list[Chart]:
    """A drawing of every curve; strengths stand at equal distances, values on an axis from 0 to 1."""
    return [Chart(one, _path(one.points, "f1"), _path(one.points, "ap"), _places(one.points)) for one in curves]


def _places(points: Sequence[DegradationPoint]) -> tuple[float, ...]:
    step = (WIDTH - 2 * MARGIN) / max(len(points) - 1, 1)
    return tuple(round(MARGIN + step * number, 1) for number in range(len(points)))


def _path(points: Sequence[DegradationPoint], name: str) -> str:
    values = [getattr(one, name).value for one in points]
    defined = [(x, value) for x, value in zip(_places(points), values, strict=True) if value is not None]
    height = HEIGHT - 2 * MARGIN
    return "M" + "L".join(f"{x} {HEIGHT - MARGIN - height * value:.1f}" for x, value in defined) if defined else ""
