"""What is known of a radiograph: as its file stores it, and as it is given to everything else."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

import numpy as np
from numpy.typing import NDArray

from spinedet.imaging.suitability import InputCheck, Suitability, overall_suitability

Pixels = NDArray[np.float32]
Mask = NDArray[np.bool_]
Point = tuple[float, float]
Box = tuple[float, float, float, float]


class SpacingSource(str, Enum):
    """What a pixel size refers to.

    `calibrated`: the patient, by a known distance or object. `detector`: the detector, where the spine is enlarged, by
    some 10 to 25 %. `unstated`: the file does not say which. `manifest`: as the manifest gives it.
    """

    CALIBRATED = "calibrated"
    DETECTOR = "detector"
    UNSTATED = "unstated"
    MANIFEST = "manifest"


@dataclass(frozen=True, slots=True)
class Spacing:
    """Distance of neighbouring rows and of neighbouring columns, mm, and what it refers to."""

    rows: float
    columns: float
    source: SpacingSource

    @property
    def mm(self) -> float:
        """Of a pixel, the mean of both directions."""
        return (self.rows + self.columns) / 2


@dataclass(frozen=True, slots=True)
class DeclaredView:
    """The view that a file declares.

    Attributes:
        name: None when nothing says, or when it is none of the views. source: what declares it, or nothing.
        foreign: a view that is none of the table's, such as an oblique one, in words.
    """

    name: str | None = None
    source: str = "nothing"
    foreign: str | None = None


@dataclass(frozen=True, slots=True)
class ExposedField:
    """The exposed part of an image.

    Attributes:
        corners: (x, y) of a polygon, in pixels from the upper left edge of the image. source: how it was found.
        turned: of a rectangle, degrees from upright, clockwise.
    """

    corners: tuple[Point, ...]
    source: str
    turned: float = 0.0

    @property
    def box(self) -> Box:
        """The upright box around it: x0, y0, x1, y1."""
        x, y = zip(*self.corners, strict=True)
        return min(x), min(y), max(x), max(y)

    @property
    def is_whole(self) -> bool:
        """Whether no edge was found, so that it is all of the image."""
        return self.source == WHOLE


WHOLE = "whole image"


def clip_polygon(corners: Sequence[Point], rows: float, columns: float) -> tuple[Point, ...]:
    """The part of a convex polygon that lies in an image of this size (Sutherland and Hodgman, CACM 1974;17:32-42)."""
    points = list(corners)
    for axis, limit, sign in ((0, 0.0, 1), (0, columns, -1), (1, 0.0, 1), (1, rows, -1)):
        kept: list[Point] = []
        for start, end in zip([points[-1], *points[:-1]] if points else [], points, strict=True):
            before, after = sign * (start[axis] - limit), sign * (end[axis] - limit)
            if (before >= 0) != (after >= 0):
                part = before / (before - after)
                kept.append((start[0] + part * (end[0] - start[0]), start[1] + part * (end[1] - start[1])))
            if after >= 0:
                kept.append(end)
        points = kept
    return tuple(points)


def whole_field(shape: Sequence[int]) -> ExposedField:
    """All of an image of these rows and columns."""
    rows, columns = float(shape[0]), float(shape[1])
    return ExposedField(((0.0, 0.0), (columns, 0.0), (columns, rows), (0.0, rows)), WHOLE)


@dataclass(frozen=True, slots=True)
class Polarity:
    """Whether bone is stored white.

    Attributes:
        bone_white: None where nothing declares it. source: what does. contradicted: whether two declarations differ.
    """

    bone_white: bool | None = None
    source: str = "nothing"
    contradicted: bool = False


@dataclass(frozen=True, slots=True)
class Orientation:
    """Patient directions in which columns and rows increase, as DICOM letters (`L`, `F`); empty where not declared."""

    columns: str = ""
    rows: str = ""


@dataclass(frozen=True, eq=False)
class StoredRadiograph:
    """A radiograph as its file stores it, after the file's own lookup tables and windows.

    Attributes:
        grey: finite values (row, column) in any unit. padded: pixels that were never acquired; None for none.
        polarity: of `grey`. fields: exposed by the tags; empty where they do not say. doubts: about the file itself.
        levels: how many grey values it uses. lowest, highest: pixels at the lowest and at the highest value that the
            file can hold; None for none. steps: what was done, in order.
    """

    grey: Pixels
    polarity: Polarity = Polarity()
    view: DeclaredView = DeclaredView()
    orientation: Orientation = Orientation()
    spacing: Spacing | None = None
    fields: tuple[ExposedField, ...] = ()
    padded: Mask | None = None
    levels: int = 256
    lowest: Mask | None = None
    highest: Mask | None = None
    doubts: tuple[InputCheck, ...] = ()
    steps: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class RadiographImage:
    """A radiograph ready for use.

    Attributes:
        pixels: (row, column) in [0, 1], bone white, black outside the exposed field.
        view: declared by the file. field: exposed, in pixels of this image.
        flipped: whether columns and whether rows were reversed against the file.
        checks: what is doubtful or unfit about it. steps: what was done to the stored values, in order.
    """

    pixels: Pixels
    spacing: Spacing | None
    view: DeclaredView
    field: ExposedField
    flipped: tuple[bool, bool]
    checks: tuple[InputCheck, ...]
    steps: tuple[str, ...]

    @property
    def suitability(self) -> Suitability:
        """The least favourable result of its checks."""
        return overall_suitability(self.checks)

    def flip_box(self, box: Box) -> Box:
        """A box of stored pixels as a box of this image, and the reverse."""
        x0, y0, x1, y1 = box
        rows, columns = self.pixels.shape
        if self.flipped[0]:
            x0, x1 = columns - x1, columns - x0
        if self.flipped[1]:
            y0, y1 = rows - y1, rows - y0
        return x0, y0, x1, y1
