"""One infinitely thin picture through the body, onto which tissues are painted with soft edges."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from spinedet.simulation.anatomy.spine import Frame, Vector
from spinedet.simulation.painting.tissue import Sequence as EchoTrain
from spinedet.simulation.painting.tissue import Signal, Tissue, echo

Field: TypeAlias = NDArray[np.floating[Any]]  # (rows, columns) float32, of a canvas or of a window of it


@dataclass(frozen=True, slots=True)
class Window:
    """A rectangle of a raster."""

    rows: slice
    columns: slice

    def of(self, field: Field) -> Field:
        """Its share of a field over the whole raster, which may broadcast along rows or columns."""
        rows = self.rows if field.shape[-2] > 1 else slice(None)
        columns = self.columns if field.shape[-1] > 1 else slice(None)
        return field[..., rows, columns]


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

    @property
    def normal(self) -> Vector:
        """The unit vector through the picture."""
        (a, b, c), (d, e, f) = self.row, self.column
        area = (dot(self.row, self.row) * dot(self.column, self.column)) ** 0.5
        return (b * f - c * e) / area, (c * d - a * f) / area, (a * e - b * d) / area

    @property
    def whole(self) -> Window:
        """The window that is all of it."""
        return Window(slice(0, self.shape[0]), slice(0, self.shape[1]))

    def coarser(self) -> Raster:
        """Pixels of twice the size that cover the same."""
        first, second, third = (
            round(o + 0.5 * (r + c), 9) for o, r, c in zip(self.origin, self.row, self.column, strict=True)
        )
        row, column = ((2 * s[0], 2 * s[1], 2 * s[2]) for s in (self.row, self.column))
        return Raster(
            (first, second, third),
            row,
            column,
            ((self.shape[0] + 1) // 2, (self.shape[1] + 1) // 2),
        )

    def moved(self, direction: Sequence[float], distance: float) -> Raster:
        """The same pixels `distance` mm along a unit direction."""
        first, second, third = (round(o + distance * d, 9) for o, d in zip(self.origin, direction, strict=True))
        return Raster((first, second, third), self.row, self.column, self.shape)


@dataclass(frozen=True, slots=True)
class Block:
    """A box that holds a part of the body: half sizes (mm) along the directions of a frame."""

    frame: Frame
    half: Vector

    def reach(self, direction: Vector) -> float:
        """How far it extends from its centre along a unit direction, mm."""
        frame, (right, anterior, up) = self.frame, self.half
        return (
            right * abs(dot(frame.right, direction))
            + anterior * abs(dot(frame.anterior, direction))
            + up * abs(dot(frame.up, direction))
        )


@dataclass(frozen=True, slots=True)
class Palette:
    """Signals of tissues under one sequence, computed once each; `tint` is each kind's log brightness beside it."""

    sequence: EchoTrain
    tint: dict[str, float] = field(default_factory=dict)
    _known: dict[Tissue, Signal] = field(default_factory=dict)

    def __getitem__(self, tissue: Tissue) -> Signal:
        if tissue not in self._known:
            gain = math.exp(self.tint.get(tissue.kind, 0.0))
            signal = echo(tissue, self.sequence)
            self._known[tissue] = Signal(round(gain * signal.water, 6), round(gain * signal.fat, 6))
        return self._known[tissue]

    def pair(self, tissue: Tissue) -> Field:
        """Water and fat signal, (2, 1, 1) float32."""
        signal = self[tissue]
        return np.array([[[signal.water]], [[signal.fat]]], np.float32)


@dataclass(frozen=True, slots=True, eq=False)
class Canvas:
    """The signal of one picture, painted in place.

    Attributes:
        layers: (2, rows, columns) float32, water and fat.
        warp: (3, rows, columns) float32, smooth random fields of the patient by which shapes are made irregular.
    """

    raster: Raster
    palette: Palette
    layers: Field
    warp: Field

    @classmethod
    def blank(cls, raster: Raster, palette: Palette) -> Canvas:
        """A picture of air."""
        return cls(
            raster,
            palette,
            np.zeros((2, *raster.shape), np.float32),
            np.zeros((3, 1, 1), np.float32),
        )

    @classmethod
    def empty(cls, raster: Raster, palette: Palette) -> Canvas:
        """Only coordinates: nothing can be painted on it."""
        return cls(
            raster,
            palette,
            np.empty((2, 0, 0), np.float32),
            np.empty((3, 0, 0), np.float32),
        )

    def on(self, raster: Raster) -> Canvas:
        """A copy of this picture to be painted on where another raster lies."""
        return Canvas(raster, self.palette, self.layers.copy(), self.warp)

    @property
    def whole(self) -> Window:
        """The window that is all of the picture."""
        return self.raster.whole

    def window(self, block: Block) -> Window | None:
        """The part of the picture that a block may touch; None when it touches none."""
        raster = self.raster
        away = _minus(block.frame.center, raster.origin)
        normal = raster.normal
        if abs(dot(away, normal)) > block.reach(normal):
            return None
        rows = _span(away, raster.row, block, raster.shape[0])
        columns = _span(away, raster.column, block, raster.shape[1])
        return Window(rows, columns) if rows.start < rows.stop and columns.start < columns.stop else None

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

    def local(self, window: Window, frame: Frame) -> Field:
        """Coordinates (3, rows, columns) right, anterior, up of every pixel in the window in a frame, mm."""
        raster = self.raster
        away = _minus(raster.origin, frame.center)
        steps = [
            (dot(away, along), dot(raster.row, along), dot(raster.column, along))
            for along in (frame.right, frame.anterior, frame.up)
        ]
        start, down, across = np.array(steps).T
        rows = start[:, None] + down[:, None] * np.arange(window.rows.start, window.rows.stop)
        columns = across[:, None] * np.arange(window.columns.start, window.columns.stop)
        return rows.astype(np.float32)[:, :, None] + columns.astype(np.float32)[:, None]

    def warped(self, window: Window, frame: Frame, amplitude: float) -> Field:
        """As `local`, displaced by about `amplitude` mm: a natural shape instead of a drawn one."""
        return self.local(window, frame) + amplitude * self.warp[:, window.rows, window.columns]

    def cover(self, distance: Field) -> Field:
        """Share of each pixel on the inner (negative) side of a surface `distance` mm away."""
        return np.minimum(np.maximum(0.5 - distance * (1 / self.raster.pixel), 0), 1)

    def paint(self, window: Window, share: Field, tissue: Tissue, gain: Field | float = 1.0) -> None:
        """Replace `share` of what is there by the tissue, its signal times `gain`."""
        signal = self.palette.pair(tissue)
        part = self.layers[:, window.rows, window.columns]
        part += share * (signal * gain - part)


def _span(away: Vector, step: Vector, block: Block, count: int) -> slice:
    """Pixels along one picture axis that a block may cover."""
    pixel = dot(step, step) ** 0.5
    along = (step[0] / pixel, step[1] / pixel, step[2] / pixel)
    middle, half = dot(away, along) / pixel, block.reach(along) / pixel + 1
    return slice(max(int(middle - half), 0), min(int(middle + half) + 2, count))


def doubled(picture: Field, shape: tuple[int, int]) -> Field:
    """A picture on a coarser raster, interpolated linearly to the finer raster of the given shape."""
    for axis in (0, 1):
        rows = np.moveaxis(picture, axis, 0)
        quarter = np.float32(0.25) * rows
        fine = np.empty((2 * len(rows), rows.shape[1]), rows.dtype)
        near = rows - quarter
        fine[::2], fine[1::2] = near, near
        fine[2::2] += quarter[:-1]
        fine[0] += quarter[0]
        fine[1:-1:2] += quarter[1:]
        fine[-1] += quarter[-1]
        picture = np.moveaxis(fine[: shape[axis]], 0, axis)
    return np.ascontiguousarray(picture)


def dot(first: Vector, second: Vector) -> float:
    """Inner product in plain floats: the same bits on every machine."""
    return first[0] * second[0] + first[1] * second[1] + first[2] * second[2]


def _minus(first: Vector, second: Vector) -> Vector:
    return first[0] - second[0], first[1] - second[1], first[2] - second[2]
