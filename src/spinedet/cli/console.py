"""Terminal output: results on standard output, messages and progress on standard error."""

from __future__ import annotations

from collections.abc import Iterable

from rich.console import Console
from rich.text import Text

console = Console(stderr=True, highlight=False, soft_wrap=True)


# Tables are results: they go to standard output, messages and progress to standard error.
results = Console(highlight=False, soft_wrap=True)


# Of tables of long sentences where there is no terminal.
_PIPE_WIDTH = 160


def wide(to: Console) -> Console:
    """A console for tables of long sentences: as wide as the terminal, or 160 columns where there is none."""
    return Console(file=to.file, width=to.width if to.is_terminal else _PIPE_WIDTH, highlight=False)


def show_notes(notes: Iterable[str]) -> None:
    """What a reader must know before the results, a line each."""
    for note in notes:
        console.print(Text.assemble(("note ", "yellow"), note))


def escaped(text: str) -> str:
    return text.replace("[", r"\[")
