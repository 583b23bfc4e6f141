"""FROC and precision-recall curves as drawings whose every coordinate is a number that can be checked."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby
from math import log2
from typing import TypeAlias

import numpy as np

from spinedet.report.scored_cases import ScoredCases
from spinedet.scoring import Estimate, Group, Scores
from spinedet.scoring.metrics.froc_pr import RATES, OperatingPoints

Placing: TypeAlias = Callable[[float], float]

# Okabe and Ito's colours, distinguishable with any colour vision; each also has its own dash and marker.
COLORS = ("#0072b2", "#d55e00", "#009e73", "#8a3f73", "#a66f00", "#3a8fc0", "#000000")
_DASHES = ("", "7 3", "2 2.5", "9 3 2 3", "4 2", "12 3", "1 3")
_MARKERS = ("circle", "square", "triangle", "diamond")
WIDTH, HEIGHT = 470, 380
_LEFT, _RIGHT, _TOP, _BOTTOM = 54, 14, 12, 48
_LOWEST_RATE, _HIGHEST_RATE = RATES[0], RATES[-1]
_FRACTIONS = {0.125: "1/8", 0.25: "1/4", 0.5: "1/2"}


@dataclass(frozen=True, slots=True)
class Style:
    """How one centre is drawn, the same in every figure."""

    color: str
    dash: str
    marker: str


@dataclass(frozen=True, slots=True)
class Tick:
    """A place on an axis, in pixels, and what stands there."""

    place: float
    text: str


@dataclass(frozen=True, slots=True)
class Cross:
    """The operating point in pixels, with the interval of each coordinate (nothing where there is none)."""

    x: float
    y: float
    across: tuple[float, float] | None
    upright: tuple[float, float] | None


@dataclass(frozen=True, slots=True)
class Trace:
    """One centre's curve: its path and, dotted, where no finding is left to go on with."""

    style: Style
    path: str
    rest: str
    point: Cross | None


@dataclass(frozen=True, slots=True)
class Key:
    """One line of the legend."""

    style: Style
    center: str
    internal: bool | None
    lesions: int
    scans: int


@dataclass(frozen=True, slots=True)
class Figure:
    """A drawing of one plane's curves; the template knows how to write it as SVG."""

    kind: str
    plane: str
    x_label: str
    y_label: str
    x_ticks: tuple[Tick, ...]
    y_ticks: tuple[Tick, ...]
    traces: tuple[Trace, ...]

    frame = (_LEFT, _TOP, WIDTH - _RIGHT, HEIGHT - _BOTTOM)


@dataclass(frozen=True, slots=True)
class Curves:
    """Both figures of one plane with their common legend."""

    plane: str
    keys: tuple[Key, ...]
    figures: tuple[Figure, ...]


def draw_curves(scored: ScoredCases, scores: Scores, internal: Sequence[str]) -> tuple[Curves, ...]:
    """FROC and precision-recall of every plane, a line for each centre that has lesions there."""
    return tuple(_curves(plane, _lines(scored, scores, plane), internal) for plane in scored.planes)


def draw_runs(runs: Sequence[tuple[str, ScoredCases, Scores]], plane: str) -> Curves:
    """FROC and precision-recall of several runs on the same scans of one plane, a line for each run."""
    lines = []
    for row, (_, scored, scores) in enumerate(runs):
        steps = _turns(scored.operating_points(scored.part(plane, scored.cohort.centers)))
        lines.append(_Line(style_of(row), scores.group(plane=plane), steps))
    keys = (
        Key(line.style, name, None, line.group.n.lesions, line.group.n.series)
        for (name, _, _), line in zip(runs, lines, strict=True)
    )
    return Curves(plane, tuple(keys), (_froc(plane, lines), _precision_recall(plane, lines)))


def draw_growth(
    places: Sequence[str],
    series: Sequence[Sequence[Estimate | None]],
    plane: str,
    axis: str = "target patients",
    height: str = "F1 at the frozen threshold",
) -> Figure:
    """A statistic over the number of target patients: a line for each series, with intervals; None leaves a place out.

    Args:
        places: what stands under the horizontal axis, from left to right.
        series: an estimate for each place, one sequence for each line.
        plane: which is shown. axis, height: what the two axes show.
    """
    across = [share_x((place + 0.5) / len(places)) for place in range(len(places))]
    traces = []
    for row, estimates in enumerate(series):
        # Neighbouring series stand a little apart, so that their intervals can be distinguished.
        shift = 7.0 * (row - (len(series) - 1) / 2)
        known = [
            (x + shift, e) for x, e in zip(across, estimates, strict=True) if e is not None and e.value is not None
        ]
        style, corners = style_of(row), [(x, share_y(e.value or 0.0)) for x, e in known]
        traces.append(Trace(style, _path(corners), "", None))
        crosses = (Cross(x, y, None, _span(e, share_y)) for (x, y), (_, e) in zip(corners, known, strict=True))
        traces += [Trace(style, "", "", cross) for cross in crosses]
    ticks = tuple(Tick(x, name) for x, name in zip(across, places, strict=True))
    return Figure(height.split()[0], plane, axis, height, ticks, _shares(share_y), tuple(traces))


@dataclass(frozen=True, slots=True, eq=False)
class _Line:
    style: Style
    group: Group
    steps: OperatingPoints

    @property
    def recall(self) -> list[float]:
        return [tp / self.group.n.lesions for tp in self.steps.tp.tolist()]

    @property
    def rate(self) -> list[float]:
        return [fp / self.group.n.series for fp in self.steps.fp.tolist()]

    @property
    def precision(self) -> list[float]:
        return (self.steps.tp / (self.steps.tp + self.steps.fp)).tolist()


def _lines(scored: ScoredCases, scores: Scores, plane: str) -> list[_Line]:
    lines = []
    for row, center in enumerate(scored.cohort.centers):
        part = scored.part(plane, [center])
        if part.lesions_per_patient.any():
            group = scores.group(plane=plane, center=center)
            lines.append(_Line(style_of(row), group, _turns(scored.operating_points(part))))
    return lines


def style_of(row: int) -> Style:
    """The style of a centre by its number."""
    return Style(COLORS[row % len(COLORS)], _DASHES[row % len(_DASHES)], _MARKERS[row % len(_MARKERS)])


def _turns(steps: OperatingPoints) -> OperatingPoints:
    """The steps at which a curve turns: each that hits a lesion, the one before it, and the last."""
    hit = np.diff(steps.tp, prepend=0) > 0
    kept = hit | np.append(hit[1:], True)[: len(hit)]
    return OperatingPoints(steps.score[kept], steps.tp[kept], steps.fp[kept])


def _curves(plane: str, lines: Sequence[_Line], internal: Sequence[str]) -> Curves:
    keys = (
        Key(
            style=line.style,
            center=str(line.group.by["center"]),
            internal=line.group.by["center"] in internal if internal else None,
            lesions=line.group.n.lesions,
            scans=line.group.n.series,
        )
        for line in lines
    )
    return Curves(plane, tuple(keys), (_froc(plane, lines), _precision_recall(plane, lines)))


def _froc(plane: str, lines: Sequence[_Line]) -> Figure:
    return Figure(
        kind="FROC",
        plane=plane,
        x_label="false positives per scan",
        y_label="sensitivity (share of lesions found)",
        x_ticks=tuple(Tick(rate_x(rate), rate_text(rate)) for rate in (0.0, *RATES)),
        y_ticks=_shares(share_y),
        traces=tuple(_froc_trace(line) for line in lines),
    )


def _froc_trace(line: _Line) -> Trace:
    """A step function: the sensitivity at a rate is the highest with no more false positives than that."""
    corners, height = [(rate_x(0), share_y(0))], share_y(0)
    for rate, recall in zip(line.rate, line.recall, strict=True):
        if rate > _HIGHEST_RATE:
            break
        corners += [(rate_x(rate), height), (rate_x(rate), height := share_y(recall))]
    ended = len(line.rate) == 0 or line.rate[-1] <= _HIGHEST_RATE
    corners += [] if ended else [(rate_x(_HIGHEST_RATE), height)]
    group = line.group
    return Trace(
        style=line.style,
        path=_path(corners),
        rest=_path([corners[-1], (rate_x(_HIGHEST_RATE), height)]) if ended else "",
        point=_cross(group.fp_per_scan, group.recall, rate_x),
    )


def _precision_recall(plane: str, lines: Sequence[_Line]) -> Figure:
    return Figure(
        kind="Precision–recall",
        plane=plane,
        x_label="recall (share of lesions found)",
        y_label="precision (share of findings that hit)",
        x_ticks=_shares(share_x),
        y_ticks=_shares(share_y),
        traces=tuple(
            Trace(
                style=line.style,
                path=_path([(share_x(r), share_y(p)) for r, p in zip(line.recall, line.precision, strict=True)]),
                rest="",
                point=_cross(line.group.recall, line.group.precision, share_x),
            )
            for line in lines
        ),
    )


def _cross(x: Estimate, y: Estimate, place_x: Placing) -> Cross | None:
    if x.value is None or y.value is None:
        return None
    return Cross(place_x(x.value), share_y(y.value), _span(x, place_x), _span(y, share_y))


def _span(estimate: Estimate, place: Placing) -> tuple[float, float] | None:
    if estimate.low is None or estimate.high is None:
        return None
    return place(estimate.low), place(estimate.high)


def _shares(place: Placing) -> tuple[Tick, ...]:
    return tuple(Tick(place(share), f"{share:g}") for share in (0.0, 0.2, 0.4, 0.6, 0.8, 1.0))


def share_x(share: float) -> float:
    """Pixel of a share between 0 and 1 on the horizontal axis."""
    return round(_LEFT + share * (WIDTH - _LEFT - _RIGHT), 1)


def share_y(share: float) -> float:
    """Pixel of a share between 0 and 1 on the vertical axis."""
    return round(HEIGHT - _BOTTOM - share * (HEIGHT - _TOP - _BOTTOM), 1)


def rate_text(rate: float) -> str:
    """`1/8`, `2`."""
    return _FRACTIONS.get(rate, f"{rate:g}")


def rate_x(rate: float) -> float:
    """Pixel of a rate of false positives per scan: doubling is one step, and below 1/8 linear down to 0."""
    rate = min(rate, _HIGHEST_RATE)
    steps = rate / _LOWEST_RATE if rate < _LOWEST_RATE else 1 + log2(rate / _LOWEST_RATE)
    return share_x(steps / (1 + log2(_HIGHEST_RATE / _LOWEST_RATE)))


def _path(corners: Iterable[tuple[float, float]]) -> str:
    """SVG path data; corners that do not move are left out."""
    moved = [corner for corner, _ in groupby(corners)]
    return "M" + "L".join(f"{x:g} {y:g}" for x, y in moved) if moved else ""
