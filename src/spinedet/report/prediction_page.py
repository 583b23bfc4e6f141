"""The page of predictions: findings and pictures of every series, and the worklist."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from spinedet import __version__
from spinedet.core.anatomy import Plane
from spinedet.core.files import write_text
from spinedet.core.types import Finding
from spinedet.report.html import render

# Rows of the worklist on one page; further ones are on pages of their own.
WORKLIST_ROWS = 1000
_WARNING = "Research software, no medical device: nothing here is a diagnosis."


@dataclass(frozen=True, slots=True)
class Entry:
    """One predicted series.

    Attributes:
        name: shown for the series.
        findings: all of them, whatever their score.
        picture: PNG of the findings above the operating point; None when none was drawn.
        remarks: input checks of the series that are not ok.
        reading: the study's reading page.
    """

    name: str
    plane: Plane
    findings: tuple[Finding, ...]
    picture: Path | None
    remarks: tuple[str, ...] = ()
    reading: Path | None = None


@dataclass(frozen=True, slots=True)
class WorklistRow:
    """One study of the worklist.

    Attributes:
        reading: its reading page. best: highest score above the operating point, None without one; above: how many
            findings are. concerns: how many input checks are not ok. unresolved: whether no level is named.
    """

    study: str
    reading: Path
    best: float | None
    above: int
    concerns: int
    unresolved: bool

    @property
    def priority(self) -> tuple[float, int, bool, str]:
        """Sort key: high scores first, then doubtful images and unresolved levels."""
        return (-(self.best or 0.0), -self.concerns, not self.unresolved, self.study)


@dataclass(frozen=True, slots=True)
class Listing:
    """A series as the page lists it: findings above the operating point by falling score, and how many are below."""

    name: str
    plane: str
    picture: str | None
    above: tuple[Finding, ...]
    below: int
    thresholds: Mapping[str, float]
    remarks: tuple[str, ...]
    reading: str | None


def write_index(
    path: Path,
    title: str,
    entries: Sequence[Entry],
    thresholds: Mapping[tuple[str, str], float],
    notes: tuple[str, ...],
    worklist: Sequence[WorklistRow] = (),
) -> None:
    """Write the page, and `worklist-2.html` and so on where the worklist is longer than `WORKLIST_ROWS`.

    Pictures stay files of their own and are linked relative to the page.

    Args:
        path: the HTML file.
        title: headline.
        entries: in the order in which they are shown.
        thresholds: of the operating point, by (plane, category).
        notes: shown in the banner. worklist: all studies, in any order.
    """
    listings = [_listing(entry, thresholds, path.parent) for entry in entries]
    rows = [(row, _relative(row.reading, path.parent)) for row in sorted(worklist, key=lambda row: row.priority)]
    starts = range(0, max(len(rows), 1), WORKLIST_ROWS)
    pages = [path.name, *(f"worklist-{number}.html" for number in range(2, len(starts) + 1))]
    for number, (start, name) in enumerate(zip(starts, pages, strict=True), start=1):
        shown = {
            "notes": (_WARNING, *notes),
            "listings": listings if number == 1 else [],
            "worklist": rows[start : start + WORKLIST_ROWS],
            "studies": len(rows),
            "pages": pages,
            "number": number,
            "version": __version__,
        }
        write_text(path.with_name(name), render("prediction.html", title=title, **shown))


def _listing(entry: Entry, thresholds: Mapping[tuple[str, str], float], folder: Path) -> Listing:
    limits = {category: value for (name, category), value in thresholds.items() if name == entry.plane.value}
    above = [one for one in entry.findings if one.score >= limits[one.category]]
    return Listing(
        name=entry.name,
        plane=entry.plane.value,
        picture=_relative(entry.picture, folder),
        above=tuple(sorted(above, key=lambda one: -one.score)),
        below=len(entry.findings) - len(above),
        thresholds=limits,
        remarks=entry.remarks,
        reading=_relative(entry.reading, folder),
    )


def _relative(path: Path | None, folder: Path) -> str | None:
    return Path(os.path.relpath(path, folder)).as_posix() if path else None
