"""Filled checklists as documents."""

from __future__ import annotations

from collections.abc import Iterator

from spinedet.checklists.checklist import FilledChecklist, Row
from spinedet.report.document import Block, Bullets, Document, Heading, Paragraph, TextTable

_HEAD = ("Item", "Topic", "Answer", "Shown in", "Page", "State")
_LONGEST = 600  # characters of an answer in the table


def checklist_document(filled: FilledChecklist) -> Document:
    """A row for each item; answers that are too long for a table follow it as numbered notes."""
    notes: list[str] = []
    rows = tuple(_cells(row, notes) for row in filled.rows)
    return Document(f"{filled.title}: {filled.subject}", filled.notes, tuple(_blocks(filled, rows, notes)))


def _blocks(filled: FilledChecklist, rows: tuple[tuple[str, ...], ...], notes: list[str]) -> Iterator[Block]:
    yield Paragraph(
        f"Numbering of {filled.title} (doi:{filled.doi}), wording ours: copy the answers into the official form. "
        "auto: copied from the files named; draft: written by the program, open until a person confirms it; human: "
        "answered by a person, or open."
    )
    listed = ", ".join(f"{name} {count}" for name, count in filled.counts.items())
    yield Paragraph(f"To do, by item: {listed}. This counts work and says nothing of the quality of a study.")
    yield TextTable(_HEAD, rows)
    if notes:
        yield Heading("Long answers")
        yield Bullets(tuple(notes))
    if filled.notes:
        yield Heading("Notes that the limitations should address")
        yield Bullets(filled.notes)


def _cells(row: Row, notes: list[str]) -> tuple[str, ...]:
    answer = row.answer
    if len(answer) > _LONGEST:
        notes.append(f"Note {len(notes) + 1} (item {row.item}): {answer}")
        answer = f"See note {len(notes)}."
    state = f"{row.state}, open" if row.open else row.state
    return (row.item, row.title, answer, row.source, "", f"{state}; {row.remark}" if row.remark else state)
