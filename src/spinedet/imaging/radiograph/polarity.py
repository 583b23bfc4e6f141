"""Whether bone is white, by the pixels alone."""

from __future__ import annotations

import numpy as np

from spinedet.imaging.radiograph.records import Mask, Pixels

# Pixels are compared on a grid of about so many rows.
_ROWS = 128
# The middle and the sides of the exposed field, as shares of its width; and its rows without the ends.
_MIDDLE, _SIDES, _HEIGHT = (0.3, 0.7), (0.1, 0.9), (0.15, 0.85)
# From this contrast on, of the range of grey values, the pixels tell.
CERTAIN = 0.12


def body_contrast(grey: Pixels, exposed: Mask) -> float:
    """By how much the middle of the field is brighter than its sides, of the range of grey values, from -1 to 1.

    The body is thickest in the middle and lets the fewest rays through; beside it are its edge, air, direct exposure.
    Positive where bone is white.
    """
    rows, columns = np.nonzero(exposed.any(axis=1))[0], np.nonzero(exposed.any(axis=0))[0]
    if len(rows) < 2 or len(columns) < 2:
        return 0.0
    step = max(1, len(rows) // _ROWS)
    inside = (slice(rows[0], rows[-1] + 1, step), slice(columns[0], columns[-1] + 1, step))
    values, used = grey[inside], exposed[inside]
    low, high = np.percentile(values[used], (1, 99))
    if not high > low:
        return 0.0
    across = np.broadcast_to(np.linspace(0, 1, values.shape[1])[None, :], values.shape)
    down = np.broadcast_to(np.linspace(0, 1, values.shape[0])[:, None], values.shape)
    level = used & (down >= _HEIGHT[0]) & (down <= _HEIGHT[1])
    middle = level & (across >= _MIDDLE[0]) & (across <= _MIDDLE[1])
    sides = level & ((across <= _SIDES[0]) | (across >= _SIDES[1]))
    if not middle.any() or not sides.any():
        return 0.0
    difference = np.median(values[middle]) - np.median(values[sides])
    return float(np.clip(difference / (high - low), -1, 1))
