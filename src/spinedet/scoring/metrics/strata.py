"""Names for parts: bins of numbers, and what distinguishes lesions from one another."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from spinedet.core.anatomy import level_rank
from spinedet.core.errors import InputError
from spinedet.core.reference import ReferenceLesion
from spinedet.core.types import FiniteJson, is_number
from spinedet.scoring.matching.cohort import Lesions
from spinedet.scoring.matching.overlaps import Floats

UNKNOWN = "not stated"
_FEW_VALUES = 6


@dataclass(frozen=True, slots=True, eq=False)
class Labels:
    """A name for each of many things (n,): rows of `names`, which are in a sensible order."""

    names: tuple[str, ...]
    code: NDArray[np.int64]

    def of(self, row: int) -> NDArray[np.bool_]:
        """The things with this name."""
        return np.equal(self.code, row)


def size_mm(lesions: Lesions) -> Floats:
    """The edge of the cube of equal volume, (l,) mm."""
    return np.cbrt(lesions.boxes.size.prod(axis=1))


def stratify(lesions: Lesions, key: str, size_edges: tuple[float, ...] = ()) -> Labels:
    """Name each lesion by `size`, `level`, `side`, or any attribute that lesions carry.

    Args:
        lesions: of the cohort.
        key: what to name them by.
        size_edges: mm between the bins of size; terciles of the lesions that count when empty.

    Raises:
        InputError: no lesion has such an attribute.
    """
    if key == "size":
        size = size_mm(lesions)
        counted = size[~lesions.ignore]
        edges = size_edges or tuple(np.quantile(counted, [1 / 3, 2 / 3]).round(1)) if len(counted) else size_edges
        return binned(size, edges, " mm")
    if key == "level":
        named = {one.level for one in lesions.records if one.level}
        # L5/L6 and L5/S1 lie equally high; without their names the order would change from run to run.
        ordered = sorted(named, key=lambda level: (level_rank(level), level))
        return _labelled([one.level or UNKNOWN for one in lesions.records], ordered)
    known = sorted({name for one in lesions.records for name in one.attributes})
    if key not in known:
        raise InputError(f"strata={key}: no lesion has the attribute {key!r}; use size, level or one of {known}")
    return label([one.attributes.get(key) for one in lesions.records])


def usual_strata(lesions: Sequence[ReferenceLesion]) -> tuple[str, ...]:
    """What lesions are divided by unless it is given: size, and level and side where they are stated."""
    levels = ("level",) if any(one.level for one in lesions) else ()
    sides = ("side",) if any("side" in one.attributes for one in lesions) else ()
    return ("size", *levels, *sides)


def label(values: Sequence[FiniteJson]) -> Labels:
    """Name things by a value: numbers of many kinds become terciles, all else its own text."""
    numbers = [value for value in values if is_number(value)]
    stated = [value for value in values if value is not None]
    if len(numbers) == len(stated) and len(set(numbers)) > _FEW_VALUES:
        edges = tuple(np.quantile(numbers, [1 / 3, 2 / 3]).round(2))
        spread = np.array([np.nan if value is None else float(value) for value in values])  # type: ignore[arg-type]
        return binned(spread, edges)
    ordered = sorted({*numbers}) if len(numbers) == len(stated) else sorted({_text(value) for value in stated})
    return _labelled([UNKNOWN if value is None else _text(value) for value in values], [_text(v) for v in ordered])


def binned(values: Floats, edges: tuple[float, ...], unit: str = "") -> Labels:
    """Bins (-inf, e1], (e1, e2], ..., (en, inf); a NaN is not stated."""
    cuts = sorted(set(edges))
    if not cuts:
        names = ["all"]
    else:
        between = [f"{low:g}–{high:g}{unit}" for low, high in pairwise(cuts)]
        names = [f"≤ {cuts[0]:g}{unit}", *between, f"> {cuts[-1]:g}{unit}"]
    code = np.searchsorted(np.array(cuts), values, side="left")
    missing = np.isnan(values)
    if missing.any():
        code, names = np.where(missing, len(names), code), [*names, UNKNOWN]
    return Labels(tuple(names), code.astype(np.int64))


def _text(value: FiniteJson) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def _labelled(values: Sequence[str], ordered: Sequence[str]) -> Labels:
    names = tuple(dict.fromkeys([*ordered, *([UNKNOWN] if UNKNOWN in values else [])]))
    rank = {name: row for row, name in enumerate(names)}
    return Labels(names, np.array([rank[value] for value in values], dtype=np.int64))
