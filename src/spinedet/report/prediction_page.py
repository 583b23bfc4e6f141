"""The page over the pictures of images that nobody has annotated."""

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

_WARNING = "Research software, no medical device: nothing here is a diagnosis."


@dataclass(frozen=True, slots=True)
class Entry:
    """One series that was looked at.

    Attributes:
        name: what the reader knows the series by.
        findings: all of them, whatever their score.
        picture: PNG of the findings that count; None when none was drawn.
        remarks: why the series may not be one to ask about.
        reading: the study's reading page.
    """

    name: str
    plane: Plane
    findings: tuple[Finding, ...]
    picture: Path | None
    remarks: tuple[str, ...] = ()
    reading: Path | None = None


@dataclass(frozen=True, slots=True)
class Listing:
    """A look as the page lists it: findings that count, highest score first, and how many others there are."""

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
) -> None:
    """Write the page; pictures stay files of their own and are linked relative to it.

    Args:
        path: the HTML file.
        title: headline.
        entries: in the order in which they are shown.
        thresholds: of the operating point, by (plane, category).
        notes: what a reader must know first.
    """
    listings = [_listing(entry, thresholds, path.parent) for entry in entries]
    write_text(
        path,
        render("prediction.html", title=title, notes=(_WARNING, *notes), listings=listings, version=__version__),
    )


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
