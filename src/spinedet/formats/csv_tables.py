"""CSV tables: columns by name, rows by line."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import TypeAlias

from spinedet.core.errors import InputError
from spinedet.core.files import read_text, refuse_repeats

Row: TypeAlias = dict[str, str]
# Key of what a row holds beyond the columns, as where a decimal comma splits a number.
SURPLUS = ""
_DELIMITERS = (",", ";", "\t")


@dataclass(frozen=True)
class CsvTable:
    """The columns of a table, and its rows with line numbers; cells beyond the last column are under `SURPLUS`."""

    columns: tuple[str, ...]
    rows: tuple[tuple[int, Row], ...]


def read_table(path: Path, columns: Iterable[str]) -> list[Row]:
    """The rows of a published CSV table by column name, without blanks around the values.

    Raises:
        InputError: as `read_csv`, or one of `columns` is missing, or a row is longer than the header.
    """
    rows = read_rows(path, columns)
    for line, row in rows:
        if SURPLUS in row:
            raise InputError(f"{path}, line {line}: more cells than columns; is a comma in one of them not quoted?")
    return [row for _, row in rows]


def read_rows(path: Path, columns: Iterable[str]) -> tuple[tuple[int, Row], ...]:
    """Line numbers and rows of a table.

    Raises:
        InputError: as `read_csv`, or one of `columns` is missing.
    """
    table = read_csv(path)
    missing = [name for name in columns if name not in table.columns]
    if missing:
        raise InputError(f"{path} has no column {missing[0]!r}; its columns are {', '.join(table.columns) or 'none'}")
    return table.rows


def read_csv(path: Path) -> CsvTable:
    """A table, UTF-8 with or without a byte order mark.

    Comma, semicolon or tab separate cells, whichever the header uses; with the last two, numbers may have a decimal
    comma, which becomes a point.

    Raises:
        InputError: there is no such file, it is no CSV text, or a column comes twice.
    """
    text = read_text(path)
    delimiter = max(_DELIMITERS, key=text.partition("\n")[0].count)
    rows: list[tuple[int, Row]] = []
    try:
        reader = csv.reader(StringIO(text, newline=""), delimiter=delimiter)
        columns = tuple(name.strip() for name in next(reader, []))
        line = reader.line_num + 1
        for cells in reader:
            if any(cell.strip() for cell in cells):
                rows.append((line, _row(columns, [cell.strip() for cell in cells], delimiter)))
            line = reader.line_num + 1
    except csv.Error as error:
        raise InputError(f"{path} cannot be read as a CSV table ({error}); copy it again") from None
    refuse_repeats(filter(None, columns), str(path), "column")
    return CsvTable(columns, tuple(rows))


def _row(names: Sequence[str], cells: list[str], delimiter: str) -> Row:
    if delimiter != ",":
        cells = [_with_decimal_point(cell) for cell in cells]
    row = dict(zip(names, [*cells, *[""] * (len(names) - len(cells))], strict=False))
    row.pop(SURPLUS, None)
    surplus = delimiter.join(cells[len(names) :]).strip(delimiter)
    return {**row, SURPLUS: surplus} if surplus else row


def _with_decimal_point(cell: str) -> str:
    pointed = cell.replace(",", ".")
    return pointed if cell.count(",") == 1 and number(pointed) is not None else cell


def number(text: str) -> float | None:
    """A finite number, or None for a blank or anything else."""
    try:
        value = float(text)
    except ValueError:
        return None
    return value if abs(value) < float("inf") and "_" not in text else None
