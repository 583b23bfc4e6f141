"""Scores as figures and as one self-contained HTML page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from markupsafe import Markup
from matplotlib.figure import Figure

from spinedet import __version__
from spinedet.core.files import write_text
from spinedet.report.csv_tables import write_curves, write_matches
from spinedet.report.html import render
from spinedet.report.number_format import MARKS
from spinedet.report.score_figures import (
    Line,
    forest_figure,
    froc_figure,
    level_figure,
    precision_figure,
    reliability_figure,
    save,
    strata_figure,
)
from spinedet.scoring.error_analysis import Cases
from spinedet.scoring.evaluate import Examination
from spinedet.scoring.metrics.counts import froc_name
from spinedet.scoring.records import Group, Scores
from spinedet.scoring.statistics.curve_bands import CurvePoint

_FOREST = ("f1", "recall", "precision", froc_name(1.0))
_MOST_LINES = 7
_FAILURES = 12


def write_everything(folder: Path, examination: Examination, scores: Scores) -> None:
    """Write `curves.csv`, `matches.csv`, `lesions.csv`, the figures and `scores.html`."""
    cases = Cases(examination.matched, examination.reached)
    write_matches(folder, cases)
    curves = curves_of(examination)
    write_curves(folder / "curves.csv", curves)
    drawings = save(folder / "figures", draw(scores, curves))
    write_text(folder / "scores.html", _page(scores, drawings, cases))


def draw(scores: Scores, curves: Sequence[tuple[dict[str, str], Sequence[CurvePoint]]]) -> dict[str, Figure]:
    """All figures by name, plane by plane."""
    figures: dict[str, Figure] = {}
    caption = str(scores.criterion["description"])
    for whole in (group for group in scores.groups if set(group.by) == {"plane"} and group.n.lesions):
        plane = str(whole.by["plane"])
        lines = _lines(scores, plane, curves)
        figures[f"froc_{plane}"] = froc_figure(plane, lines, caption)
        figures[f"precision_recall_{plane}"] = precision_figure(plane, lines, caption)
        forests = [one for one in scores.forests if one.by["plane"] == plane and one.metric in _FOREST]
        if forests:
            figures[f"forest_{plane}"] = forest_figure(plane, forests, caption)
        calibrations = [one for one in scores.calibration if one.by["plane"] == plane and one.bins]
        if calibrations:
            figures[f"reliability_{plane}"] = reliability_figure(plane, calibrations, caption)
        if whole.levels and whole.levels.curve:
            figures[f"levels_{plane}"] = level_figure(plane, whole.levels, caption)
        if whole.strata:
            figures[f"strata_{plane}"] = strata_figure(plane, whole.strata, caption)
    return figures


def curves_of(examination: Examination) -> list[tuple[dict[str, str], Sequence[CurvePoint]]]:
    """The curves of every plane, and of every centre where there are several."""
    return [({name: str(value) for name, value in by.items()}, points) for by, points in examination.estimates.curves()]


def _lines(scores: Scores, plane: str, curves: Sequence[tuple[dict[str, str], Sequence[CurvePoint]]]) -> list[Line]:
    """Everything first, then the centres if there are a few; a centre without lesions has no curve."""
    found = []
    for by, points in curves:
        group: Group = scores.group(**by)
        if by["plane"] == plane and group.n.lesions:
            found.append(Line(by.get("center", "all centres"), points, group))
    if len(found) == 2:  # a single centre is everything
        return found[1:]
    return found if len(found) <= _MOST_LINES else found[:1]


def _page(scores: Scores, drawings: Mapping[str, str], cases: Cases) -> str:
    return render(
        "scores.html",
        title=f"Scores of {scores.model.get('name', 'a detector')} on {scores.name}",
        notes=scores.banner,
        scores=scores,
        # matplotlib wrote these drawings and escaped the names in them.
        figures={name: Markup(svg) for name, svg in drawings.items()},  # noqa: S704
        failures=[("lesion", cases.worst_misses(_FAILURES)), ("finding", cases.surest_errors(_FAILURES))],
        version=__version__,
        marks=MARKS,
    )
