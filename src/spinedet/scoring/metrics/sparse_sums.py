"""Sparse sums over patients: the one way in which weighted counts are made.

A dense product would wake the threads of the linear algebra library, which then wait for one another.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from spinedet.scoring.matching.overlaps import Floats, Ints

if TYPE_CHECKING:
    from scipy.sparse import csr_array

# In 16 bits a product takes a third of the time. A patient is drawn more than 15 times in one replicate of 10^13.
_MOST_DRAWS = 15
_LARGEST_ROW = ((1 << 16) - 1) // _MOST_DRAWS


@dataclass(frozen=True, slots=True, eq=False)
class CountTable:
    """Counts (K, P) whose weighted sums are exact, however they are stored.

    Attributes:
        light: (K, P) uint16 of the rows whose weighted sums fit into 16 bits.
        heavy: (H, P) float64 of the others, `rows` (H,) of the table.
        total: of all counts.
    """

    light: csr_array
    heavy: csr_array
    rows: Ints
    total: int

    def __len__(self) -> int:
        return int(self.light.shape[0])

    def weigh(self, weights: Floats) -> NDArray[np.integer[Any]]:
        """Sums (K, B) for whole weights (P, B), such as how often each patient was drawn."""
        most = float(weights.max(initial=0))
        light, times = (self.light, weights.astype(np.uint16)) if most <= _MOST_DRAWS else (self._wide, weights)
        sums: NDArray[np.integer[Any]] = light @ times
        if most > _MOST_DRAWS or len(self.rows):
            sums = sums.astype(self._whole(most))
            sums[self.rows] = self.heavy @ weights
        return sums

    def cumulate(self, weights: Floats) -> NDArray[np.integer[Any]]:
        """Sums (K, B) of each row and those before it, the columns contiguous."""
        sums = self.weigh(weights)
        whole = np.empty(sums.shape[::-1], dtype=self._whole(float(weights.max(initial=0))))
        whole[:] = sums.T
        return np.cumsum(whole, axis=1, out=whole).T

    @property
    def _wide(self) -> csr_array:
        return self.light.astype(np.float64)

    def _whole(self, most: float) -> type[np.int32 | np.int64]:
        return np.int32 if self.total * most < 1 << 31 else np.int64


def count_table(rows: Ints, patients: Ints, shape: tuple[int, int]) -> CountTable:
    """How often each pair of row and patient comes."""
    sums = np.bincount(rows, minlength=shape[0])
    fits = sums.max(initial=0) < 1 << 16
    table = counter(rows, patients, shape, np.ones(len(rows), np.uint16 if fits else np.int64))
    heavy = np.flatnonzero(sums > _LARGEST_ROW)
    apart = table[heavy].astype(np.float64)
    for row in heavy.tolist():
        table.data[table.indptr[row] : table.indptr[row + 1]] = 0
    if len(heavy):
        table.eliminate_zeros()
    return CountTable(light=table.astype(np.uint16, copy=False), heavy=apart, rows=heavy, total=len(rows))


def counter(rows: Ints, patients: Ints, shape: tuple[int, int], values: NDArray[Any] | None = None) -> csr_array:
    """Sums (rows, patients) of `values`, or of ones; entries at one place are added."""
    from scipy.sparse import coo_array  # half of the package's start-up time, and only needed once there is work

    values = np.ones(len(rows)) if values is None else values
    return coo_array((values, (rows, patients)), shape=shape).tocsr()


def stacked(columns: Sequence[NDArray[Any]]) -> csr_array:
    """Columns (P,) as the rows of a matrix."""
    from scipy.sparse import csr_array  # as above

    return csr_array(np.stack(columns).astype(np.float64))
