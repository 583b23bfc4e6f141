"""The exposed field of a radiograph, by its pixels: the collimated rim is flat and of one grey, the field is not."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from scipy import ndimage

from spinedet.imaging.radiograph.records import ExposedField, Mask, Pixels, Point, whole_field

# The image is searched at about this length.
_LENGTH = 384
# Of the range of grey values: how much a rim varies, and how much the mean of its neighbourhood does.
_FLAT = 0.05
# A rim is the grey of at least this share of the image's border.
_OF_BORDER = 0.4
# Share of the image that a field covers, and share of its own rectangle that is filled.
_SMALLEST, _LARGEST, _FILLED = 0.1, 0.97, 0.9
# A part of the image that is separated from the largest one by the rim is an exposure of its own from this share on.
_SECOND = 0.12
_ANGLES = np.arange(-5.0, 5.01, 0.5)  # degrees
# A strip between two exposures, of the width or height: how thin it may be, and where it may lie.
_STRIP, _STRIP_PLACES = 0.006, (0.2, 0.8)


@dataclass(frozen=True, slots=True)
class FieldSearch:
    """The field, and how many separate exposures the image holds."""

    field: ExposedField
    exposures: int = 1


def find_field(grey: Pixels) -> FieldSearch:
    """The largest rectangle, turned by up to 5 degrees, that a flat rim surrounds; the whole image without a rim."""
    small, factor = _reduced(grey)
    whole = whole_field(grey.shape)
    low, high = np.percentile(small, (0.5, 99.5))
    if not high > low:
        return FieldSearch(whole)
    scaled = np.clip((small - low) / (high - low), 0, 1)
    strips = _strips(scaled)
    inner = _inside_rim(scaled)
    if inner is None:
        return FieldSearch(whole, 1 + strips)
    labels, count = ndimage.label(inner)
    sizes = np.bincount(labels.ravel(), minlength=count + 1)[1:] / labels.size
    exposures = max(1 + strips, int((sizes >= _SECOND).sum()))
    largest = ndimage.binary_fill_holes(labels == 1 + int(np.argmax(sizes)))
    corners, turned, filled = _rectangle(largest)
    if not _SMALLEST <= float(largest.mean()) <= _LARGEST or filled < _FILLED:
        return FieldSearch(whole, exposures)
    limits = (float(grey.shape[1]), float(grey.shape[0]))
    points = tuple(_within((x * factor, y * factor), limits) for x, y in corners)
    return FieldSearch(ExposedField(points, "pixels", turned), exposures)


def mask_of(field: ExposedField, shape: tuple[int, ...]) -> Mask:
    """Pixels (row, column) whose centre lies in the field."""
    if field.is_whole:
        return np.ones(shape, dtype=bool)
    picture = Image.new("1", (shape[1], shape[0]))
    ImageDraw.Draw(picture).polygon([(x - 0.5, y - 0.5) for x, y in field.corners], fill=1, outline=1)
    return np.asarray(picture, dtype=bool)


def _within(point: Point, limits: Point) -> Point:
    return min(max(point[0], 0.0), limits[0]), min(max(point[1], 0.0), limits[1])


def _reduced(grey: Pixels) -> tuple[Pixels, int]:
    """Means of square blocks, so that noise does not hide a rim, and the blocks' edge in pixels."""
    factor = max(1, round(max(grey.shape) / _LENGTH))
    rows, columns = (length // factor for length in grey.shape)
    blocks = grey[: rows * factor, : columns * factor].reshape(rows, factor, columns, factor)
    return blocks.mean(axis=(1, 3)), factor


def _inside_rim(scaled: Pixels) -> Mask | None:
    """All but the flat region of one grey that runs along the image's border; None without such a region."""
    ring = np.concatenate([scaled[0], scaled[-1], scaled[:, 0], scaled[:, -1]])
    counts, edges = np.histogram(ring, bins=40, range=(0, 1))
    peak = int(np.argmax(counts))
    rim = float(np.median(ring[(ring >= edges[peak]) & (ring <= edges[peak + 1])]))
    if float((np.abs(ring - rim) <= _FLAT).mean()) < _OF_BORDER:
        return None
    flat = np.abs(scaled - rim) <= _FLAT
    flat &= np.abs(ndimage.uniform_filter(scaled, 5, mode="nearest") - rim) <= _FLAT
    labels, _ = ndimage.label(flat)
    touching = np.unique(np.concatenate([labels[0], labels[-1], labels[:, 0], labels[:, -1]]))
    outside = np.isin(labels, touching[touching > 0])
    # The mean over a neighbourhood makes the rim end two pixels early.
    outside = ndimage.binary_dilation(outside, iterations=2) & (np.abs(scaled - rim) <= 2 * _FLAT)
    inner: Mask = ndimage.binary_opening(~outside, iterations=2)
    return inner if inner.any() else None


def _rectangle(region: Mask) -> tuple[list[Point], float, float]:
    """Corners (x, y) and angle of the smallest rectangle about a region, and how much of it the region fills.

    The ends of the region along each direction are told from its 2nd and 98th percentiles, as those of an even
    rectangle, so that a marker that touches it does not count.
    """
    y, x = np.nonzero(region)
    best: tuple[float, list[Point], float] | None = None
    for angle in _ANGLES:
        turn = np.deg2rad(angle)
        along = np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]])
        ends = [_ends(values) for values in along @ np.stack([x + 0.5, y + 0.5])]
        area = float((ends[0][1] - ends[0][0]) * (ends[1][1] - ends[1][0]))
        if best is None or area < best[0]:
            (left, right), (top, bottom) = ends
            turned = np.array([[left, top], [right, top], [right, bottom], [left, bottom]]) @ along
            best = area, [(float(px), float(py)) for px, py in turned], float(angle)
    assert best is not None  # noqa: S101  # there are angles
    return best[1], best[2], len(x) / max(best[0], 1.0)


def _ends(values: NDArray[np.float64]) -> tuple[float, float]:
    low, high = np.percentile(values, (2, 98))
    reach = (high - low) * 0.02 / 0.96
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
