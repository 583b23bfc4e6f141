"""Files for other tools: COCO, PI-CAI and plain CSV."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np

from spinedet.core.errors import InputError
from spinedet.core.files import write_json, write_text
from spinedet.scoring.matching.cohort import Cohort, Lesions, Marks
from spinedet.scoring.matching.greedy import ABSORBED
from spinedet.scoring.matching.overlaps import Boxes
from spinedet.scoring.metrics.matched_cohort import MatchedCohort

VECTOR = ("r", "a", "s")
CSV_HEADER = (
    *("study", "series", "category", "score", "level"),
    *(f"center_{axis}" for axis in VECTOR),
    *(f"size_{axis}" for axis in "xyz"),
    *(f"axis_{row}_{axis}" for row in "xyz" for axis in VECTOR),
)


def export_csv(folder: Path, matched: MatchedCohort, boxes: Boxes) -> None:
    """Write `findings.csv`: a row per finding in RAS mm; a study that was read without findings has a bare row.

    The nine cells of the axes are empty where the box lies along R, A, S.
    """
    cohort = matched.cohort
    stream = StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(CSV_HEADER)
    writer.writerows(_row(cohort, boxes, row) for row in range(len(cohort.marks.row)))
    silent = sorted({study.id for study in cohort.studies} - {_study(cohort, scan) for scan in set(cohort.marks.scan)})
    writer.writerows([study] for study in silent)
    write_text(folder / "findings.csv", stream.getvalue())


def export_coco(folder: Path, matched: MatchedCohort, boxes: Boxes) -> None:
    """Write `coco_reference.json` and `coco_findings.json`, ids from 1, one image per series.

    COCO's `bbox` is flat: it holds the extent along R and A of boxes measured along R, A, S. The whole box is in
    `box`, as in this project's own files, for evaluators whose `computeIoU` is overridden.
    """
    cohort = matched.cohort
    lesions, marks = cohort.lesions, cohort.marks
    images = [
        {"id": scan + 1, "file_name": f"{_study(cohort, scan)}/{series}"}
        for scan, series in enumerate(cohort.scans.series)
    ]
    categories = [{"id": row + 1, "name": name} for row, name in enumerate(cohort.categories)]
    annotations = [
        {**_annotation(lesions, lesions.boxes, row), "iscrowd": int(lesions.ignore[row])}
        for row in range(len(lesions.records))
    ]
    results = [{**_annotation(marks, boxes, row), "score": float(marks.score[row])} for row in range(len(marks.row))]
    reference = {"images": images, "categories": categories, "annotations": annotations}
    write_json(folder / "coco_reference.json", reference)
    write_json(folder / "coco_findings.json", results)


def export_picai(folder: Path, matched: MatchedCohort) -> None:
    """Write `picai_metrics.json`, which picai_eval's `Metrics` loads: per scan (is lesion, score, closeness).

    Raises:
        InputError: a score is not above 0; picai_eval marks missed lesions by the score 0.
    """
    cohort, matches = matched.cohort, matched.matches
    if len(cohort.marks.score) and cohort.marks.score.min() <= 0:
        raise InputError("export=picai needs scores above 0, because picai_eval marks missed lesions by the score 0")
    cases: list[list[list[float]]] = [[] for _ in cohort.scans.series]
    for row in np.flatnonzero(matches.lesion != ABSORBED).tolist():
        hit = int(matches.lesion[row] >= 0)
        cases[cohort.marks.scan[row]].append([hit, float(cohort.marks.score[row]), float(hit)])
    for row in np.flatnonzero((matches.finding < 0) & ~cohort.lesions.ignore).tolist():
        cases[cohort.lesions.scan[row]].append([1, 0.0, 0.0])
    names = [f"{_study(cohort, scan)}/{series}" for scan, series in enumerate(cohort.scans.series)]
    results = dict(zip(names, cases, strict=True))
    content = {
        "lesion_results": results,
        "lesion_weight": {name: [1] * len(found) for name, found in results.items()},
        "case_pred": {name: max((one[1] for one in found), default=0.0) for name, found in results.items()},
        "case_target": {name: max((int(one[0]) for one in found), default=0) for name, found in results.items()},
        "case_weight": dict.fromkeys(names, 1),
    }
    write_json(folder / "picai_metrics.json", content)


EXPORTS: dict[str, Callable[[Path, MatchedCohort, Boxes], None]] = {
    "csv": export_csv,
    "coco": export_coco,
    "picai": lambda folder, matched, _: export_picai(folder, matched),
}


def _study(cohort: Cohort, scan: int) -> str:
    return cohort.studies[cohort.scans.study[scan]].id


def _row(cohort: Cohort, boxes: Boxes, row: int) -> Iterator[Any]:
    marks = cohort.marks
    level = int(marks.level[row])
    yield _study(cohort, int(marks.scan[row]))
    yield cohort.scans.series[marks.scan[row]]
    yield cohort.categories[marks.category[row]]
    yield float(marks.score[row])
    yield cohort.level_names[level] if level >= 0 else ""
    yield from boxes.center[row].tolist()
    yield from boxes.size[row].tolist()
    if boxes.frame[row]:
        yield from boxes.frames[boxes.frame[row]].ravel().tolist()


def _annotation(things: Lesions | Marks, boxes: Boxes, row: int) -> dict[str, Any]:
    frame = boxes.frames[boxes.frame[row]]
    extent = np.abs(frame).T @ boxes.size[row]
    low = boxes.center[row] - extent / 2
    return {
        "id": row + 1,
        "image_id": int(things.scan[row]) + 1,
        "category_id": int(things.category[row]) + 1,
        "bbox": [*low[:2].tolist(), *extent[:2].tolist()],
        "area": float(extent[0] * extent[1]),
        "box": _box(boxes, row),
    }


def _box(boxes: Boxes, row: int) -> dict[str, Any]:
    axes = {"axes": boxes.frames[boxes.frame[row]].tolist()} if boxes.frame[row] else {}
    return {"center": boxes.center[row].tolist(), "size": boxes.size[row].tolist(), **axes}
