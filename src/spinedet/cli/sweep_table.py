"""The results of a sweep, as a table for the terminal."""

from __future__ import annotations

from collections.abc import Sequence

from rich.table import Table

from spinedet.cli.console import plain_table
from spinedet.report.number_format import two_lines
from spinedet.report.sweep_page import SweepLine


def sweep_table(lines: Sequence[SweepLine]) -> Table:
    """A row for each run, centre and plane, intervals beneath their numbers; it needs 80 characters."""
    table = plain_table("run\ncentre, plane", "scans\nlesions", "precision", "recall", "F1", "AP")
    table.padding = (0, 1, 0, 0)
    for column in table.columns[1:]:
        column.justify, column.no_wrap = "right", True
    for line in lines:
        group = line.group
        numbers = (two_lines(one) for one in (group.precision, group.recall, group.f1, group.ap))
        where, counts = f"{line.run}\n{line.center}, {line.plane}", f"{group.n.series}\n{group.n.lesions}"
        table.add_row(where, counts, *numbers)
    return table
