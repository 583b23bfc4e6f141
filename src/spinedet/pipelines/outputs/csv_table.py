"""`findings.csv`, one row per finding, and `levels.csv`, one per level: for spreadsheets and statistics programs."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator, Mapping, Sequence

from spinedet.core.anatomy import Plane
from spinedet.core.files import write_pieces
from spinedet.core.grades import SCALES
from spinedet.core.types import Finding, FusedFinding
from spinedet.pipelines.outputs.writer import Output, OutputContext
from spinedet.pipelines.prediction import StudyRecord

_GRADES = tuple(SCALES)
# `axis_1_r` is the R component of the direction along which `size_1_mm` is measured.
COLUMNS = (
    *("study", "series", "plane", "category", "level", "ordinal", "score", "above_operating_point", "severity"),
    *_GRADES,
    *("center_r_mm", "center_a_mm", "center_s_mm", "size_1_mm", "size_2_mm", "size_3_mm"),
    *(f"axis_{number}_{letter}" for number in (1, 2, 3) for letter in "ras"),
    "level_if_six_lumbar",
)


# `score_sagittal` is the highest score of the level in that plane; empty where the plane shows no finding of it.
LEVEL_COLUMNS = (
    *("study", "level", "ordinal", "category", "above_operating_point"),
    *(f"score_{plane.value}" for plane in Plane),
    "score_fused",
    *_GRADES,
    *("findings", "level_if_six_lumbar"),
)


def _write(records: Callable[[], Iterator[StudyRecord]], context: OutputContext) -> None:
    write_pieces(context.folder / "findings.csv", _lines(records()))
    write_pieces(context.folder / "levels.csv", _level_lines(records()))


def _lines(records: Iterator[StudyRecord]) -> Iterator[bytes]:
    yield _line(COLUMNS)
    for record in records:
        planes = {one.series: one.plane for one in record.series}
        for finding in record.findings.findings if record.findings else ():
            yield _line((record.id, finding.series, planes[finding.series], *_values(finding)))


def _level_lines(records: Iterator[StudyRecord]) -> Iterator[bytes]:
    yield _line(LEVEL_COLUMNS)
    for record in records:
        if record.findings is not None:
            planes = {one.series: one.plane for one in record.series}
            for place in _places(record.findings.findings):
                yield _line((record.id, *_level_values(place, planes, record.findings.fused or ())))


def _places(findings: Sequence[Finding]) -> list[list[Finding]]:
    """Findings of one category by level, else by ordinal, else each by itself; from head to foot."""
    places: dict[tuple[object, ...], list[Finding]] = {}
    for number, one in enumerate(findings):
        where = one.level or one.ordinal or f"number {number}"
        places.setdefault((one.category, where), []).append(one)
    return sorted(places.values(), key=lambda place: -max(one.box.center[2] for one in place))


def _level_values(place: list[Finding], planes: Mapping[str, str], fused: Sequence[FusedFinding]) -> Iterator[object]:
    best = max(place, key=lambda one: one.score)
    yield from (best.level, best.ordinal, best.category)
    yield "yes" if any(one.above_operating_point for one in place) else "no"
    for plane in Plane:
        yield max((one.score for one in place if planes[one.series] == plane.value), default=None)
    same = (one.score for one in fused if best.level and (one.level, one.category) == (best.level, best.category))
    yield max(same, default=None)
    graded = max((one for one in place if one.grades), key=lambda one: one.score, default=best)
    yield from ((graded.grades or {}).get(name) for name in _GRADES)
    yield len(place)
    yield _if_six(best)


def _values(finding: Finding) -> Iterator[object]:
    """The columns from `category` on; what is not known is empty."""
    grades = finding.grades or {}
    yield from (finding.category, finding.level, finding.ordinal, finding.score)
    yield "yes" if finding.above_operating_point else "no"
    yield finding.severity
    yield from (grades.get(name) for name in _GRADES)
    yield from (*finding.box.center, *finding.box.size)
    yield from (value for axis in finding.box.axes for value in axis)
    yield _if_six(finding)


def _if_six(finding: Finding) -> object:
    """Its level if there are six lumbar vertebrae and not five, where levels were counted."""
    return (finding.naming or {}).get("if_six_lumbar")


def _line(values: tuple[object, ...]) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerow(values)
    return text.getvalue().encode()


OUTPUT = Output("findings.csv", write_summary=_write)
