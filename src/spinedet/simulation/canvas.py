"""One infinitely thin picture through the body, onto which tissues are painted with soft edges."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from spinedet.simulation.anatomy import Frame, Vector
from spinedet.simulation.tissue import Sequence, Signal, Tissue, echo

Field: TypeAlias = NDArray[np.floating[Any]]  # (rows, columns) float32, of a canvas or of a window of it


@dataclass(frozen=True, slots=True)
class Raster:
    """Where the pixels of a picture lie: RAS mm of the first one's centre and the steps to the next row and column."""

    origin: Vector
    row: Vector
    column: Vector
    shape: tuple[int, int]

    @property
    def pixel(self) -> float:
        """Distance between neighbouring rows, mm."""
        return dot(self.row, self.row) ** 0.5


@dataclass(frozen=True, slots=True)
class Window:
    """A rectangle of a raster."""

    rows: slice
    columns: slice


@dataclass(frozen=True, slots=True)
class Palette:
    """Signals of tissues under one sequence, computed once each."""

    sequence: Sequence
    _known: dict[Tissue, Signal] = field(default_factory=dict)

    def __getitem__(self, tissue: Tissue) -> Signal:
        if tissue not in self._known:
            self._known[tissue] = echo(tissue, self.sequence)
        return self._known[tissue]


@dataclass(frozen=True, slots=True, eq=False)
class Canvas:
    """Water and fat signal of one picture, (rows, columns) float32 each, painted in place.

    `warp` are up to three smooth random fields of the patient by which shapes are made irregular.
    """

    raster: Raster
    palette: Palette
    water: Field
    fat: Field
    warp: tuple[Field, ...] = ()

    @classmethod
    def blank(cls, raster: Raster, palette: Palette) -> Canvas:
        """A picture of air."""
        return cls(raster, palette, np.zeros(raster.shape, np.float32), np.zeros(raster.shape, np.float32))

    def on(self, raster: Raster) -> Canvas:
        """A copy of this picture to be painted on where another raster lies."""
        return Canvas(raster, self.palette, self.water.copy(), self.fat.copy(), self.warp)

    @property
    def whole(self) -> Window:
        """The window that is all of the picture."""
        return Window(slice(0, self.raster.shape[0]), slice(0, self.raster.shape[1]))

    def window(self, center: Vector, radius: float) -> Window | None:
        """The part of the picture that a ball around `center` touches; None when it touches none."""
        raster = self.raster
        offset = _minus(center, raster.origin)
        reach = radius * radius
        spans = []
        for step, count in ((raster.row, raster.shape[0]), (raster.column, raster.shape[1])):
            length = dot(step, step)
            at = dot(offset, step) / length
            offset = _minus(offset, (at * step[0], at * step[1], at * step[2]))
            half = radius / length**0.5 + 1
            low, high = max(int(at - half), 0), min(int(at + half) + 2, count)
            spans.append(slice(low, high))
            if low >= high:
                return None
        if dot(offset, offset) > reach:
            return None
        return Window(*spans)

    def coordinate(self, window: Window, origin: Vector, direction: Vector) -> Field:
        """Distance of every pixel in the window from `origin` along a unit `direction`, mm.

        Where it is the same along rows or columns that dimension has length 1 and broadcasts.
        """
        raster = self.raster
        start = dot(_minus(raster.origin, origin), direction)
        down, across = dot(raster.row, direction), dot(raster.column, direction)
        rows = start + down * (np.arange(window.rows.start, window.rows.stop) if down else np.zeros(1))
        columns = across * (np.arange(window.columns.start, window.columns.stop) if across else np.zeros(1))
        return rows.astype(np.float32)[:, None] + columns.astype(np.float32)[None]

    def local(self, window: Window, frame: Frame) -> tuple[Field, Field, Field]:
        """Coordinates right, anterior, up of every pixel in the window in a frame, mm."""
        right, anterior, up = (
            self.coordinate(window, frame.center, direction) for direction in (frame.right, frame.anterior, frame.up)
        )
        return right, anterior, up

    def warped(self, window: Window, frame: Frame, amplitude: float) -> tuple[Field, Field, Field]:
        """As `local`, displaced by about `amplitude` mm: a natural shape instead of a drawn one."""
        place = self.local(window, frame)
        first, second, third = (
            part + amplitude * field[window.rows, window.columns] for part, field in zip(place, self.warp, strict=True)
        )
        return first, second, third

    def cover(self, distance: Field) -> Field:
        """Share of each pixel on the inner (negative) side of a surface `distance` mm away."""
        return np.clip(0.5 - distance * np.float32(1 / self.raster.pixel), 0, 1)

    def paint(self, window: Window, share: Field, tissue: Tissue, gain: Field | float = 1.0) -> None:
        """Replace `share` of what is there by the tissue, its signal times `gain`."""
        signal = self.palette[tissue]
        for layer, value in ((self.water, signal.water), (self.fat, signal.fat)):
            part = layer[window.rows, window.columns]
            part += share * (np.float32(value) * gain - part)

    def dim(self, window: Window, share: Field) -> None:
        """Take away `share` of all signal."""
        for layer in (self.water, self.fat):
            layer[window.rows, window.columns] *= 1 - share


def dot(first: Vector, second: Vector) -> float:
    """Inner product in plain floats: the same bits on every machine."""
    return first[0] * second[0] + first[1] * second[1] + first[2] * second[2]


def _minus(first: Vector, second: Vector) -> Vector:
    return first[0] - second[0], first[1] - second[1], first[2] - second[2]
