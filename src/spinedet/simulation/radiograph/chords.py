"""Chords of soft tissue in closed form: ellipsoids, and columns of elliptic sections."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from spinedet.simulation.anatomy.spine import Frame, Vector
from spinedet.simulation.radiograph.beam import Beam, Field


@dataclass(frozen=True, slots=True, eq=False)
class Interval:
    """Where each ray enters and leaves something, (rows, columns), mm from the source; empty where near > far."""

    near: Field
    far: Field

    @property
    def length(self) -> Field:
        """mm inside."""
        return np.maximum(self.far - self.near, 0)

    def shared(self, other: Interval) -> Field:
        """mm inside both."""
        return np.maximum(np.minimum(self.far, other.far) - np.maximum(self.near, other.near), 0)


@dataclass(frozen=True, slots=True)
class Ellipsoid:
    """An ellipsoid of the given half axes along a frame's right, anterior and up."""

    frame: Frame
    half: Vector

    def interval(self, beam: Beam) -> Interval:
        """Where the rays run inside."""
        down, across = beam.slopes
        offset = [s - c for s, c in zip(beam.source, self.frame.center, strict=True)]
        square: Field | float = np.float32(0)
        mixed: Field | float = np.float32(0)
        rest = 0.0
        for axis, half in zip((self.frame.right, self.frame.anterior, self.frame.up), self.half, strict=True):
            start = _dot(offset, axis) / half
            forward, right, up = (
                np.float32(_dot(list(v), axis) / half) for v in (beam.frame.anterior, beam.frame.right, beam.frame.up)
            )
            way = -(forward + right * across + up * down)
            square = square + way * way
            mixed = mixed + way * np.float32(start)
            rest += start * start
        return _roots(np.asarray(square), np.asarray(mixed), np.float32(rest - 1), beam)


@dataclass(frozen=True, slots=True)
class Column:
    """Upright elliptic sections.

    Attributes:
        z: ascending heights, mm.
        x, y: centres of the sections; width, depth: their half axes, 0 where there is nothing.
    """

    z: tuple[float, ...]
    x: tuple[float, ...]
    y: tuple[float, ...]
    width: tuple[float, ...]
    depth: tuple[float, ...]

    def interval(self, beam: Beam) -> Interval:
        """Where the rays run inside; a ray is taken at the height that it has at its middle."""
        down, across = beam.slopes
        middle = (sum(self.x) / len(self.x), sum(self.y) / len(self.y), beam.frame.center[2])
        height = beam.source[2] - beam.depth(middle) * down[:, 0].astype(np.float64)
        x, y, width, depth = (
            _smooth_table(self.z, values, height).astype(np.float32)[:, None]
            for values in (self.x, self.y, self.width, self.depth)
        )
        empty = (width < 0.5) | (depth < 0.5)
        width, depth = np.maximum(width, np.float32(0.5)), np.maximum(depth, np.float32(0.5))
        way_x, way_y = (np.float32(-beam.frame.anterior[i]) - np.float32(beam.frame.right[i]) * across for i in (0, 1))
        u, v = way_x / width, way_y / depth
        p, q = (np.float32(beam.source[0]) - x) / width, (np.float32(beam.source[1]) - y) / depth
        found = _roots(u * u + v * v, u * p + v * q, p * p + q * q - 1, beam)
        return Interval(found.near, np.where(empty, found.near - 1, found.far))


def _roots(square: Field, mixed: Field, rest: Field | np.float32, beam: Beam) -> Interval:
    """Solutions of square t^2 + 2 mixed t + rest = 0, along the ray in mm."""
    down, across = beam.slopes
    oblique = np.sqrt(1 + down * down + across * across)
    inside = mixed * mixed - square * rest
    root = np.sqrt(np.maximum(inside, 0))
    near, far = (-mixed - root) / square * oblique, (-mixed + root) / square * oblique
    return Interval(near, np.where(inside > 0, far, near - 1))


def _smooth_table(z: tuple[float, ...], values: tuple[float, ...], height: np.ndarray) -> np.ndarray:
    """Between entries with smooth steps; beyond the ends nothing changes."""
    spots = np.clip(np.searchsorted(z, height) - 1, 0, len(z) - 2)
    low, high = np.array(z)[spots], np.array(z)[spots + 1]
    share = np.clip((height - low) / (high - low), 0, 1)
    share = share * share * (3 - 2 * share)
    table = np.array(values)
    return table[spots] * (1 - share) + table[spots + 1] * share


def _dot(first: list[float], second: Vector) -> float:
    return sum(a * b for a, b in zip(first, second, strict=True))
