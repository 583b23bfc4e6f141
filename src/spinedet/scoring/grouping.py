"""Which parts of a cohort get a group of their own."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spinedet.core.types import FiniteJson
from spinedet.scoring.cohort import PLANES, Cohort
from spinedet.scoring.judgement import Part, one_category


@dataclass(frozen=True, eq=False)
class Named:
    """A part with what it fixes."""

    by: dict[str, FiniteJson]
    part: Part


def groups(cohort: Cohort) -> list[Named]:
    """Everything; every plane; every plane x centre; every plane x category when there is more than one."""
    every = np.ones(len(cohort.categories), bool)
    found = [Named({}, Part(cohort, np.ones(len(cohort.scans.series), bool), every))]
    for plane in np.unique(cohort.scans.plane).tolist():
        scans, by = cohort.scans.of_plane(plane), {"plane": PLANES[plane]}
        found.append(Named({**by}, Part(cohort, scans, every)))
        for row, center in enumerate(cohort.centers):
            there = scans & _of_center(cohort, row)
            if there.any():
                found.append(Named({**by, "center": center}, Part(cohort, there, every)))
        if len(cohort.categories) > 1:
            found += [
                Named({**by, "category": name}, Part(cohort, scans, one_category(cohort, row)))
                for row, name in enumerate(cohort.categories)
            ]
    return found


def _of_center(cohort: Cohort, center: int) -> NDArray[np.bool_]:
    return np.equal(cohort.patient_center[cohort.scans.patient], center)
