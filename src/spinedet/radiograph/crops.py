"""Single vertebrae of a lateral radiograph as a network is given them, each turned upright."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from spinedet.imaging.radiograph.records import Box, Pixels, Point, RadiographImage
from spinedet.imaging.radiograph.vertebrae import LocatedVertebra, shipped_vertebra_locator

# The side of a crop, in heights of a vertebral body, where no length is wanted or no pixel size known.
_HEIGHTS = 2.4
# Evidence belongs to the body whose middle lies nearest to its own, if nearer than this share of the body's height.
_NEAR = 0.6
_ROW = 2
# Shading that is broader than this share of a crop's side (lung, diaphragm, trunk) is subtracted, and these percentiles
# of the rest are spread from 0 to 1: in the window of the whole field, a plate is a few per cent of the grey range.
_SHADING = 0.15
_WINDOW = (1.0, 99.0)


@dataclass(frozen=True, slots=True, eq=False)
class Crop:
    """One vertebra.

    Attributes:
        pixels: (side, side) in [0, 1], the vertebra in the middle, upright, in its own contrast.
        middle: of the vertebra, in the image.
        truth: boxes of the evidence, in pixels of the crop. evident: whether the evidence is of this vertebra.
    """

    pixels: NDArray[np.float16]
    middle: Point
    truth: tuple[Box, ...] = ()
    evident: bool = False


def vertebra_crops(image: RadiographImage, mm: float | None, side: int, truth: Sequence[Box] = ()) -> tuple[Crop, ...]:
    """Every vertebra that is found, from the head down; none where they are fewer than two, which is no row.

    Args:
        mm: side of each crop, where the pixel size is known; relative to the bodies' height when None.
        side: of each crop, pixels.
        truth: boxes of the evidence, pixels of the image.
    """
    found = shipped_vertebra_locator()(image)
    if len(found) < _ROW:
        return ()
    length = _HEIGHTS * median(one.height for one in found)
    if mm is not None and image.spacing is not None:
        length = mm / image.spacing.mm
    owners = [_owner(box, found) for box in truth]
    return tuple(
        _crop(image.pixels, one, length, side, [box for box, owner in zip(truth, owners, strict=True) if owner is one])
        for one in found
    )


def _owner(box: Box, found: Sequence[LocatedVertebra]) -> LocatedVertebra | None:
    middle = ((box[0] + box[2]) / 2, (box[1] + box[3]) / 2)
    nearest = min(found, key=lambda one: _distance(one.middle, middle))
    return nearest if _distance(nearest.middle, middle) < _NEAR * nearest.height else None


def _distance(a: Point, b: Point) -> float:
    return float(np.hypot(a[0] - b[0], a[1] - b[1]))


def _crop(pixels: Pixels, one: LocatedVertebra, length: float, side: int, truth: Sequence[Box]) -> Crop:
    """The square of this length (pixels) around a vertebra, its own direction up."""
    (x, y), (right, down) = one.middle, _axes(one.up)
    # Large images are averaged over blocks first, so that nothing is aliased.
    step = max(1, int(length / side))
    reach = int(length) + step
    left, top = max(int(x) - reach, 0), max(int(y) - reach, 0)
    part = pixels[top : int(y) + reach, left : int(x) + reach]
    rows, columns = (n // step for n in part.shape)
    part = part[: rows * step, : columns * step].reshape(rows, step, columns, step).mean((1, 3))
    places = (np.arange(side) + 0.5) / side * length - length / 2
    across = x + places[None, :] * right[0] + places[:, None] * down[0]
    along = y + places[None, :] * right[1] + places[:, None] * down[1]
    at = [(along - top) / step - 0.5, (across - left) / step - 0.5]
    cut = ndimage.map_coordinates(part, at, order=1, mode="constant")
    boxes = tuple(_moved(box, one.middle, (right, down), length, side) for box in truth)
    return Crop(own_contrast(cut).astype(np.float16), one.middle, boxes, bool(boxes))


def own_contrast(cut: Pixels) -> Pixels:
    """A crop (side, side) without its broad shading, its own grey values spread from 0 to 1.

    What is black, such as pixels outside the exposed field, stays black and does not count.
    """
    inside = cut > 0
    if not inside.any():
        return cut
    sigma = _SHADING * len(cut)
    share = ndimage.gaussian_filter(inside.astype(np.float32), sigma)
    flat = cut - ndimage.gaussian_filter(cut, sigma) / np.maximum(share, 1e-3)
    low, high = np.percentile(flat[inside], _WINDOW)
    return np.where(inside, np.clip((flat - low) / max(float(high - low), 1e-6), 0, 1), 0).astype(np.float32)


def _axes(up: Point) -> tuple[Point, Point]:
    """Unit vectors of a crop's columns and rows in the image."""
    down = (-up[0], -up[1])
    return (down[1], -down[0]), down


def _moved(box: Box, middle: Point, axes: tuple[Point, Point], length: float, side: int) -> Box:
    """The upright box around a box of the image, in pixels of the crop."""
    corners = [(x - middle[0], y - middle[1]) for x in box[::2] for y in box[1::2]]
    u, v = ([side * ((x * axis[0] + y * axis[1]) / length + 0.5) for x, y in corners] for axis in axes)
    return min(u), min(v), max(u), max(v)
