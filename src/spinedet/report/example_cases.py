"""A few scans that teach something: typical ones, the worst misses, the surest false alarms, and lesion-free ones."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray

from spinedet.core.anatomy import Plane
from spinedet.core.errors import InputError
from spinedet.core.geometry import iou
from spinedet.core.types import Finding, Lesion, Series, Study
from spinedet.imaging.planes import SPECS
from spinedet.imaging.volume import read_volume
from spinedet.report.number_format import counted
from spinedet.report.scored_cases import ScoredCases
from spinedet.report.slice_pictures import Mark, draw_series
from spinedet.scoring.matching.cohort import PLANES
from spinedet.scoring.matching.greedy import ABSORBED, MISSED
from spinedet.scoring.matching.overlaps import Floats, Ints
from spinedet.scoring.operating_point import study_hash


@dataclass(frozen=True, slots=True)
class Hit:
    """A lesion with the finding that hit it, and how well their boxes agree."""

    lesion: Lesion
    finding: Finding
    overlap: float


@dataclass(frozen=True, slots=True)
class Miss:
    """A lesion that no finding hit at the threshold; `score` is of the finding below it that would have."""

    lesion: Lesion
    score: float | None


@dataclass(frozen=True, slots=True)
class Case:
    """One scan at the frozen threshold.

    Attributes:
        title: why it is shown. rule: how it was chosen among how many.
        picture: PNG with the boxes of reference and findings; None when the image could not be read.
    """

    title: str
    rule: str
    study: Study
    series: Series
    hits: tuple[Hit, ...]
    missed: tuple[Miss, ...]
    false: tuple[Finding, ...]
    absorbed: tuple[Finding, ...]
    ignored: tuple[Lesion, ...]
    picture: bytes | None

    @property
    def name(self) -> str:
        """Eight hex digits that stand for the study's id."""
        return study_hash(self.study.id)[:8]


@dataclass(frozen=True, slots=True, eq=False)
class Board:
    """Each scan (s,) at the frozen threshold.

    Attributes:
        tp, fp, lesions: counts. false: highest score of a false positive, -inf without one.
        missed: volume of the largest missed lesion, mm3. hit: mean score of the hits, 0 without one.
        top: highest score of any finding, -inf without one. free: no lesion at all.
    """

    tp: Ints
    fp: Ints
    lesions: Ints
    false: Floats
    missed: Floats
    hit: Floats
    top: Floats
    free: NDArray[np.bool_]

    @property
    def f1(self) -> Floats:
        """Of each scan; 0 where there is nothing."""
        return np.asarray(2 * self.tp / np.maximum(1, self.tp + self.fp + self.lesions))


@dataclass(frozen=True, slots=True)
class Rule:
    """A reason to show a scan: which scans it asks for, best first, and in words."""

    title: str
    words: str
    ranked: Callable[[Board, NDArray[np.bool_]], Ints]


def _typical(board: Board, there: NDArray[np.bool_]) -> Ints:
    rows = np.flatnonzero(there & (board.lesions > 0))
    return _from_the_middle(rows[np.lexsort((board.hit[rows], board.f1[rows]))])


def _worst(board: Board, there: NDArray[np.bool_]) -> Ints:
    missed = board.lesions - board.tp
    rows = np.flatnonzero(there & (missed > 0))
    return rows[np.lexsort((-board.missed[rows], -missed[rows]))]


def _alarming(board: Board, there: NDArray[np.bool_]) -> Ints:
    rows = np.flatnonzero(there & (board.fp > 0))
    return rows[np.argsort(-board.false[rows], kind="stable")]


def _healthy(board: Board, there: NDArray[np.bool_]) -> Ints:
    rows = np.flatnonzero(there & board.free)
    return _from_the_middle(rows[np.argsort(board.top[rows], kind="stable")])


def _from_the_middle(rows: Ints) -> Ints:
    distance = np.abs(np.arange(len(rows)) - (len(rows) - 1) / 2)
    return rows[np.argsort(distance, kind="stable")]


RULES: tuple[Rule, ...] = (
    Rule("Typical", "near the middle of the {scans} with lesions, ranked by their own F1 and then by score", _typical),
    Rule("Missed lesions", "of the {scans} with a missed lesion, among those that miss most", _worst),
    Rule("False positive", "of the {scans} with a false positive, among those with the highest score", _alarming),
    Rule("No lesion", "near the middle of the {scans} without lesions, ranked by their highest score", _healthy),
)


def choose_cases(scored: ScoredCases, count: int) -> tuple[Case, ...]:
    """At most `count` scans, each of another study, the rules and planes taking turns."""
    board, used = _board(scored), set[int]()
    chosen: list[Case] = []
    queues = [
        (rule, plane, rule.ranked(board, scored.cohort.scans.of_plane(PLANES.index(plane))))
        for rule, plane in _turns(scored.planes)
    ]
    while len(chosen) < count:
        before = len(chosen)
        for rule, plane, rows in queues:
            row = _next(scored, rows, used) if len(chosen) < count else None
            if row is not None:
                used.add(int(scored.cohort.scans.study[row]))
                words = rule.words.format(scans=counted(len(rows), f"{plane} scan"))
                chosen.append(_case(scored, row, rule.title, words))
        if len(chosen) == before:
            break
    return tuple(chosen)


def _turns(planes: tuple[str, ...]) -> Iterator[tuple[Rule, str]]:
    """Every rule with every plane, so that few cases already show all rules and all planes."""
    for shift, (place, rule) in product(range(len(planes)), enumerate(RULES)):
        yield rule, planes[(place + shift) % len(planes)]


def _next(scored: ScoredCases, rows: Ints, used: set[int]) -> int | None:
    studies = scored.cohort.scans.study
    return next((row for row in rows.tolist() if int(studies[row]) not in used), None)


def _board(scored: ScoredCases) -> Board:
    cohort, matches, reached = scored.cohort, scored.examination.matched.matches, scored.examination.reached
    scans, marks, lesions = len(cohort.scans.series), cohort.marks, cohort.lesions
    hit, false = reached & (matches.lesion >= 0), reached & (matches.lesion == MISSED)
    counting = ~lesions.ignore
    missed = counting.copy()
    missed[matches.lesion[hit]] = False
    tp = np.bincount(marks.scan[hit], minlength=scans)
    return Board(
        tp=tp,
        fp=np.bincount(marks.scan[false], minlength=scans),
        lesions=np.bincount(lesions.scan[counting], minlength=scans),
        false=_highest(marks.score[false], marks.scan[false], scans),
        missed=_highest(lesions.boxes.size[missed].prod(axis=1), lesions.scan[missed], scans),
        hit=np.bincount(marks.scan[hit], marks.score[hit], minlength=scans) / np.maximum(1, tp),
        top=_highest(marks.score, marks.scan, scans),
        free=np.bincount(lesions.scan, minlength=scans) == 0,
    )


def _highest(values: Floats, scan: Ints, scans: int) -> Floats:
    highest = np.full(scans, -np.inf)
    np.maximum.at(highest, scan, values)
    return highest


def _case(scored: ScoredCases, scan: int, title: str, rule: str) -> Case:
    cohort, matches, reached = scored.cohort, scored.examination.matched.matches, scored.examination.reached
    study = scored.studies[int(cohort.scans.study[scan])]
    series = next(one for one in study.series if one.id == cohort.scans.series[scan])
    here: list[int] = np.flatnonzero((cohort.marks.scan == scan) & reached).tolist()
    theirs = np.flatnonzero(cohort.lesions.scan == scan).tolist()
    by_lesion = {row: int(matches.finding[row]) for row in theirs if not cohort.lesions.ignore[row]}
    records, findings = scored.lesions, scored.findings
    return Case(
        title=title,
        rule=rule,
        study=study,
        series=series,
        hits=tuple(_hit(records[row], findings[by]) for row, by in by_lesion.items() if by >= 0 and reached[by]),
        missed=tuple(
            Miss(records[row], findings[by].score if by >= 0 else None)
            for row, by in by_lesion.items()
            if by < 0 or not reached[by]
        ),
        false=tuple(findings[row] for row in here if matches.lesion[row] == MISSED),
        absorbed=tuple(findings[row] for row in here if matches.lesion[row] == ABSORBED),
        ignored=tuple(records[row] for row in theirs if cohort.lesions.ignore[row]),
        picture=_picture(series, [records[row] for row in theirs], [findings[row] for row in here]),
    )


def _hit(lesion: Lesion, finding: Finding) -> Hit:
    return Hit(lesion, finding, float(iou([lesion.box], [finding.box])[0, 0]))


def _picture(series: Series, lesions: list[Lesion], findings: list[Finding]) -> bytes | None:
    try:
        volume = read_volume(series.path)
    except InputError:
        return None  # scores need no images, so a page of scores must not either
    several = len({*(lesion.category for lesion in lesions), *(one.category for one in findings)}) > 1
    marks = [Mark(one.box, one.score, one.category if several else "") for one in findings]
    return draw_series(volume, SPECS[Plane(series.plane)], [lesion.box for lesion in lesions], marks)
