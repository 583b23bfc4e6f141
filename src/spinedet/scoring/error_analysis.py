"""Every number traced to cases: which finding hit which lesion, or why not."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from spinedet.scoring.matching.cohort import PLANES, Cohort, Lesions, Marks
from spinedet.scoring.matching.greedy import ABSORBED, MISSED
from spinedet.scoring.matching.overlaps import Floats, Ints, Pairs
from spinedet.scoring.metrics.matched_cohort import MatchedCohort, of_one_category

_ANY_OVERLAP = 1e-6
HIT, DUPLICATE, ON_IGNORED, TOO_LITTLE, OTHER_CATEGORY, NOWHERE = range(6)
OUTCOMES = ("hit", "duplicate", "absorbed", "false positive", "false positive", "false positive")
FINDING_REASONS = (
    "hits the lesion",
    "the lesion went to a better finding",
    "lies on a lesion to be ignored",
    "overlaps a lesion, but does not meet the criterion",
    "overlaps a lesion of another category",
    "overlaps no lesion",
)
FOUND, BELOW, TAKEN, WEAK, NAMED_OTHERWISE, UNSEEN = range(6)
LESION_REASONS = (
    "found",
    "hit by a finding below the threshold",
    "its findings went to other lesions",
    "findings overlap it, but do not meet the criterion",
    "only findings of another category overlap it",
    "no finding overlaps it",
)


@dataclass(frozen=True, slots=True)
class Case:
    """One finding or lesion, where it is, and why it counts as what it counts.

    Attributes:
        row: among the cohort's findings (or lesions).
        number: the finding's place in its study's list, from 0; or the lesion's id.
        score: of the finding; of a missed lesion, none.
    """

    row: int
    study: str
    series: str
    category: str
    number: str
    score: float | None
    iou: float
    reason: str


@dataclass(frozen=True, eq=False)
class Cases:
    """The cases behind a matched cohort; `reached` (n,) are the findings at or above the frozen threshold."""

    matched: MatchedCohort
    reached: NDArray[np.bool_]

    @property
    def cohort(self) -> Cohort:
        """Scans, lesions and findings."""
        return self.matched.cohort

    @cached_property
    def number(self) -> Ints:
        """Each finding's place in its study's list in the file, from 0, (n,)."""
        return self.cohort.marks.row - self.cohort.scans.first[self.cohort.marks.scan]

    @cached_property
    def lesion(self) -> Ints:
        """The lesion that each finding hit, else the one of its category that it overlaps most, else -1, (n,)."""
        best, _ = _closest(self._own.finding, self._own.lesion, self._own.value, len(self.reached))
        hit = self.matched.matches.lesion
        return np.where(hit >= 0, hit, best)

    @cached_property
    def overlap(self) -> Floats:
        """IoU of each finding with its `lesion`, 0 without one, (n,)."""
        overlap: Floats = np.zeros(len(self.reached))
        theirs = self._own.lesion == self.lesion[self._own.finding]
        overlap[self._own.finding[theirs]] = self._own.value[theirs]
        return overlap

    @cached_property
    def why(self) -> Ints:
        """For each finding the row of `OUTCOMES` and `FINDING_REASONS`, (n,)."""
        matches = self.matched.matches
        choices = [matches.lesion >= 0, matches.lesion == ABSORBED, matches.duplicate, self.overlap > 0, self._astray]
        rows = np.select(choices, [HIT, ON_IGNORED, DUPLICATE, TOO_LITTLE, OTHER_CATEGORY], NOWHERE)
        return rows.astype(np.int8)

    @cached_property
    def found(self) -> NDArray[np.bool_]:
        """Which lesions are found at the frozen threshold, (l,)."""
        hit = self.matched.matches.finding
        return (hit != MISSED) & np.append(self.reached, False)[hit]

    @cached_property
    def why_missed(self) -> Ints:
        """For each lesion the row of `LESION_REASONS`, (l,)."""
        hit = self.matched.matches.finding
        overlapped, otherwise = np.zeros(len(hit), bool), np.zeros(len(hit), bool)
        overlapped[self._own.lesion] = True
        otherwise[self._all.lesion] = True
        choices = [self.found, hit != MISSED, self.matched.matches.touched, overlapped, otherwise]
        return np.select(choices, [FOUND, BELOW, TAKEN, WEAK, NAMED_OTHERWISE], UNSEEN)

    def worst_misses(self, most: int) -> list[Case]:
        """Lesions missed at the threshold, the largest first."""
        lesions = self.cohort.lesions
        missed = np.flatnonzero(~self.found & ~lesions.ignore)
        largest = missed[np.argsort(-lesions.boxes.size[missed].prod(axis=1), kind="stable")]
        _, best = _closest(self._own.lesion, self._own.finding, self._own.value, len(lesions.scan))
        return [
            Case(
                row=row,
                **_place(self.cohort, lesions, row),
                number=lesions.records[row].id,
                score=None,
                iou=float(best[row]),
                reason=LESION_REASONS[self.why_missed[row]],
            )
            for row in largest[:most].tolist()
        ]

    def surest_errors(self, most: int) -> list[Case]:
        """False positives at or above the threshold, highest score first."""
        marks = self.cohort.marks
        wrong = np.flatnonzero(self.reached & (self.matched.matches.lesion == MISSED))
        surest = wrong[np.argsort(-marks.score[wrong], kind="stable")]
        return [
            Case(
                row=row,
                **_place(self.cohort, marks, row),
                number=str(self.number[row]),
                score=float(marks.score[row]),
                iou=float(self.overlap[row]),
                reason=FINDING_REASONS[self.why[row]],
            )
            for row in surest[:most].tolist()
        ]

    @cached_property
    def _all(self) -> Pairs:
        """Findings and lesions of one scan that overlap, of whatever category."""
        return self.matched.overlaps.at_least(_ANY_OVERLAP)

    @cached_property
    def _own(self) -> Pairs:
        """Those of the same category."""
        return of_one_category(self.cohort, self._all)

    @cached_property
    def _astray(self) -> NDArray[np.bool_]:
        astray = np.zeros(len(self.reached), bool)
        astray[self._all.finding] = True
        return astray


def _closest(one: Ints, other: Ints, value: Floats, count: int) -> tuple[Ints, Floats]:
    """For each of `count` things the other with the largest value, and that value; -1 and 0 without any."""
    partner, best = np.full(count, -1, dtype=np.int32), np.zeros(count)
    order = np.argsort(value, kind="stable")
    partner[one[order]], best[one[order]] = other[order], value[order]
    return partner, best


def _place(cohort: Cohort, things: Lesions | Marks, row: int) -> dict[str, str]:
    scan = int(things.scan[row])
    return {
        "study": cohort.studies[cohort.scans.study[scan]].id,
        "series": cohort.scans.series[scan],
        "category": cohort.categories[things.category[row]],
    }


@dataclass(frozen=True, slots=True, eq=False)
class Picked:
    """Neighbouring columns of a table whose cells are taken together: `names[rows[i]]` are those of row i."""

    columns: tuple[str, ...]
    names: Sequence[tuple[str, ...]]
    rows: NDArray[np.integer]


@dataclass(frozen=True, slots=True)
class Numbers:
    """A column of numbers as text."""

    column: str
    cells: list[str]


def matches_tables(cases: Cases, most: int) -> Iterator[list[Picked | Numbers]]:
    """One row per finding in file order, as neighbouring columns of text, at most so many rows at once."""
    cohort, marks = cases.cohort, cases.cohort.marks
    categories, count = len(cohort.categories), len(marks.score)
    cells = np.arange(len(cohort.scans.series) * categories)
    head = tuple(_places(cohort, cells[:0], cells[:0]))
    places = list(zip(*_places(cohort, cells // categories, cells % categories).values(), strict=True))
    lesions = [*((lesion.id,) for lesion in cohort.lesions.records), ("",)]
    counted = [(counts, outcome) for counts in ("no", "yes") for outcome in OUTCOMES]
    reasons = [(reason,) for reason in FINDING_REASONS]
    for start in range(0, max(1, count), most):
        rows = slice(start, start + most)
        yield [
            Picked(head, places, marks.scan[rows] * categories + marks.category[rows]),
            Numbers("finding", list(map(str, cases.number[rows].tolist()))),
            Numbers("score", list(map(repr, marks.score[rows].tolist()))),
            Picked(("counts", "outcome"), counted, cases.reached[rows] * len(OUTCOMES) + cases.why[rows]),
            Picked(("lesion",), lesions, cases.lesion[rows]),
            Numbers("iou", _overlaps(cases.overlap[rows])),
            Picked(("reason",), reasons, cases.why[rows]),
        ]


def _overlaps(values: Floats) -> list[str]:
    cells = ["0.0000"] * len(values)
    for row in np.flatnonzero(values).tolist():
        cells[row] = f"{values[row]:.4f}"
    return cells


def lesions_table(cases: Cases) -> dict[str, Sequence[str]]:
    """One row per lesion of the reference, as columns of text."""
    cohort, lesions, hit = cases.cohort, cases.cohort.lesions, cases.matched.matches.finding
    theirs = np.maximum(hit, 0)
    scores, numbers = (
        column[theirs].tolist() if len(column) else [0] * len(hit) for column in (cohort.marks.score, cases.number)
    )
    return {
        **_places(cohort, lesions.scan, lesions.category),
        "lesion": [lesion.id for lesion in lesions.records],
        "level": [lesion.level or "" for lesion in lesions.records],
        "found": _pick(("no", "yes"), cases.found.astype(int)),
        "finding": ["" if row < 0 else str(number) for row, number in zip(hit.tolist(), numbers, strict=True)],
        "score": ["" if row < 0 else repr(score) for row, score in zip(hit.tolist(), scores, strict=True)],
        "reason": [
            "to be ignored" if skip else reason
            for skip, reason in zip(lesions.ignore.tolist(), _pick(LESION_REASONS, cases.why_missed), strict=True)
        ],
    }


def _places(cohort: Cohort, scan: Ints, category: Ints) -> dict[str, Sequence[str]]:
    """Where findings or lesions of these scans and categories are."""
    return {
        "study": _pick([study.id for study in cohort.studies], cohort.scans.study[scan]),
        "series": _pick(cohort.scans.series, scan),
        "plane": _pick(PLANES, cohort.scans.plane[scan]),
        "center": _pick(cohort.centers, cohort.patient_center[cohort.scans.patient[scan]]),
        "category": _pick(cohort.categories, category),
    }


def _pick(names: Sequence[str], rows: NDArray[np.integer]) -> list[str]:
    return [names[row] for row in rows.tolist()]
