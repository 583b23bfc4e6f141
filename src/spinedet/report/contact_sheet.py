"""The page of an audit of radiographs: the cohort, its faults, and small pictures of the images, in one file."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from spinedet import __version__
from spinedet.audit.faults import Fault
from spinedet.core.files import write_text
from spinedet.report.audit_page import severities_in_words
from spinedet.report.html import render


@dataclass(frozen=True)
class Thumbnail:
    """One image on the sheet.

    Attributes:
        name: study and image. picture: PNG. facts: one line each. faults: its own, in words.
    """

    name: str
    picture: bytes
    facts: tuple[str, ...]
    faults: tuple[str, ...]


@dataclass(frozen=True)
class ContactSheet:
    """All that the page shows.

    Attributes:
        task: in words. notes: above everything else. headings, rows: of the cohort table, the first cell a centre.
        left_out: how many images have no picture.
    """

    task: str
    notes: tuple[str, ...]
    headings: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    faults: tuple[Fault, ...]
    thumbnails: tuple[Thumbnail, ...]
    left_out: int


def write_contact_sheet(path: Path, sheet: ContactSheet) -> None:
    """Write the page; pictures are inside it."""
    page = render(
        "contact_sheet.html",
        title="Audit of radiographs",
        notes=(*sheet.notes, *severities_in_words(sheet.faults)),
        sheet=sheet,
        version=__version__,
    )
    write_text(path, page)
