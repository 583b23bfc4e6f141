"""Two detectors on the same patients as a page."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from spinedet.core.files import write_text
from spinedet.report.document import Block, Document, Heading, Paragraph, TextTable, html
from spinedet.report.html import change_in_text
from spinedet.report.number_format import DASH, plain
from spinedet.scoring import Comparison

_HEAD = ("Statistic", "First", "Second", "Second minus first", "p", "p (Holm)")


def write_comparison_page(path: Path, comparison: Comparison) -> None:
    """Write `comparison.html`."""
    write_text(path, html(comparison_document(comparison)))


def comparison_document(comparison: Comparison) -> Document:
    """A table for every part of the cohort: both values, and the difference with its interval."""
    title = f"{comparison.second} against {comparison.first}"
    return Document(title, comparison.notes, tuple(_blocks(comparison)))


def _blocks(comparison: Comparison) -> Iterator[Block]:
    yield Paragraph(f"First: {comparison.first}. Second: {comparison.second}. {comparison.criterion['description']}.")
    yield Paragraph(
        f"Each at its own frozen threshold, on common resamples of the patients: {comparison.bootstrap.description}. "
        "p is two-sided; Holm's correction is over the centres and categories of one plane and statistic."
    )
    parts = list(dict.fromkeys(tuple(one.by.items()) for one in comparison.differences))
    for part in parts:
        rows = tuple(
            (
                one.metric,
                *(DASH if value is None else plain(value) for value in (one.first, one.second)),
                change_in_text(one.difference) if one.difference.value is not None else one.difference.reason or DASH,
                *(DASH if value is None else plain(value, 4) for value in (one.p, one.p_holm)),
            )
            for one in comparison.differences
            if tuple(one.by.items()) == part
        )
        yield Heading(", ".join(str(value) for _, value in part).capitalize() or "Everything", 3)
        yield TextTable(_HEAD, rows)
