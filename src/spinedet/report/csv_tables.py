"""CSV files for whoever goes on in a spreadsheet."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping, Sequence
from io import StringIO
from pathlib import Path

from spinedet.core.files import write_pieces, write_text
from spinedet.scoring.error_analysis import Cases, Picked, lesions_table, matches_tables
from spinedet.scoring.statistics.curve_bands import CurvePoint

_SPECIAL = frozenset(',"\r\n')
_ROWS_AT_ONCE = 1 << 16


def write_matches(folder: Path, cases: Cases) -> None:
    """Write `matches.csv`, a row per finding, and `lesions.csv`, a row per lesion."""
    write_pieces(folder / "matches.csv", (text.encode() for text in _matches(cases)))
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


def _matches(cases: Cases) -> Iterator[str]:
    """A million rows in a second: cells are quoted by distinct value, and few rows are in memory at once."""
    for number, table in enumerate(matches_tables(cases, _ROWS_AT_ONCE)):
        if number == 0:
            yield ",".join(",".join(one.columns) if isinstance(one, Picked) else one.column for one in table) + "\n"
        rows = zip(*(_picked(one) if isinstance(one, Picked) else one.cells for one in table), strict=True)
        yield "".join(f"{','.join(row)}\n" for row in rows)


def _picked(group: Picked) -> list[str]:
    rows = group.rows.tolist()
    names = {row: ",".join(map(_cell, group.names[row])) for row in set(rows)}
    return [names[row] for row in rows]


def _table(columns: Mapping[str, Sequence[str]]) -> str:
    quoted = [map(_cell, column) for column in columns.values()]
    return "\n".join([",".join(columns), *map(",".join, zip(*quoted, strict=True))]) + "\n"


def _cell(text: str) -> str:
    return '"' + text.replace('"', '""') + '"' if not _SPECIAL.isdisjoint(text) else text
