"""The exposed field of a radiograph, by its pixels: the collimated rim is flat and of one grey, the field is not."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from spinedet.imaging.radiograph.records import ExposedField, Mask, Pixels, Point, clip_polygon, whole_field

# The image is searched at about this length.
_LENGTH = 384
# How far a rim's grey values may lie from each other, of the range: at least and at most; in between, so many of their
# median absolute deviations. A narrow range keeps tissue of the same grey out of a rim that is quite flat.
_FLAT, _DEVIATIONS = (0.012, 0.05), 6.0
# A rim is the grey of at least this share of the image's border.
_OF_BORDER = 0.4
# Share of the image that a field covers, and share of its own rectangle that is filled.
_SMALLEST, _LARGEST, _FILLED = 0.1, 0.97, 0.7
# A part of the image that is separated from the largest one by the rim is an exposure of its own from this share on.
_SECOND = 0.12
_ANGLES = np.arange(-5.0, 5.01, 0.5)  # degrees
# A side of the field is a step of at least so much, of the range of grey values, within so many pixels of the reduced
# image on either side, along at least this share of its length. A body ends more gradually.
_STEP, _PENUMBRA, _OF_SIDE = 0.1, 2.0, 0.7
# A marker that touches the field, as a share of its area, does not count.
_MARKER = 0.005
# A strip between two exposures, of the width or height: how thin it may be, and where it may lie.
_STRIP, _STRIP_PLACES = 0.006, (0.2, 0.8)


@dataclass(frozen=True, slots=True)
class FieldSearch:
    """The field, and how many separate exposures the image holds."""

    field: ExposedField
    exposures: int = 1


def find_field(grey: Pixels) -> FieldSearch:
    """The largest rectangle, turned by up to 5 degrees, that a flat rim surrounds; the whole image without a rim.

    A side of it counts only where grey values step along most of its length: air beside the body has no such edge.
    """
    small, factor = _reduced(grey)
    whole = whole_field(grey.shape)
    low, high = np.percentile(small, (0.5, 99.5))
    if not high > low:
        return FieldSearch(whole)
    scaled = np.clip((small - low) / (high - low), 0, 1)
    strips = _strips(scaled)
    rim = _rim(scaled)
    inner = None if rim is None else _inside_rim(scaled, rim)
    if rim is None or inner is None:
        return FieldSearch(whole, 1 + strips)
    labels, count = ndimage.label(inner)
    sizes = np.bincount(labels.ravel(), minlength=count + 1)[1:] / labels.size
    exposures = max(1 + strips, sum(_is_exposure(labels == number) for number in np.nonzero(sizes >= _SECOND)[0] + 1))
    largest = ndimage.binary_fill_holes(labels == 1 + int(np.argmax(sizes)))
    found = _rectangle(largest)
    if not _SMALLEST <= float(largest.mean()) <= _LARGEST or float(largest.sum()) < _FILLED * found.area:
        return FieldSearch(whole, exposures)
    sharp = found.with_sharp_sides(scaled, rim)
    if sharp is None:
        return FieldSearch(whole, exposures)
    inner_corners = sharp.inset(_PENUMBRA / 2).corners  # so that no line of the rim is left
    corners = clip_polygon([(x * factor, y * factor) for x, y in inner_corners], *map(float, grey.shape))
    return FieldSearch(ExposedField(corners, "pixels", sharp.angle), exposures)


def mask_of(field: ExposedField, shape: tuple[int, ...]) -> Mask:
    """Pixels (row, column) whose centre lies in the field, by the even-odd rule."""
    if field.is_whole:
        return np.ones(shape, dtype=bool)
    inside = np.zeros(shape, dtype=bool)
    rows, columns = np.arange(shape[0]) + 0.5, np.arange(shape[1]) + 0.5
    for (x0, y0), (x1, y1) in zip(field.corners, (*field.corners[1:], field.corners[0]), strict=True):
        crossed = (rows > min(y0, y1)) & (rows <= max(y0, y1))
        where = x0 + (rows[crossed] - y0) * ((x1 - x0) / (y1 - y0 or 1.0))
        inside[crossed] ^= columns[None, :] < where[:, None]
    return inside


def _reduced(grey: Pixels) -> tuple[Pixels, int]:
    """Means of square blocks, so that noise does not hide a rim, and the blocks' edge in pixels."""
    factor = max(1, min(round(max(grey.shape) / _LENGTH), *grey.shape))
    rows, columns = (length // factor for length in grey.shape)
    blocks = grey[: rows * factor, : columns * factor].reshape(rows, factor, columns, factor)
    return blocks.mean(axis=(1, 3)), factor


def _is_exposure(region: Mask) -> bool:
    """Whether a part of the image fills a rectangle, as a second exposure does and a part of a body does not."""
    return float(region.sum()) >= _FILLED * _rectangle(region).area


@dataclass(frozen=True, slots=True)
class _Rim:
    """The grey of a rim, and how far its values lie from that, of the range of grey values."""

    grey: float
    spread: float

    def near(self, values: NDArray[np.floating[Any]], spreads: float = 1.0) -> NDArray[np.bool_]:
        """Where values lie within so many spreads of the rim's grey."""
        return np.abs(values - self.grey) <= spreads * self.spread


def _rim(scaled: Pixels) -> _Rim | None:
    """The grey of most of the image's border; None where it has no such grey."""
    ring = np.concatenate([scaled[0], scaled[-1], scaled[:, 0], scaled[:, -1]])
    counts, edges = np.histogram(ring, bins=40, range=(0, 1))
    peak = int(np.argmax(counts))
    grey = float(np.median(ring[(ring >= edges[peak]) & (ring <= edges[peak + 1])]))
    around = np.abs(ring[np.abs(ring - grey) <= _FLAT[1]] - grey)
    rim = _Rim(grey, float(np.clip(_DEVIATIONS * np.median(around), *_FLAT)))
    return rim if float(rim.near(ring).mean()) >= _OF_BORDER else None


def _inside_rim(scaled: Pixels, rim: _Rim) -> Mask | None:
    """All but the flat region of the rim's grey that runs along the image's border; None when nothing is left."""
    flat = rim.near(scaled) & rim.near(ndimage.uniform_filter(scaled, 5, mode="nearest"))
    labels, _ = ndimage.label(flat)
    touching = np.unique(np.concatenate([labels[0], labels[-1], labels[:, 0], labels[:, -1]]))
    outside = np.isin(labels, touching[touching > 0])
    # The mean over a neighbourhood makes the rim end two pixels early.
    outside = ndimage.binary_dilation(outside, iterations=2) & rim.near(scaled, 2)
    inner: Mask = ndimage.binary_opening(~outside, iterations=2)
    return inner if inner.any() else None


@dataclass(frozen=True, slots=True)
class _Rectangle:
    """A rectangle in coordinates turned by `angle` degrees: left, right, top, bottom."""

    angle: float
    left: float
    right: float
    top: float
    bottom: float

    @property
    def area(self) -> float:
        return (self.right - self.left) * (self.bottom - self.top)

    @property
    def corners(self) -> list[Point]:
        """(x, y), clockwise from the upper left one."""
        ends = [(self.left, self.top), (self.right, self.top), (self.right, self.bottom), (self.left, self.bottom)]
        return [(float(x), float(y)) for x, y in np.array(ends) @ _axes(self.angle)]

    def inset(self, width: float) -> _Rectangle:
        """The rectangle without an edge of this width."""
        left, right, top, bottom = self.left + width, self.right - width, self.top + width, self.bottom - width
        return _Rectangle(self.angle, left, right, top, bottom)

    def with_sharp_sides(self, scaled: Pixels, rim: _Rim) -> _Rectangle | None:
        """Sides without a step of grey values moved beyond the image; None when there is none with one.

        Two sides with a step are evidence enough for the others, along which tissue may be of the rim's grey.
        """
        far = float(sum(scaled.shape))
        corners = self.corners
        sides = [(corners[0], corners[3]), (corners[1], corners[2]), (corners[0], corners[1]), (corners[3], corners[2])]
        axes = _axes(self.angle)
        sharp = [
            _is_step(scaled, rim, side, direction)
            for side, direction in zip(sides, (axes[0], -axes[0], axes[1], -axes[1]), strict=True)
        ]
        if sum(sharp) >= 2:
            return self
        ends = [self.left, self.right, self.top, self.bottom]
        moved = [
            end if kept else far * (1 if number % 2 else -1)
            for number, (end, kept) in enumerate(zip(ends, sharp, strict=True))
        ]
        return _Rectangle(self.angle, *moved) if any(sharp) else None


def _axes(angle: float) -> NDArray[np.float64]:
    """Unit rows: to the right and down, turned by so many degrees."""
    turn = np.deg2rad(angle)
    return np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]])


def _is_step(scaled: Pixels, rim: _Rim, side: tuple[Point, Point], inwards: NDArray[np.float64]) -> bool:
    """Whether most of a side separates the rim from something else; a side at the image's border has no rim outside."""
    part = np.linspace(0.05, 0.95, 64)[:, None]
    points = np.array(side[0]) * (1 - part) + np.array(side[1]) * part
    inside, outside = (_at(scaled, points + inwards * offset) for offset in (_PENUMBRA, -_PENUMBRA))
    known = np.isfinite(inside) & np.isfinite(outside)
    if known.mean() < 0.5:
        return False
    step = (np.abs(inside - outside) >= _STEP) & rim.near(outside, 2)
    return float(step[known].mean()) >= _OF_SIDE


def _at(scaled: Pixels, points: NDArray[np.float64]) -> NDArray[np.float64]:
    """The pixel at each (x, y), NaN outside of the image."""
    columns, rows = np.floor(points).astype(int).T
    inside = (rows >= 0) & (columns >= 0) & (rows < scaled.shape[0]) & (columns < scaled.shape[1])
    found = np.full(len(points), np.nan)
    found[inside] = scaled[rows[inside], columns[inside]]
    return found


def _rectangle(region: Mask) -> _Rectangle:
    """The smallest rectangle about a region."""
    y, x = np.nonzero(region)
    points = np.stack([x + 0.5, y + 0.5])
    found = []
    for angle in _ANGLES:
        (left, right), (top, bottom) = (_ends(values) for values in _axes(angle) @ points)
        found.append(_Rectangle(float(angle), left, right, top, bottom))
    return min(found, key=lambda one: (one.area, abs(one.angle)))


def _ends(values: NDArray[np.float64]) -> tuple[float, float]:
    """Where the region ends along a direction, by percentiles, as an even rectangle would."""
    low, high = np.percentile(values, (100 * _MARKER, 100 * (1 - _MARKER)))
    reach = (high - low) * _MARKER / (1 - 2 * _MARKER)
    return float(low - reach), float(high + reach)


def _strips(scaled: Pixels) -> int:
    """How many flat strips run through the middle of the image, from edge to edge, with content on both sides."""
    return sum(_strips_along(scaled, axis) for axis in (0, 1))


def _strips_along(scaled: Pixels, axis: int) -> int:
    varies = scaled.std(axis=axis)
    flat = varies < 0.01
    labels, count = ndimage.label(flat)
    length, found = len(flat), 0
    for number in range(1, count + 1):
        places = np.nonzero(labels == number)[0]
        inner = _STRIP_PLACES[0] * length <= places[0] and places[-1] <= _STRIP_PLACES[1] * length
        both = varies[: places[0]].mean() > 0.05 and varies[places[-1] + 1 :].mean() > 0.05 if inner else False
        found += bool(both and len(places) >= max(2, _STRIP * length))
    return found
