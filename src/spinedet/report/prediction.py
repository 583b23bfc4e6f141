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
from spinedet.report.rendering import render

_WARNING = "Research software, no medical device: nothing here is a diagnosis."


@dataclass(frozen=True, slots=True)
class Look:
    """One series that was looked at.

    Attributes:
        name: what the reader knows the series by.
        findings: all of them, whatever their score.
        picture: PNG of the findings that count; None when none was drawn.
    """

    name: str
    plane: Plane
    findings: tuple[Finding, ...]
    picture: Path | None


@dataclass(frozen=True, slots=True)
class Listing:
    """A look as the page lists it: findings that count, highest score first, and how many others there are."""

    name: str
    plane: str
    picture: str | None
    above: tuple[Finding, ...]
    below: int
    thresholds: Mapping[str, float]


def write_index(
    path: Path, title: str, looks: Sequence[Look], thresholds: Mapping[tuple[str, str], float], notes: tuple[str, ...]
) -> None:
    """Write the page; pictures stay files of their own and are linked relative to it.

    Args:
        path: the HTML file.
        title: headline.
        looks: in the order in which they are shown.
        thresholds: of the operating point, by (plane, category).
        notes: what a reader must know first.
    """
    listings = [_listing(look, thresholds, path.parent) for look in looks]
    write_text(
        path,
        render("prediction.html", title=title, notes=(_WARNING, *notes), listings=listings, version=__version__),
    )


def _listing(look: Look, thresholds: Mapping[tuple[str, str], float], folder: Path) -> Listing:
    limits = {category: value for (name, category), value in thresholds.items() if name == look.plane.value}
    above = [one for one in look.findings if one.score >= limits[one.category]]
    return Listing(
        name=look.name,
        plane=look.plane.value,
        picture=Path(os.path.relpath(look.picture, folder)).as_posix() if look.picture else None,
        above=tuple(sorted(above, key=lambda one: -one.score)),
        below=len(look.findings) - len(above),
        thresholds=limits,
    )
