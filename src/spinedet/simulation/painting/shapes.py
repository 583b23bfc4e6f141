"""Distances to simple solids in their own frame: negative inside, in mm, exact or good to a few per cent at the rim."""

from __future__ import annotations

import numpy as np

from spinedet.simulation.painting.canvas import Field


def ellipsoid(x: Field, y: Field, z: Field, radii: tuple[float, float, float]) -> Field:
    """Distance to an ellipsoid, to first order at its surface."""
    rx, ry, rz = (np.float32(1 / r) for r in radii)
    u, v, w = x * rx, y * ry, z * rz
    reach = np.sqrt(u * u + v * v + w * w)
    steepness = np.sqrt((u * rx) ** 2 + (v * ry) ** 2 + (w * rz) ** 2)
    return (reach - 1) * reach / np.maximum(steepness, np.float32(1e-3))


def ellipse(x: Field, y: Field, rx: Field | float, ry: Field | float) -> Field:
    """Distance to an elliptic cylinder, to first order at its surface."""
    u, v = x / rx, y / ry
    reach = np.sqrt(u * u + v * v)
    steepness = np.sqrt((u / rx) ** 2 + (v / ry) ** 2)
    return (reach - 1) * reach / np.maximum(steepness, np.float32(1e-3))


def rounded_box(x: Field, y: Field, z: Field, half: tuple[float, float, float], radius: float) -> Field:
    """Distance to a box of the given half sizes whose edges are rounded."""
    qx, qy, qz = (np.abs(c) - np.float32(h - radius) for c, h in zip((x, y, z), half, strict=True))
    outside = np.sqrt(sum(np.maximum(q, 0) ** 2 for q in (qx, qy, qz)))
    return outside + np.minimum(np.maximum(np.maximum(qx, qy), qz), 0) - np.float32(radius)


def outline(x: Field, y: Field, half_width: float, half_depth: float) -> Field:
    """Relative reach in a vertebral outline, 1 on the rim: an ellipse in front, squarer and flatter behind."""
    u, v = x * np.float32(1 / half_width), y * np.float32(1 / half_depth)
    u2, v2 = u * u, v * v
    return np.where(v > 0, np.sqrt(u2 + v2), np.sqrt(np.sqrt(u2 * u2 + v2 * v2)))


def smooth_max(first: Field, second: Field, radius: float) -> Field:
    """The larger of two distances with a rounded edge where they meet."""
    gap = first - second
    return np.float32(0.5) * (first + second + np.sqrt(gap * gap + np.float32(radius * radius)))


def hump(x: Field, half_width: float | Field) -> Field:
    """A smooth bump: 1 at 0, 0 beyond `half_width`."""
    u = x / half_width
    inside = np.maximum(1 - u * u, 0)
    return inside * inside
