"""A reader study as one self-contained HTML page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from spinedet import __version__
from spinedet.core.files import write_text
from spinedet.report.html import render
from spinedet.report.number_format import DASH, MARKS, p_value, plain
from spinedet.scoring.reader_study.records import Analysis, Effect, ReaderRow, ReaderStudy

SIZE, MARGIN = 300, 36
_GRID = np.linspace(0, 1, 101)
_COLORS = {"unaided": "#0072b2", "aided": "#009e73", "program": "#d55e00"}
_AXES = {
    "auc": ("1 − specificity", "sensitivity"),
    "wafroc": ("lesion-free cases with a false mark", "weighted lesions found"),
}


@dataclass(frozen=True, slots=True)
class CurvePath:
    """A curve as the `d` of an SVG path; that of a mean is thick."""

    condition: str
    color: str
    path: str
    mean: bool


@dataclass(frozen=True, slots=True)
class EffectLine:
    """One row of the table of effects; `compared` effects are differences and carry a sign."""

    question: str
    readers: str
    effect: Effect
    compared: bool
    df: str
    p: str


def write_reader_page(path: Path, study: ReaderStudy) -> None:
    """Write `readers.html`."""
    write_text(path, render_reader_page(study))


def render_reader_page(study: ReaderStudy) -> str:
    """The page's HTML."""
    return render(
        "readers.html",
        title=f"Reader study on {study.name}",
        notes=study.notes,
        study=study,
        lines=[line for one in study.analyses for line in _lines(one)],
        time_lines=[line for one in study.time_analyses for line in _lines(one)],
        curves=(drawn := curves(study.readings)),
        keys={curve.condition: curve.color for curve in drawn},
        axes=_AXES.get(study.figure["name"]),
        size=SIZE,
        margin=MARGIN,
        marks=MARKS,
        version=__version__,
    )


def _lines(one: Analysis) -> list[EffectLine]:
    return [
        EffectLine(
            one.question,
            kind,
            effect,
            not one.question.startswith("readers"),
            DASH if effect.df is None else plain(effect.df, 1),
            DASH if effect.p is None else p_value(effect.p, 4),
        )
        for kind, effect in (("readers and patients as samples", one.random), ("these readers only", one.fixed))
    ]


def curves(readings: Sequence[ReaderRow]) -> list[CurvePath]:
    """The curve of every reading, and of each condition with several readers the mean of their ordinates."""
    found: list[CurvePath] = []
    for condition, color in _COLORS.items():
        drawn = [np.array(one.curve) for one in readings if one.condition == condition and one.curve]
        found += [CurvePath(condition, color, _path(one[:, 0], one[:, 1]), mean=False) for one in drawn]
        if len(drawn) > 1:
            # At an abscissa that a curve climbs at, its upper end counts.
            ordinates = [np.interp(_GRID, one[:, 0] - np.arange(len(one))[::-1] * 1e-9, one[:, 1]) for one in drawn]
            found.append(CurvePath(condition, color, _path(_GRID, np.mean(ordinates, axis=0)), mean=True))
    return found


def _path(x: np.ndarray, y: np.ndarray) -> str:
    side = SIZE - 2 * MARGIN
    points = zip((MARGIN + side * x).tolist(), (SIZE - MARGIN - side * y).tolist(), strict=True)
    return "M" + "L".join(f"{a:.1f} {b:.1f}" for a, b in points)
