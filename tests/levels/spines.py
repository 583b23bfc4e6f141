"""Drawn spines: centres and sizes of discs as they lie in the sagittal plane, and an image around them."""

from __future__ import annotations

import numpy as np

from spinedet.core.geometry import Array, Grid
from spinedet.core.types import Box, Finding

# From S1/S2 upward: angle of the link below a disc to the next lower one (degrees, positive backwards), height, depth.
ANGLES = (48.0, 18.0, 4.0, -6.0, -11.0, -12.0, -14.0)
HEIGHTS = (9.0, 20.0, 16.0, 14.5, 14.0, 13.0, 12.5, 11.5)
DEPTHS = (34.0, 39.0, 42.0, 43.0, 43.0, 41.0, 39.0, 38.5)


def spine_findings(
    rng: np.random.Generator | None = None, sacrum: bool = False, tail: int = 0, step: float = 34.0
) -> list[Finding]:
    """Discs head to tail as findings: from T11/T12 to L5/S1, to S1/S2 with `sacrum`, without the `tail` lowest."""
    noise = rng.normal(size=(8, 4)) if rng is not None else np.zeros((8, 4))
    center, rows = np.array([0.0, 0.0, 0.0]), []
    for row in range(8):
        if row:
            angle = np.radians(ANGLES[row - 1] + 3 * noise[row, 0])
            center = center + (step + 1.5 * noise[row, 1]) * np.array([0.0, np.sin(angle), np.cos(angle)])
        size = (40.0, DEPTHS[row] + 1.5 * noise[row, 2], HEIGHTS[row] + noise[row, 3])
        rows.append(finding(center, size, 0.3 if row else 0.2))
    return rows[::-1][: len(rows) - (0 if sacrum else 1) - tail]


def finding(
    center: Array | tuple[float, ...], size: tuple[float, ...] = (40.0, 41.0, 14.0), score: float = 0.3
) -> Finding:
    """One candidate."""
    place, extent = [float(v) for v in center], [float(v) for v in size]
    box = Box(center=(place[0], place[1], place[2]), size=(extent[0], extent[1], extent[2]))
    return Finding(series="sag", category="degeneration", score=score, box=box)


def image_around(findings: list[Finding], below: float = 60.0) -> tuple[Array, Grid]:
    """A sagittal volume of noise whose lower edge lies `below` mm under the lowest centre."""
    centers = np.array([f.box.center for f in findings])
    low = np.subtract(centers.min(0), (20, 60, below))
    high = np.add(centers.max(0), (20, 60, 40))
    shape = tuple(int(n) for n in np.ceil((high - low) / (8, 2, 2)))
    affine = np.diag([8.0, 2.0, 2.0, 1.0])
    affine[:3, 3] = np.add(low, (4, 1, 1))
    return np.random.default_rng(0).normal(size=shape), Grid((shape[0], shape[1], shape[2]), affine)
