"""Which parts of a cohort get a group of their own."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray

from spinedet.core.errors import InputError
from spinedet.core.types import FiniteJson
from spinedet.scoring.matching.cohort import PLANES, Cohort
from spinedet.scoring.metrics.matched_cohort import Part, one_category
from spinedet.scoring.metrics.strata import label


@dataclass(frozen=True, eq=False)
class Named:
    """A part with what it fixes."""

    by: dict[str, FiniteJson]
    part: Part


def part_of(cohort: Cohort, plane: str, centers: Iterable[str]) -> Part:
    """The scans of one plane at these centres, all categories together."""
    home = cohort.patient_center[cohort.scans.patient]
    there = np.isin(home, [cohort.centers.index(center) for center in centers])
    scans: NDArray[np.bool_] = cohort.scans.of_plane(PLANES.index(plane)) & there
    return Part(cohort, scans, np.ones(len(cohort.categories), bool))


def groups(cohort: Cohort, by: tuple[str, ...] = ()) -> list[Named]:
    """Everything; every plane; every plane x centre; every plane x category when there are several; and `by`.

    Args:
        cohort: to be parted.
        by: `plane`, `center`, `category` or an attribute of the studies; `center*vendor` crosses two.

    Raises:
        InputError: no study has such an attribute.
    """
    categories = ["plane*category"] if len(cohort.categories) > 1 else []
    found: dict[tuple[tuple[str, FiniteJson], ...], Named] = {}
    for entry in ["", "plane", "plane*center", *categories, *by]:
        for named in _crossed(cohort, [key.strip() for key in entry.split("*") if key.strip()]):
            found.setdefault(tuple(sorted(named.by.items())), named)
    return list(found.values())


def _crossed(cohort: Cohort, keys: list[str]) -> Iterator[Named]:
    every = np.ones(len(cohort.categories), bool)
    choices = [_values(cohort, key) for key in keys if key != "category"]
    kinds = range(len(cohort.categories)) if "category" in keys else (None,)
    for chosen in product(*choices):
        scans = np.ones(len(cohort.scans.series), bool)
        for value in chosen:
            scans &= value.scans
        by = {value.key: value.name for value in chosen}
        for kind in kinds if scans.any() else ():
            if kind is None:
                yield Named(dict(by), Part(cohort, scans, every))
            else:
                yield Named(
                    {**by, "category": cohort.categories[kind]}, Part(cohort, scans, one_category(cohort, kind))
                )


@dataclass(frozen=True, slots=True, eq=False)
class _Value:
    key: str
    name: FiniteJson
    scans: NDArray[np.bool_]


def _values(cohort: Cohort, key: str) -> list[_Value]:
    """The values that a key takes, with their scans (s,)."""
    if key == "plane":
        return [_Value(key, PLANES[p], cohort.scans.of_plane(p)) for p in np.unique(cohort.scans.plane).tolist()]
    if key == "center":
        home = cohort.patient_center[cohort.scans.patient]
        return [_Value(key, name, np.equal(home, row)) for row, name in enumerate(cohort.centers)]
    known = sorted({name for study in cohort.studies for name in study.attributes})
    if key not in known:
        raise InputError(f"by={key}: no study has the attribute {key!r}; use plane, center, category or one of {known}")
    labels = label([study.attributes.get(key) for study in cohort.studies])
    return [_Value(key, name, labels.of(row)[cohort.scans.study]) for row, name in enumerate(labels.names)]
