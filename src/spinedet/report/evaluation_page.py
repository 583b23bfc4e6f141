"""The report of one test: a single HTML file that a statistician and a radiologist can both read."""

from __future__ import annotations

import platform
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path

from spinedet import __version__
from spinedet.core.anatomy import Region
from spinedet.core.colors import FINDING_COLOR, REFERENCE_COLOR
from spinedet.core.files import write_text
from spinedet.core.types import Manifest
from spinedet.report.curves import HEIGHT, WIDTH, draw_curves
from spinedet.report.degradation_charts import charts
from spinedet.report.example_cases import choose_cases
from spinedet.report.html import render
from spinedet.report.number_format import MARKS
from spinedet.report.scored_cases import ScoredCases
from spinedet.report.sentences import cohort_in_words, plane_in_words, threshold_in_words, thresholds_of
from spinedet.report.table_one import flow
from spinedet.scoring import Group, Scores
from spinedet.scoring.records import CenterGap
from spinedet.scoring.thresholds import FrozenThresholds


@dataclass(frozen=True)
class Page:
    """What a report shows.

    Attributes:
        title: headline.
        scores: the numbers. cases: the findings that they are of, matched.
        region: of the spine.
        notes: what a reader must know before the numbers, in a banner above them.
        shown: scans shown with pictures.
        internal_centers: where the detector was trained; all others are external. Empty: not shown.
        skipped: studies that could not be read.
        everyone: all studies of the manifest, whatever became of them; their flow is drawn.
        details: of model and training. facts: of the run, for the last line; no patient, date or path.
    """

    title: str
    scores: Scores
    cases: ScoredCases
    region: Region
    notes: tuple[str, ...] = ()
    shown: int = 6
    internal_centers: tuple[str, ...] = ()
    skipped: int = 0
    everyone: Manifest | None = None
    details: Mapping[str, str] = field(default_factory=dict)
    facts: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a plane's tables."""

    name: str
    tag: str
    group: Group
    threshold: str


@dataclass(frozen=True, slots=True)
class PlaneView:
    """One plane in words and rows: all its studies first, then by centre, then by category."""

    name: str
    words: str
    rows: tuple[Row, ...]


def write_page(path: Path, page: Page) -> None:
    """Write the report, one self-contained HTML file."""
    write_text(path, render_page(page))


def render_page(page: Page) -> str:
    """The report's HTML."""
    scores = page.scores
    cases = page.cases
    sites = {plane: tuple(one for one in scores.center_gaps if one.plane == plane) for plane in cases.planes}
    sites = {plane: gaps for plane, gaps in sites.items() if gaps}
    planes = [_view(page, plane, sites.get(plane, ())) for plane in cases.planes]
    groups = [(plane.name, plane.rows[0].group) for plane in planes]
    return render(
        "report.html",
        title=page.title,
        notes=(*page.notes, *scores.banner),
        scores=scores,
        confidence=scores.bootstrap.confidence,
        region=page.region.value,
        categories=cases.cohort.categories,
        cohort=cohort_in_words(scores, page.skipped),
        flow=flow(page.everyone) if page.everyone else (),
        skipped=page.skipped,
        planes=planes,
        marks=MARKS,
        sites=sites,
        internal=page.internal_centers,
        planes_curves=draw_curves(cases, scores, page.internal_centers),
        width=WIDTH,
        height=HEIGHT,
        others=[(plane, one) for plane, group in groups for one in group.secondary],
        strata=[(plane, group.strata) for plane, group in groups if group.strata],
        cases=choose_cases(cases, page.shown),
        reference_color=REFERENCE_COLOR,
        finding_color=FINDING_COLOR,
        threshold_words=threshold_in_words(scores),
        tuned=scores.threshold.thresholds if isinstance(scores.threshold, FrozenThresholds) else (),
        details=page.details,
        charts=charts(scores.robustness),
        facts={**page.facts, **_versions()},
    )


def _view(page: Page, plane: str, sites: tuple[CenterGap, ...]) -> PlaneView:
    return PlaneView(plane, plane_in_words(page.scores, plane, sites), tuple(_rows(page, plane)))


def _rows(page: Page, plane: str) -> Iterator[Row]:
    for group in page.scores.groups:
        if group.by.get("plane") != plane:
            continue
        threshold = ", ".join(f"{value:.3g}" for value in thresholds_of(page.scores, group)) or "none"
        rest = {key: str(value) for key, value in group.by.items() if key != "plane"}
        words = ", ".join(f"{'centre' if key == 'center' else key} {value}" for key, value in rest.items())
        yield Row(words or "all", _tag(page, rest), group, threshold)


def _tag(page: Page, by: Mapping[str, str]) -> str:
    if not page.internal_centers or set(by) != {"center"}:
        return ""
    return "internal" if by["center"] in page.internal_centers else "external"


def _versions() -> dict[str, str]:
    libraries = {name: version(name) for name in ("numpy", "scipy")}
    return {"spinedet": __version__, "Python": platform.python_version(), **libraries}
