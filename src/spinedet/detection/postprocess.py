"""From a model's boxes on the working grid to findings in RAS millimetres."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from spinedet.core.geometry import EdgeBox, Grid
from spinedet.core.types import Finding
from spinedet.detection.batch import Detections

MOST_FINDINGS = 100
# What sticks out of the image is cut off; a box of which less than this is left (mm) is not a finding.
THINNEST_MM = 0.5


def findings(
    detections: Detections,
    grid: Grid,
    series: str,
    categories: Sequence[str],
    min_score: float,
    grades: Sequence[str] = (),
) -> tuple[Finding, ...]:
    """Findings of one scan by descending score, at most `MOST_FINDINGS`, cut to the image.

    Args:
        grid: the working grid that the boxes are on, mm from its outer corner.
        grades: names of the scales that the detections are graded on.
    """
    boxes = detections.boxes.double().cpu().numpy()
    scores = detections.scores.double().cpu().numpy()
    severity = (
        np.full(len(boxes), np.nan) if detections.severity is None else detections.severity.double().cpu().numpy()
    )
    graded = np.empty((len(boxes), 0)) if detections.grades is None else detections.grades.double().cpu().numpy()
    low = np.clip(boxes[:, :3] - boxes[:, 3:] / 2, 0, grid.extent)
    high = np.clip(boxes[:, :3] + boxes[:, 3:] / 2, 0, grid.extent)
    wanted = (scores >= min_score) & ((high - low).min(axis=1) >= THINNEST_MM)[:, None]
    rows, columns = np.nonzero(wanted)
    best = np.argsort(-scores[rows, columns], kind="stable")[:MOST_FINDINGS]
    return tuple(
        Finding(
            series=series,
            category=categories[column],
            score=float(scores[row, column]),
            box=grid.world(EdgeBox(low[row] / grid.spacing, high[row] / grid.spacing)),
            severity=None if np.isnan(severity[row]) else float(severity[row]),
            grades={n: float(g) for n, g in zip(grades, graded[row], strict=False) if not np.isnan(g)} or None,
        )
        for row, column in zip(rows[best], columns[best], strict=True)
    )
