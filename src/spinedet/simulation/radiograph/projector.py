"""Path lengths of each material along the rays of a cone beam."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum
from typing import Protocol, TypeAlias

import numpy as np

from spinedet.simulation.anatomy.spine import Frame, Vector
from spinedet.simulation.radiograph.beam import Beam, Field, Points, corners

Place: TypeAlias = tuple[Field, Field, Field]


class Material(IntEnum):
    """What attenuates; a solid replaces the soft tissue in its place."""

    SOFT = 0
    BONE = 1
    TITANIUM = 2
    COBALT = 3
    TANTALUM = 4


@dataclass(frozen=True, slots=True)
class Layer:
    """A region `distance < 0` in which `amount` of a material's full density is added."""

    material: Material
    amount: float
    distance: Field


class Solid(Protocol):
    """Something with a surface, given by signed distances in a frame of its own."""

    @property
    def frame(self) -> Frame:
        """Centre and axes."""

    @property
    def half(self) -> Vector:
        """Half sizes of a block that bounds it, mm."""

    def layers(self, place: Place) -> Iterable[Layer]:
        """Its regions at points given in its frame."""


@dataclass(frozen=True, slots=True, eq=False)
class Tube:
    """A bent rod, rib or wire: round beads along a line.

    Attributes:
        points: (n, 3) RAS mm, closer to each other than a pixel.
        radii: (n,) mm.
        lengths: (n,) mm of the line that each bead stands for.
        material, amount: what it is made of.
        wall, core: thickness of a denser wall and the amount inside it; no wall is solid.
    """

    points: Points
    radii: Points
    lengths: Points
    material: Material
    amount: float = 1.0
    wall: float = 0.0
    core: float = 0.0


class Shadow:
    """Path lengths in mm, (materials, rows, columns), summed over all that is projected."""

    def __init__(self, beam: Beam) -> None:
        self.beam = beam
        self.lengths: Field = np.zeros((len(Material), *beam.shape), np.float32)
        self.slopes = beam.slopes
        down, across = self.slopes
        self.oblique: Field = np.sqrt(1 + down * down + across * across)

    def add_solid(self, solid: Solid, step: float) -> None:
        """Sample a solid every `step` mm along the rays."""
        beam, frame = self.beam, solid.frame
        edges = corners(frame, solid.half)
        window = self._window(edges)
        if window is None:
            return
        rows, columns = window
        depths = [beam.depth((p[0], p[1], p[2])) for p in edges.tolist()]
        near, far = min(depths), max(depths)
        count = max(int((far - near) / step) + 1, 3)
        pace = (far - near) / count
        depth = (near + pace * (np.arange(count) + 0.5)).astype(np.float32)[:, None, None]
        place = self._place(frame, depth, window)
        pixel = beam.pixel * (near + far) / (2 * beam.distance)
        scale = self.oblique[rows, columns] * np.float32(pace)
        for layer in solid.layers(place):
            covered = _cover(layer.distance, pace, pixel) * scale
            self.lengths[layer.material, rows, columns] += np.float32(layer.amount) * covered

    def add_tube(self, tube: Tube) -> None:
        """Sum discs: a tube's chord is the line integral of its cross-section."""
        row, column, pixel = self.beam.project(tube.points)
        radius = tube.radii / pixel
        outer = self._discs(row, column, radius, tube.lengths * (tube.amount if not tube.wall else 1.0))
        if tube.wall:
            inner = self._discs(row, column, np.maximum(radius - tube.wall / pixel, 0.01), tube.lengths)
            outer = tube.amount * outer + (tube.core - tube.amount) * inner
        self.lengths[tube.material] += outer.astype(np.float32)

    def add_lengths(self, material: Material, lengths: Field) -> None:
        """Add a map (rows, columns) of mm."""
        self.lengths[material] += lengths

    def _window(self, points: Points) -> tuple[slice, slice] | None:
        row, column, _ = self.beam.project(points)
        spans = []
        for values, size in ((row, self.beam.shape[0]), (column, self.beam.shape[1])):
            low, high = max(int(values.min()) - 1, 0), min(int(values.max()) + 2, size)
            if low >= high:
                return None
            spans.append(slice(low, high))
        return spans[0], spans[1]

    def _place(self, frame: Frame, depth: Field, window: tuple[slice, slice]) -> Place:
        """Coordinates (depths, rows, columns) in a frame of the sampled points."""
        beam, (down, across) = self.beam, (self.slopes[0][window[0]], self.slopes[1][:, window[1]])
        offset = [s - c for s, c in zip(beam.source, frame.center, strict=True)]
        axes = (frame.right, frame.anterior, frame.up)
        forward, sideways, downwards = (
            [sign * sum(a * b for a, b in zip(of, axis, strict=True)) for axis in axes]
            for sign, of in ((-1, beam.frame.anterior), (-1, beam.frame.right), (-1, beam.frame.up))
        )
        start = [sum(a * b for a, b in zip(offset, axis, strict=True)) for axis in axes]
        x, y, z = (
            (np.float32(forward[i]) + np.float32(sideways[i]) * across + np.float32(downwards[i]) * down) * depth
            + np.float32(start[i])
            for i in range(3)
        )
        return x, y, z

    def _discs(self, row: Points, column: Points, radius: Points, weight: Points) -> Points:
        """(rows, columns): discs with softened edges whose area is kept."""
        rows, columns = self.beam.shape
        reach = int(float(radius.max()) + 1.5)
        span = np.arange(-reach, reach + 1)
        first, second = np.floor(row).astype(np.int64), np.floor(column).astype(np.int64)
        dy = first[:, None] + span + 0.5 - row[:, None]
        dx = second[:, None] + span + 0.5 - column[:, None]
        gap = np.sqrt(dy[:, :, None] * dy[:, :, None] + dx[:, None, :] * dx[:, None, :])
        cover = np.clip(radius[:, None, None] + 0.5 - gap, 0, 1)
        area = np.maximum(np.add.reduce(np.add.reduce(cover.transpose(1, 2, 0), 0), 0), 1e-6)
        cover *= (weight * np.pi * radius * radius / area)[:, None, None]
        y, x = (first[:, None] + span)[:, :, None], (second[:, None] + span)[:, None, :]
        inside = (y >= 0) & (y < rows) & (x >= 0) & (x < columns)
        index = (y * columns + x)[inside]
        total = np.bincount(index, cover[inside], rows * columns).astype(np.float64)
        return total.reshape(rows, columns)


def _cover(distance: Field, pace: float, pixel: float) -> Field:
    """Share of samples inside, summed over depth; the edge is as soft as the sampled cell is large across it."""
    change = np.abs(np.diff(distance, axis=0))
    change = np.concatenate([change[:1], np.maximum(change[1:], change[:-1]), change[-1:]])
    slope = change * np.float32(1 / pace)
    soft = change + np.float32(pixel) * np.sqrt(np.maximum(1 - slope * slope, np.float32(0.05)))
    return np.add.reduce(np.clip(np.float32(0.5) - distance / soft, 0, 1), axis=0)
