"""Sparse sums over patients: the one way in which weighted counts are made.

A dense product would wake the threads of the linear algebra library, which then wait for one another.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from spinedet.scoring.matching.overlaps import Ints

if TYPE_CHECKING:
    from scipy.sparse import csr_array


def counter(rows: Ints, patients: Ints, shape: tuple[int, int], values: NDArray[Any] | None = None) -> csr_array:
    """Sums (rows, patients) of `values`, or of ones; entries at one place are added."""
    from scipy.sparse import coo_array  # half of the package's start-up time, and only needed once there is work

    values = np.ones(len(rows)) if values is None else values
    return coo_array((values, (rows, patients)), shape=shape).tocsr()


def stacked(columns: Sequence[NDArray[Any]]) -> csr_array:
    """Columns (P,) as the rows of a matrix."""
    from scipy.sparse import csr_array  # as above

    return csr_array(np.stack(columns).astype(np.float64))
