"""Voxels outside the field of view that hold a value which no scanner measures."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

# The lowest whole numbers of 16 and 32 bits.
_RESERVED = (-(1 << 15), -(1 << 31))


def undeclared_padding(values: NDArray[Any], slope: float = 1.0, intercept: float = 0.0) -> NDArray[np.bool_] | None:
    """Where an image that declares no padding value holds the lowest number of its type; None where it does not.

    An image that uses the whole range of its type has values near the lowest one as well: there it is no padding.

    Args:
        values: stored numbers times `slope` plus `intercept`.
    """
    lowest = values.min()
    for stored in _RESERVED:
        if np.float32(lowest) == np.float32(stored * slope + intercept):
            padded = values == lowest
            rest = values[~padded]
            return None if rest.size and rest.min() <= stored / 2 * slope + intercept else padded
    return None


def fill_padding(array: NDArray[np.float32], padded: NDArray[np.bool_]) -> None:
    """Make padding background, in place: 0, or the lowest value that was measured when that is below 0."""
    array[padded] = min(0.0, float(array[~padded].min()))
