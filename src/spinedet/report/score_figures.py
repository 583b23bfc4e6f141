"""Publication-ready figures of scores, as SVG and PNG."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any, Literal

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from spinedet.core.files import write_bytes
from spinedet.report import curves
from spinedet.scoring.metrics.froc_pr import RATES
from spinedet.scoring.records import Calibration, Estimate, Forest, Group, LevelNaming, StratumScore
from spinedet.scoring.statistics.curve_bands import CurvePoint

# The colours of the pages, from black, which is for everything pooled.
COLORS = (curves.COLORS[-1], *curves.COLORS[:-1])
_STYLE: Any = {
    "font.family": "DejaVu Sans",
    "font.size": 8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.6,
    "lines.linewidth": 1.2,
    "svg.fonttype": "path",
    "svg.hashsalt": "spinedet",
    "savefig.dpi": 300,
    "legend.frameon": False,
}
_COLUMN = (3.5, 3.0)  # inches: one column of a journal


@dataclass(frozen=True)
class Line:
    """One curve of a figure with the group that it shows."""

    name: str
    points: Sequence[CurvePoint]
    group: Group


def froc_figure(plane: str, lines: Sequence[Line], caption: str) -> Figure:
    """Sensitivity over false positives per scan; crosses are the frozen operating points with their intervals."""
    figure, (axes,) = _canvas()
    for color, line in zip(_colors(lines), lines, strict=True):
        points = [point for point in line.points if point.curve == "froc" and point.y.value is not None]
        _band(axes, points, color, _label(line), step="post")
        _cross(axes, line.group.fp_per_scan, line.group.recall, color)
    axes.set_xscale("log", base=2)
    axes.set_xticks(RATES, [curves.rate_text(rate) for rate in RATES])
    axes.set_xlim(1 / 16, 16)
    _finish(axes, f"{plane}: false positives per scan", "sensitivity", caption)
    return figure


def precision_figure(plane: str, lines: Sequence[Line], caption: str) -> Figure:
    """Interpolated precision over recall; crosses are the frozen operating points."""
    figure, (axes,) = _canvas()
    for color, line in zip(_colors(lines), lines, strict=True):
        points = [point for point in line.points if point.curve == "pr" and point.y.value is not None]
        _band(axes, points, color, _label(line), step="pre")
        _cross(axes, line.group.recall, line.group.precision, color)
    axes.set_xlim(0, 1)
    _finish(axes, f"{plane}: recall", "precision", caption)
    return figure


def forest_figure(plane: str, forests: Sequence[Forest], caption: str) -> Figure:
    """One panel per statistic: a row per centre, and the random-effects mean as a diamond."""
    rows = max(len(forest.centers) for forest in forests)
    figure, panels = _canvas((1.7 * len(forests) + 0.9, 0.26 * rows + 1.1), len(forests))
    for axes, forest in zip(panels, forests, strict=True):
        _forest_panel(axes, forest)
    panels[0].set_yticks(range(rows + 1), _forest_names(forests[0]))
    figure.suptitle(f"{plane} · {caption}", fontsize=6, color="0.35")
    return figure


def reliability_figure(plane: str, calibrations: Sequence[Calibration], caption: str) -> Figure:
    """Share of hits over score; on the diagonal a score is a probability."""
    figure, (axes,) = _canvas()
    axes.plot([0, 1], [0, 1], color="0.7", linewidth=0.8)
    for color, one in zip(COLORS, calibrations, strict=False):
        value = [group.hits.value or 0.0 for group in one.bins]
        name = "scores as they are" if one.temperature == 1 else f"temperature {one.temperature:.2f}"
        error = f"{one.ece.value:.3f}" if one.ece.value is not None else "undefined"
        axes.errorbar(
            [group.score for group in one.bins],
            value,
            yerr=_arms([group.hits for group in one.bins]),
            color=color,
            marker="o",
            markersize=3,
            elinewidth=0.7,
            label=f"{name} (ECE {error})",
        )
    axes.set_xlim(0, 1)
    _finish(axes, f"{plane}: score", "share that hits a lesion", caption)
    return figure


def level_figure(plane: str, levels: LevelNaming, caption: str) -> Figure:
    """Patients with a wrong level among named ones, over the share that is named; the cross is the frozen threshold."""
    figure, (axes,) = _canvas()
    value, low, high = np.array([(p.error.value, p.error.low, p.error.high) for p in levels.curve], dtype=float).T
    coverage = [point.coverage for point in levels.curve]
    area = f", area {levels.area.value:.3f}" if levels.area.value is not None else ""
    axes.plot(coverage, value, color=COLORS[0], label=f"{levels.patients} patients{area}")
    axes.fill_between(coverage, low, high, color=COLORS[0], alpha=0.12, linewidth=0)
    _cross(axes, levels.coverage, levels.error, COLORS[1])
    axes.set_xlim(0, 1)
    _finish(axes, f"{plane}: share of patients whose levels are named", "wrong among named", caption)
    return figure


def strata_figure(plane: str, strata: Sequence[StratumScore], caption: str) -> Figure:
    """Recall at the frozen threshold for each kind of lesion."""
    figure, (axes,) = _canvas((_COLUMN[0] + 0.8, 0.2 * len(strata) + 0.9))
    shown = [one.recall for one in strata]
    place = np.arange(len(strata))[::-1]
    value = [np.nan if one.value is None else one.value for one in shown]
    axes.errorbar(value, place, xerr=_arms(shown), fmt="o", color=COLORS[1], markersize=4, elinewidth=0.9)
    names = [f"{key} {name} (n={one.lesions})" for one in strata for key, name in one.by.items()]
    axes.set_yticks(place, names)
    axes.set_xlim(0, 1)
    axes.grid(axis="x", color="0.92", linewidth=0.6)
    axes.set_ylim(-0.6, len(strata) - 0.4)
    axes.set_xlabel(f"{plane}: recall at the frozen threshold")
    figure.suptitle(caption, fontsize=6, color="0.35")
    return figure


def save(folder: Path, figures: Mapping[str, Figure]) -> dict[str, str]:
    """Write each figure as NAME.svg and NAME.png at 300 dots per inch; returns the SVGs, ready to stand in a page."""
    drawn = {}
    for name, figure in figures.items():
        text = rendered(figure, "svg").decode()
        drawn[name] = text[text.index("<svg") :]
        write_bytes(folder / f"{name}.svg", drawn[name].encode())
        write_bytes(folder / f"{name}.png", rendered(figure, "png"))
    return drawn


def rendered(figure: Figure, kind: str) -> bytes:
    """The figure as a file of this kind, `svg` or `png`; the same bytes for the same numbers."""
    stream = BytesIO()
    metadata: dict[str, Any] = {"Date": None, "Creator": None} if kind == "svg" else {"Software": None}
    with matplotlib.rc_context(_STYLE):
        figure.savefig(stream, format=kind, metadata=metadata)
    return stream.getvalue()


def _canvas(inches: tuple[float, float] = _COLUMN, panels: int = 1) -> tuple[Figure, list[Axes]]:
    with matplotlib.rc_context(_STYLE):
        figure = Figure(figsize=inches, layout="constrained")
        return figure, list(figure.subplots(1, panels, sharey=True, squeeze=False)[0])


def _colors(lines: Sequence[Line]) -> list[str]:
    return [COLORS[row % len(COLORS)] for row in range(len(lines))]


def _label(line: Line) -> str:
    return f"{line.name} ({line.group.n.lesions} lesions, {line.group.n.series} scans)"


def _band(axes: Axes, points: Sequence[CurvePoint], color: str, label: str, step: Literal["pre", "post"]) -> None:
    x = [point.x for point in points]
    y, low, high = np.array([(point.y.value, point.y.low, point.y.high) for point in points], dtype=float).T
    axes.step(x, y, where=step, color=color, label=label)
    axes.fill_between(x, low, high, step=step, color=color, alpha=0.12, linewidth=0)


def _cross(axes: Axes, x: Estimate, y: Estimate, color: str) -> None:
    if x.value is not None and y.value is not None:
        axes.errorbar(
            x.value, y.value, xerr=_arms([x]), yerr=_arms([y]), color=color, fmt="o", markersize=4, elinewidth=0.9
        )


def _arms(estimates: Sequence[Estimate]) -> np.ndarray:
    """Lengths of error bars below and above, (2, n); none where there is no interval."""
    arms = [
        (0.0, 0.0)
        if one.value is None or one.low is None or one.high is None
        else (max(0.0, one.value - one.low), max(0.0, one.high - one.value))
        for one in estimates
    ]
    return np.array(arms).T


def _forest_panel(axes: Axes, forest: Forest) -> None:
    shown = [one.estimate for one in forest.centers]
    place = np.arange(len(shown), 0, -1)
    value = [np.nan if one.value is None else one.value for one in shown]
    weight = np.sqrt([one.lesions for one in forest.centers])
    axes.errorbar(value, place, xerr=_arms(shown), fmt="none", color="0.25", elinewidth=0.9)
    axes.scatter(value, place, s=12 + 60 * weight / max(weight.max(), 1), marker="s", color=COLORS[1], zorder=3)
    middle = forest.pooled
    axes.fill([forest.low, middle, forest.high, middle], [0, 0.22, 0, -0.22], color=COLORS[2])
    axes.axvline(middle, color=COLORS[2], linewidth=0.6, linestyle="--")
    pooled = len(forest.centers) - len(forest.left_out)
    axes.set_title(f"{forest.metric}, {pooled} centres\nI² {forest.i2:.0%}, p {forest.p:.2g}", fontsize=7)
    axes.set_ylim(-0.6, len(shown) + 0.6)
    axes.tick_params(axis="y", length=0)


def _forest_names(forest: Forest) -> list[str]:
    return ["random effects", *(f"{one.center} (n={one.lesions})" for one in reversed(forest.centers))]


def _finish(axes: Axes, x: str, y: str, caption: str) -> None:
    axes.set_ylim(0, 1.02)
    axes.set_xlabel(x)
    axes.set_ylabel(y)
    axes.grid(color="0.92", linewidth=0.6)
    axes.set_axisbelow(True)
    axes.set_title(caption, fontsize=6, color="0.35")
    if axes.get_legend_handles_labels()[0]:
        axes.legend(fontsize=6, loc="best")
