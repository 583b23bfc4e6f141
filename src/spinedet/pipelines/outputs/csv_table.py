"""`findings.csv`: one row per finding, for spreadsheets and statistics programs."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator

from spinedet.core.files import write_pieces
from spinedet.core.grades import SCALES
from spinedet.core.types import Finding
from spinedet.pipelines.outputs.writer import Output, OutputContext
from spinedet.pipelines.prediction import StudyRecord

_GRADES = tuple(SCALES)
# `axis_1_r` is the R component of the direction along which `size_1_mm` is measured.
COLUMNS = (
    *("study", "series", "plane", "category", "level", "score", "above_operating_point", "severity"),
    *_GRADES,
    *("center_r_mm", "center_a_mm", "center_s_mm", "size_1_mm", "size_2_mm", "size_3_mm"),
    *(f"axis_{number}_{letter}" for number in (1, 2, 3) for letter in "ras"),
)


def _write(records: Callable[[], Iterator[StudyRecord]], context: OutputContext) -> None:
    write_pieces(context.folder / "findings.csv", _lines(records()))


def _lines(records: Iterator[StudyRecord]) -> Iterator[bytes]:
    yield _line(COLUMNS)
    for record in records:
        planes = {one.series: one.plane for one in record.series}
        for finding in record.findings.findings if record.findings else ():
            yield _line((record.id, finding.series, planes[finding.series], *_values(finding)))


def _values(finding: Finding) -> Iterator[object]:
    """The columns from `category` on; what is not known is empty."""
    grades = finding.grades or {}
    yield from (finding.category, finding.level, finding.score)
    yield "yes" if finding.above_operating_point else "no"
    yield finding.severity
    yield from (grades.get(name) for name in _GRADES)
    yield from (*finding.box.center, *finding.box.size)
    yield from (value for axis in finding.box.axes for value in axis)


def _line(values: tuple[object, ...]) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerow(values)
    return text.getvalue().encode()


OUTPUT = Output("findings.csv", write_summary=_write)
