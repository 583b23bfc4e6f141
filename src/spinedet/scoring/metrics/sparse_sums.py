"""Sparse sums over patients: the one way in which weighted counts are made.

A dense product would wake the threads of the linear algebra library, which then wait for one another.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from spinedet.scoring.matching.overlaps import Floats, Ints

if TYPE_CHECKING:
    from scipy.sparse import csr_array

Wholes: TypeAlias = NDArray[np.integer[Any]]
# In 16 bits a product takes a third of the time. A patient is drawn more than 15 times in one replicate of 10^13.
_MOST_DRAWS = 15
_LARGEST_ROW = ((1 << 16) - 1) // _MOST_DRAWS


@dataclass(frozen=True, slots=True, eq=False)
class Draws:
    """Whole weights (P, B), such as how often each patient was drawn, in the type in which they are summed.

    Attributes:
        weights: uint16 where no weight is above 15, else float64. most: the largest weight.
    """

    weights: NDArray[np.uint16] | Floats
    most: float


def draws_of(weights: Floats) -> Draws:
    """Prepare whole weights (P, B) for the products with several tables."""
    most = float(weights.max(initial=0))
    return Draws(weights.astype(np.uint16) if most <= _MOST_DRAWS else weights, most)


@dataclass(frozen=True, slots=True, eq=False)
class CountTable:
    """Counts (K, P) whose weighted sums are exact, however they are stored.

    Attributes:
        pieces: (K + H, P) uint16; a row whose weighted sums would not fit into 16 bits is cut into several.
        cuts: (H,) rows of the table, as often as there are further pieces of it after the K first ones.
        total: of all counts.
    """

    pieces: csr_array
    cuts: Ints
    total: int

    def __len__(self) -> int:
        return int(self.pieces.shape[0]) - len(self.cuts)

    def weigh(self, draws: Draws) -> Wholes:
        """Sums (K, B) for weights (P, B)."""
        light = draws.most <= _MOST_DRAWS
        sums: Wholes = (self.pieces if light else self.pieces.astype(np.float64)) @ draws.weights
        if light and not len(self.cuts):
            return sums
        whole: Wholes = sums[: len(self)].astype(self._whole(draws))
        np.add.at(whole, self.cuts, sums[len(self) :].astype(whole.dtype))
        return whole

    def weigh_columns(self, draws: Draws) -> Wholes:
        """The same, each column contiguous and wide enough to be cumulated."""
        sums = self.weigh(draws)
        whole = np.empty(sums.shape[::-1], dtype=self._whole(draws))
        whole[:] = sums.T
        return whole.T

    def cumulate(self, draws: Draws) -> Wholes:
        """Sums (K, B) of each row and those before it, each column contiguous."""
        sums = self.weigh_columns(draws)
        return cumulated(sums, sums)

    def _whole(self, draws: Draws) -> type[np.int32] | type[np.int64]:
        return np.int32 if self.total * draws.most < 1 << 31 else np.int64


def cumulated(sums: Wholes, out: Wholes | None = None) -> Wholes:
    """Each row (K, B) added to those before it, in new memory or in `out`."""
    return np.cumsum(sums.T, axis=1, dtype=sums.dtype, out=None if out is None else out.T).T


def count_table(rows: Ints, patients: Ints, shape: tuple[int, int]) -> CountTable:
    """How often each pair of row and patient comes; `rows` in any order."""
    cut, cuts = _cut(rows, shape[0])
    table = counter(cut, patients, (shape[0] + len(cuts), shape[1]), np.ones(len(rows), np.uint16))
    return CountTable(pieces=table, cuts=cuts, total=len(rows))


def _cut(rows: Ints, count: int) -> tuple[Ints, Ints]:
    """Rows so numbered that none has more than `_LARGEST_ROW` entries, and the row of each number from `count` on."""
    sums = np.bincount(rows, minlength=count)
    if sums.max(initial=0) <= _LARGEST_ROW:
        return rows, np.empty(0, np.int64)
    entries = np.flatnonzero((sums > _LARGEST_ROW)[rows])
    entries = entries[np.argsort(rows[entries], kind="stable")]
    row = rows[entries]
    piece = (np.arange(len(row)) - np.searchsorted(row, row)) // _LARGEST_ROW
    further = np.maximum(sums - 1, 0) // _LARGEST_ROW
    first = count + np.cumsum(further) - further
    rows = rows.copy()
    rows[entries] = np.where(piece > 0, first[row] + piece - 1, row)
    return rows, np.repeat(np.arange(count), further)


def counter(rows: Ints, patients: Ints, shape: tuple[int, int], values: NDArray[Any] | None = None) -> csr_array:
    """Sums (rows, patients) of `values`, or of ones; entries at one place are added."""
    from scipy.sparse import coo_array  # half of the package's start-up time, and only needed once there is work

    values = np.ones(len(rows)) if values is None else values
    return coo_array((values, (rows, patients)), shape=shape).tocsr()


def stacked(columns: Sequence[NDArray[Any]]) -> csr_array:
    """Columns (P,) as the rows of a matrix."""
    from scipy.sparse import csr_array  # as above

    return csr_array(np.stack(columns).astype(np.float64))
