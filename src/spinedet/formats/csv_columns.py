"""CSV tables: columns by name, rows by line."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator
from io import StringIO
from pathlib import Path
from typing import TypeAlias

from spinedet.core.errors import InputError
from spinedet.core.files import read_text

Row: TypeAlias = dict[str, str]
# Key of what a row holds beyond the columns, as where a decimal comma splits a number.
SURPLUS = ""
_DELIMITERS = (",", ";", "\t")


def read_table(path: Path, columns: Iterable[str]) -> list[Row]:
    """The rows of a published CSV table by column name, without blanks around the values.

    Raises:
        InputError: there is no such file, it is no CSV text, one of `columns` is missing, or a row is longer than the
            header.
    """
    rows = list(read_rows(path, columns))
    for line, row in rows:
        if SURPLUS in row:
            raise InputError(f"{path}, line {line}: more cells than columns; is a comma in one of them not quoted?")
    return [row for _, row in rows]


def read_rows(path: Path, columns: Iterable[str]) -> Iterator[tuple[int, Row]]:
    """Line number and row, where cells beyond the last column are joined under `SURPLUS`.

    Comma, semicolon and tab separate cells, whichever the header uses; with the last two, numbers may have a decimal
    comma, which becomes a point.

    Raises:
        InputError: there is no such file, it is no CSV text, or one of `columns` is missing.
    """
    text = read_text(path)
    delimiter = max(_DELIMITERS, key=text.partition("\n")[0].count)
    try:
        reader = csv.reader(StringIO(text, newline=""), delimiter=delimiter)
        found = [name.strip() for name in next(reader, [])]
        missing = [name for name in columns if name not in found]
        if missing:
            raise InputError(f"{path} has no column {missing[0]!r}; its columns are {', '.join(found) or 'none'}")
        repeated = [name for name in found if name and found.count(name) > 1]
        if repeated:
            raise InputError(f"{path} has the column {repeated[0]!r} twice; remove one")
        line = reader.line_num + 1
        for cells in reader:
            if any(cell.strip() for cell in cells):
                yield line, _row(found, [cell.strip() for cell in cells], delimiter)
            line = reader.line_num + 1
    except csv.Error as error:
        raise InputError(f"{path} cannot be read as a CSV table ({error}); copy it again") from None


def _row(names: list[str], cells: list[str], delimiter: str) -> Row:
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
