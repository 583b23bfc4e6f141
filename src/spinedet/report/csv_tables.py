"""CSV files for whoever goes on in a spreadsheet."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping, Sequence
from io import StringIO
from pathlib import Path

from spinedet.core.files import write_text
from spinedet.scoring.error_analysis import Cases, lesions_table, matches_table
from spinedet.scoring.statistics.curve_bands import CurvePoint

_SPECIAL = frozenset(',"\r\n')


def write_matches(folder: Path, cases: Cases) -> None:
    """Write `matches.csv`, a row per finding, and `lesions.csv`, a row per lesion."""
    write_text(folder / "matches.csv", _table(matches_table(cases)))
    write_text(folder / "lesions.csv", _table(lesions_table(cases)))


def write_curves(path: Path, curves: Sequence[tuple[Mapping[str, str], Sequence[CurvePoint]]]) -> None:
    """Write `curves.csv`: every curve's points with their bands; plane and centre name the part."""
    stream = StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(["curve", "plane", "center", "x", "y", "low", "high", "threshold"])
    for by, points in curves:
        writer.writerows(_point(by, point) for point in points)
    write_text(path, stream.getvalue())


def _point(by: Mapping[str, str], point: CurvePoint) -> Iterator[str | float | None]:
    yield from (point.curve, by.get("plane", ""), by.get("center", ""))
    yield from (point.x, point.y.value, point.y.low, point.y.high, point.threshold)


def _table(columns: Mapping[str, Sequence[str]]) -> str:
    """A million rows in a second or two: cells are quoted by distinct value."""
    quoted = [_quoted(column) for column in columns.values()]
    return "\n".join([",".join(columns), *map(",".join, zip(*quoted, strict=True))]) + "\n"


def _quoted(column: Sequence[str]) -> Sequence[str]:
    special = {cell: '"' + cell.replace('"', '""') + '"' for cell in set(column) if _SPECIAL & set(cell)}
    return [special.get(cell, cell) for cell in column] if special else column
