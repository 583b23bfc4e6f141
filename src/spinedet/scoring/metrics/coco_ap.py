"""Average precision as pycocotools computes it, to the last bit, on 3D boxes in mm."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from spinedet.scoring.matching.cohort import Cohort
from spinedet.scoring.matching.criteria import IouCriterion
from spinedet.scoring.matching.greedy import ABSORBED, match
from spinedet.scoring.matching.overlaps import Floats, Ints
from spinedet.scoring.metrics.matched_cohort import MatchedCohort, Part, of_one_category, one_category

_RECALLS = np.linspace(0.0, 1.00, 101)


def coco_average_precision(matched: MatchedCohort, part: Part) -> float | None:
    """COCO's mean average precision of a part at one IoU; None when no category has lesions.

    Equal scores are taken in file order, one after the other, and recall is compared as floats: this is what
    COCO does and what `scores.json` does not do by default. Findings are not cut at 100 per scan.

    Args:
        matched: by `coco_matches`.
        part: some scans and categories.
    """
    curves = [
        _precision(matched, Part(part.cohort, part.scans, one_category(part.cohort, category)))
        for category in np.flatnonzero(part.categories).tolist()
    ]
    defined = [curve for curve in curves if curve is not None]
    # COCO lays precision out as recall x category and takes one mean over all of it.
    return float(np.mean(np.stack(defined, axis=1).ravel())) if defined else None


def coco_matches(matched: MatchedCohort, criterion: IouCriterion) -> MatchedCohort:
    """Match as COCO does: equal scores in file order, and an overlap compared without any slack."""
    cohort = matched.cohort
    pairs = of_one_category(cohort, matched.overlaps)
    pairs = pairs.where(pairs.value >= min(criterion.iou, 1 - 1e-10))
    place = np.empty(len(cohort.marks.score))
    place[_falling(cohort)] = np.arange(len(place))
    return replace(matched, criterion=criterion, matches=match(pairs, -place, cohort.lesions.ignore))


def _falling(cohort: Cohort) -> Ints:
    """Findings by score; equal ones by scan, then as listed."""
    return np.lexsort((cohort.marks.scan, -cohort.marks.rank))


def _precision(matched: MatchedCohort, part: Part) -> Floats | None:
    """Precision at COCO's 101 recalls."""
    lesions = int(part.lesions_per_patient.sum())
    if not lesions:
        return None
    rows = _falling(matched.cohort)
    lesion = matched.matches.lesion[rows[part.marks[rows]]]
    tp = np.cumsum(lesion >= 0, dtype=float)
    fp = np.cumsum((lesion < 0) & (lesion != ABSORBED), dtype=float)
    precision = np.maximum.accumulate((tp / (fp + tp + np.spacing(1)))[::-1])[::-1]
    first = np.searchsorted(tp / lesions, _RECALLS, side="left")
    return np.where(first < len(precision), np.append(precision, 0.0)[np.minimum(first, len(precision))], 0.0)
