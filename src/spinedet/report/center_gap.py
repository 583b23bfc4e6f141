"""How much is lost from the centres that a detector learned at to all others."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from spinedet.report.test_evidence import Evidence
from spinedet.scoring import Estimate
from spinedet.scoring.metrics.counts import tally
from spinedet.scoring.statistics.estimates import Statistics
from spinedet.scoring.statistics.hypothesis_tests import difference

COMPARED = ("f1", "recall", "precision")


@dataclass(frozen=True, slots=True)
class Site:
    """One or several centres in one plane.

    Attributes:
        f1: at the frozen threshold.
        change: by the names of `COMPARED`, this site minus the internal centres; empty for those themselves.
    """

    centers: tuple[str, ...]
    internal: bool
    scans: int
    lesions: int
    f1: Estimate
    change: dict[str, Estimate]


def compare_centers(evidence: Evidence, internal: tuple[str, ...]) -> dict[str, tuple[Site, ...]]:
    """By plane: the internal centres together, each external one, and all external ones when there are several.

    A plane in which one of the two kinds is missing is left out. Intervals of a difference are percentiles of the
    differences between replicates; the two sides have no patient in common.
    """
    found = {plane: tuple(_sites(evidence, plane, internal)) for plane in evidence.planes}
    return {plane: sites for plane, sites in found.items() if sites}


def _sites(evidence: Evidence, plane: str, internal: tuple[str, ...]) -> Iterator[Site]:
    there = [center for center in evidence.cohort.centers if len(evidence.part(plane, [center]).members)]
    home = tuple(center for center in there if center in internal)
    away = tuple(center for center in there if center not in internal)
    if not home or not away:
        return
    base = _numbers(evidence, plane, home)
    yield _site(evidence, plane, home, None)
    for centers in dict.fromkeys([*((center,) for center in away), away]):
        yield _site(evidence, plane, centers, base)


def _numbers(evidence: Evidence, plane: str, centers: tuple[str, ...]) -> Statistics:
    examination = evidence.examination
    return examination.statistics(tally(examination.judgement, evidence.part(plane, centers), examination.reached))


def _site(evidence: Evidence, plane: str, centers: tuple[str, ...], base: Statistics | None) -> Site:
    part, numbers = evidence.part(plane, centers), _numbers(evidence, plane, centers)
    apart = difference(base, numbers, COMPARED) if base else None
    return Site(
        centers=centers,
        internal=apart is None,
        scans=int(part.scans.sum()),
        lesions=int(part.lesions_per_patient.sum()),
        f1=numbers.estimate("f1"),
        change={name: apart.estimate(name) for name in COMPARED} if apart else {},
    )
