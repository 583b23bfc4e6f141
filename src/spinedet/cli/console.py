"""Terminal output: results on standard output, messages and progress on standard error; no text is markup."""

from __future__ import annotations

from collections.abc import Iterable

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

console = Console(stderr=True, highlight=False, soft_wrap=True, markup=False)


# Tables are results: they go to standard output, messages and progress to standard error.
results = Console(highlight=False, soft_wrap=True, markup=False)


# Of tables where there is no terminal.
_PIPE_WIDTH = 160


def show_table(table: Table) -> None:
    """Print a table as wide as the terminal, or 160 columns where there is none."""
    width = results.width if results.is_terminal else _PIPE_WIDTH
    Console(file=results.file, width=width, highlight=False, markup=False).print(table)


def plain_table(*columns: str, title: str | None = None) -> Table:
    """A table without lines between columns, which breaks what is too long for a cell and never cuts it."""
    table = Table(box=SIMPLE_HEAD, show_edge=False, pad_edge=False, title=title, title_justify="left")
    for name in columns:
        table.add_column(name, overflow="fold")
    return table


def show_labelled(label: str, text: str, style: str = "yellow") -> None:
    """A message behind a word in colour; on a terminal it breaks between words."""
    console.print(Text.assemble((label, style), " ", text), soft_wrap=not console.is_terminal)


def show_notes(notes: Iterable[str]) -> None:
    """What a reader must know before the results."""
    for note in notes:
        show_labelled("note", note)
