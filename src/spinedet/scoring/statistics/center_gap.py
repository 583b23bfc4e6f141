"""How much is lost from the internal centres to the external ones."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from spinedet.scoring.matching.cohort import PLANES, Cohort
from spinedet.scoring.metrics.subgroups import Named, part_of
from spinedet.scoring.records import CenterGap
from spinedet.scoring.statistics.estimates import Statistics
from spinedet.scoring.statistics.hypothesis_tests import difference

COMPARED = ("f1", "recall", "precision")


def compare_centers(
    cohort: Cohort, internal: tuple[str, ...], numbers: Callable[[Named], Statistics]
) -> Iterator[CenterGap]:
    """By plane: the internal centres together, each external one, and all external ones when there are several.

    A plane in which one of the two kinds is missing is left out.
    """
    for plane in np.unique(cohort.scans.plane).tolist():
        name = PLANES[plane]
        present = [center for center in cohort.centers if part_of(cohort, name, [center]).scans.any()]
        home = tuple(center for center in present if center in internal)
        away = tuple(center for center in present if center not in internal)
        if not home or not away:
            continue
        groups = dict.fromkeys([home, *((center,) for center in away), away])
        parts = {centers: _named(cohort, name, centers) for centers in groups}
        base = numbers(parts[home])
        for centers, named in parts.items():
            yield _gap(named, centers, numbers(named), None if centers == home else base)


def _named(cohort: Cohort, plane: str, centers: tuple[str, ...]) -> Named:
    return Named({"plane": plane, "center": "+".join(centers)}, part_of(cohort, plane, centers))


def _gap(named: Named, centers: tuple[str, ...], numbers: Statistics, base: Statistics | None) -> CenterGap:
    apart = difference(base, numbers, COMPARED) if base else None
    return CenterGap(
        plane=str(named.by["plane"]),
        centers=centers,
        internal=apart is None,
        scans=int(named.part.scans.sum()),
        lesions=int(named.part.lesions_per_patient.sum()),
        f1=numbers.estimate("f1"),
        change={name: apart.estimate(name) for name in COMPARED} if apart else {},
    )
