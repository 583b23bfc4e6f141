"""The headline numbers of a test in plain sentences."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from spinedet.core.types import Finding, Lesion
from spinedet.report.number_format import counted, in_words, listed, percent, plain, signed
from spinedet.scoring import Group, Scores
from spinedet.scoring.records import CenterGap
from spinedet.scoring.thresholds import FrozenThresholds, GivenThreshold, NoThreshold

if TYPE_CHECKING:
    from spinedet.report.example_cases import (
        Case,
        Hit,
        Miss,
    )  # needs what draws pictures; a page without cases does not


def cohort_in_words(scores: Scores, skipped: int) -> str:
    """Who was tested."""
    held = scores.group().n
    centers = sorted({str(group.by["center"]) for group in scores.groups if "center" in group.by})
    left_out = len(scores.not_read) + skipped
    return (
        f"{counted(held.studies, 'study')} of {counted(held.patients, 'patient')} from {centers_in_words(centers)}, "
        f"with {counted(held.series, 'scan')} and {counted(held.lesions, 'reference lesion')}; "
        f"{counted(held.lesion_free_series, 'scan')} without any lesion."
        + (f" {counted(left_out, 'further study')} could not be read and count nowhere." if left_out else "")
    )


def plane_in_words(scores: Scores, plane: str, sites: Sequence[CenterGap]) -> str:
    """What was found in one plane, and what is lost at other centres."""
    group = scores.group(plane=plane)
    confidence = scores.bootstrap.confidence
    rate = "" if group.fp_per_scan.value is None else f" ({plain(group.fp_per_scan.value, 2)} per scan)"
    base = (
        f"the detector found {group.tp} of {counted(group.n.lesions, 'lesion')} in {counted(group.n.series, 'scan')}, "
        f"with {counted(group.fp, 'false positive')}{rate}: F1 {in_words(group.f1, confidence)}."
    )
    return " ".join([base, *_change_in_words(sites, confidence)])


def _change_in_words(sites: Sequence[CenterGap], confidence: float) -> list[str]:
    if not sites:
        return []
    home, away = sites[0], sites[-1]
    change = signed(away.change["f1"])
    between = f" ({percent(confidence)} interval {change.interval})" if change.interval else ""
    return [
        f"At the internal {centers_in_words(home.centers)} F1 is {in_words(home.f1, confidence)}, at the external "
        f"{centers_in_words(away.centers)} {in_words(away.f1, confidence)}: a difference of {change.value}{between}."
    ]


def threshold_in_words(scores: Scores) -> str:
    """Where the threshold comes from and since when it is fixed."""
    applied = scores.threshold
    if not isinstance(applied, FrozenThresholds):
        return f"{applied.description}."
    return (
        f"Chosen once, on a tuning split of {counted(applied.chosen_on.studies, 'study')}, by the rule "
        f"{applied.rule}; frozen before this test and never chosen again. "
        f"A finding counts when its score is at or above it."
    )


def thresholds_of(scores: Scores, group: Group) -> list[float]:
    """The thresholds that hold in a group."""
    match scores.threshold:
        case FrozenThresholds(thresholds=chosen):
            by = group.by
            return [
                one.value
                for one in chosen
                if by.get("plane", one.plane) == one.plane and by.get("category", one.category) == one.category
            ]
        case GivenThreshold(value=value):
            return [value]
        case NoThreshold():
            return []


def case_in_words(case: Case) -> str:
    """What was found, missed and falsely called in one scan."""
    lesions = len(case.hits) + len(case.missed)
    parts = [f"{counted(lesions, 'reference lesion')}{', ' if lesions else '.'}"]
    if lesions:
        parts[0] += f"{len(case.hits)} found{_in_brackets(map(_hit_in_words, case.hits))}, {len(case.missed)} missed"
        parts[0] += f"{_in_brackets(map(_miss_in_words, case.missed))}."
    parts.append(f"{counted(len(case.false), 'false positive')}{_in_brackets(map(_score_in_words, case.false))}.")
    if case.ignored:
        absorbed = counted(len(case.absorbed), "finding")
        parts.append(f"{counted(len(case.ignored), 'lesion')} to be ignored, with {absorbed} that count as neither.")
    return " ".join(parts)


def _in_brackets(words: Iterable[str]) -> str:
    text = "; ".join(words)
    return f" ({text})" if text else ""


def _hit_in_words(hit: Hit) -> str:
    return f"{_name(hit.lesion)}: score {hit.finding.score:.2f}, 3D IoU {hit.overlap:.2f}"


def _miss_in_words(miss: Miss) -> str:
    below = (
        "no finding of any score hits it" if miss.score is None else f"hit only below the threshold, {miss.score:.2f}"
    )
    return f"{_name(miss.lesion)}: {below}"


def _score_in_words(finding: Finding) -> str:
    return f"score {finding.score:.2f}"


def _name(lesion: Lesion) -> str:
    return lesion.level or lesion.category


def centers_in_words(names: Sequence[str]) -> str:
    """`centre A`, `centres A and B`."""
    return f"centre{'s' if len(names) > 1 else ''} {listed(names)}"
