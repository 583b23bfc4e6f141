"""The page of a classification: one task, its networks and readers, with the published numbers beside them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from spinedet import __version__
from spinedet.core.files import write_text
from spinedet.report.curves import Cross, Figure, Style, Tick, Trace, share_x, share_y, style_of
from spinedet.report.html import render
from spinedet.report.label_parts import one_image_each, part_in_words, without_repeated_items
from spinedet.report.number_format import MARKS
from spinedet.scoring.classification.evaluate import AS_ANSWERED
from spinedet.scoring.classification.records import FindingScore, LabelGroup, LabelScores
from spinedet.scoring.records import Estimate


@dataclass(frozen=True, slots=True)
class Published:
    """What a paper reports for a task like this one, on other patients.

    Attributes:
        source: to be cited. numbers: name and value as printed. remarks: what a reader must know beside them.
    """

    source: str
    numbers: tuple[tuple[str, str], ...]
    remarks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Picture:
    """An image with its heat map as PNG data, and a caption."""

    uri: str
    caption: str


@dataclass(frozen=True, slots=True)
class Extras:
    """What a run knows beside its scores: facts in name and value, pictures, and published numbers."""

    facts: tuple[tuple[str, str], ...] = ()
    pictures: tuple[Picture, ...] = ()
    published: Published | None = None


def write_label_page(path: Path, scores: LabelScores, extras: Extras) -> None:
    """Write one self-contained page."""
    write_text(path, label_page(scores, extras))


def label_page(scores: LabelScores, extras: Extras) -> str:
    """The page as HTML."""
    return render("labels.html", **view_of(scores, extras))


def view_of(scores: LabelScores, extras: Extras) -> dict[str, Any]:
    """What the template shows."""
    single = one_image_each(scores)
    scores = without_repeated_items(scores)
    everyone = (scores, *scores.others)
    return {
        "title": f"{scores.task['name']}: {scores.model_name} on {scores.name}",
        "notes": scores.notes,
        "scores": scores,
        "single": single,
        "everyone": everyone,
        "whole": [group for group in scores.groups if "center" not in group.by],
        "figures": [(title, draw) for title, draw in (_curves(by, everyone) for by in _units(scores)) if draw.traces],
        "extras": extras,
        "keys": [(style_of(row), one.model_name) for row, one in enumerate(everyone)],
        "marks": MARKS,
        "as_answered": AS_ANSWERED,
        "version": __version__,
    }


def _units(scores: LabelScores) -> list[dict[str, str]]:
    return [group.by for group in scores.groups if "center" not in group.by]


def _curves(by: dict[str, str], everyone: Sequence[LabelScores]) -> tuple[str, Figure]:
    """ROC curves with each one's answers as a point, and the point's exact intervals."""
    traces = []
    for row, one in enumerate(everyone):
        group = one.group(**by)
        finding = group.answer(AS_ANSWERED).finding
        if finding is not None:
            traces.append(_trace(style_of(row), group, finding))
    figure = Figure(
        kind="ROC",
        plane=part_in_words(by),
        x_label="1 − specificity",
        y_label="sensitivity",
        x_ticks=_ticks(horizontal=True),
        y_ticks=_ticks(horizontal=False),
        traces=tuple(traces),
    )
    return part_in_words(by).capitalize() if "view" not in by else part_in_words(by), figure


def _ticks(*, horizontal: bool) -> tuple[Tick, ...]:
    place = share_x if horizontal else share_y
    return tuple(Tick(place(share), f"{share:g}") for share in (0.0, 0.2, 0.4, 0.6, 0.8, 1.0))


def _trace(style: Style, group: LabelGroup, finding: FindingScore) -> Trace:
    corners = [(share_x(point.x), share_y(point.y)) for point in group.curve]
    path = "M" + "L".join(f"{x:g} {y:g}" for x, y in corners) if corners else ""
    true, cleared = finding.sensitivity_exact, finding.specificity_exact
    if true.value is None or cleared.value is None:
        return Trace(style, path, "", None)
    point = Cross(
        x=share_x(1 - cleared.value),
        y=share_y(true.value),
        across=_span(_flipped(cleared), horizontal=True),
        upright=_span(true, horizontal=False),
    )
    return Trace(style, path, "", point)


def _flipped(share: Estimate) -> Estimate:
    return Estimate(
        value=None if share.value is None else 1 - share.value,
        low=None if share.high is None else 1 - share.high,
        high=None if share.low is None else 1 - share.low,
    )


def _span(share: Estimate, *, horizontal: bool) -> tuple[float, float] | None:
    if share.low is None or share.high is None:
        return None
    place = share_x if horizontal else share_y
    return place(share.low), place(share.high)
