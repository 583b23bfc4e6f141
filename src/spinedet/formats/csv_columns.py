"""CSV tables as they are published, their columns checked at the door."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from pathlib import Path
from typing import TypeAlias

from spinedet.core.errors import InputError

Row: TypeAlias = dict[str, str]


def read_table(path: Path, columns: Iterable[str]) -> list[Row]:
    """The rows of a CSV file by column name, blanks around every value taken off.

    Raises:
        InputError: there is no such file, it is no CSV text, or one of `columns` is missing.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            reader = csv.DictReader(stream)
            found = [name.strip() for name in reader.fieldnames or ()]
            rows = [dict(zip(found, map(_clean, row.values()), strict=False)) for row in reader]
    except FileNotFoundError:
        raise InputError(f"{path} does not exist; root= must be the folder that holds it") from None
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path} cannot be read as a CSV table ({error}); copy it again") from None
    missing = [name for name in columns if name not in found]
    if missing:
        raise InputError(f"{path} has no column {missing[0]!r}; its columns are {', '.join(found) or 'none'}")
    return rows


def _clean(value: object) -> str:
    return value.strip() if isinstance(value, str) else ""


def number(text: str) -> float | None:
    """A finite number, or None for a blank or anything else."""
    try:
        value = float(text)
    except ValueError:
        return None
    return value if abs(value) < float("inf") else None
