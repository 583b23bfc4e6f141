"""Greedy matching by score: the point of the curve at a threshold is what the deployed system shows there."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spinedet.scoring.matching.overlaps import Ints, Pairs

MISSED = -1
ABSORBED = -2


@dataclass(frozen=True, slots=True, eq=False)
class Matches:
    """Who met whom.

    Attributes:
        lesion: (n,) the lesion that each finding hit; -1 is a false positive, -2 lies on an ignored lesion.
        finding: (m,) the finding that hit each lesion; -1 is a miss or an ignored lesion.
        duplicate: (n,) false positives that touch a lesion which a better finding took.
        touched: (m,) lesions that any finding touches.
    """

    lesion: Ints
    finding: Ints
    duplicate: NDArray[np.bool_]
    touched: NDArray[np.bool_]


def match(pairs: Pairs, score: NDArray[np.float64], ignore: NDArray[np.bool_]) -> Matches:
    """Each finding, highest score first, takes the closest free lesion that it touches.

    A finding that gets none, but touches an ignored lesion, is absorbed: no hit and no false positive. An ignored
    lesion absorbs any number. Of findings with one score the closest goes first, so that the order of a file does not
    matter; of lesions equally close the last listed.

    Args:
        pairs: all touching pairs.
        score: (n,) of the findings.
        ignore: (m,) of the lesions.
    """
    lesion = np.full(len(score), MISSED, np.int32)
    finding = np.full(len(ignore), MISSED, np.int32)
    free = ~ignore[pairs.lesion]
    order = np.lexsort((-pairs.lesion, pairs.finding, -pairs.value, -score[pairs.finding]))
    order = order[free[order]]
    hits = _greedy(pairs.finding[order].tolist(), pairs.lesion[order].tolist())
    if hits:
        rows, columns = np.array(list(hits.items())).T
        lesion[rows], finding[columns] = columns, rows
    absorbed = pairs.finding[~free]
    lesion[absorbed[lesion[absorbed] == MISSED]] = ABSORBED
    duplicate = np.zeros(len(score), bool)
    duplicate[pairs.finding[free]] = True
    touched = np.zeros(len(ignore), bool)
    touched[pairs.lesion] = True
    return Matches(lesion, finding, duplicate & (lesion == MISSED), touched)


def _greedy(findings: list[int], lesions: list[int]) -> dict[int, int]:
    hits: dict[int, int] = {}
    taken: set[int] = set()
    for finding, lesion in zip(findings, lesions, strict=True):
        if finding not in hits and lesion not in taken:
            hits[finding] = lesion
            taken.add(lesion)
    return hits
