"""The contrast of a sagittal spine series estimated from its pixels: T2, T1, fat-suppressed, or a mask and no scan.

The vertebral column is found by its dark discs, whatever the contrast. Grey values are divided by their local mean, so
that coil and windowing matter little, and by the vertebrae's where the canal is measured. Two logistic models follow;
`benchmarks/generate/fit_contrast.py` fitted them.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from spinedet.core.anatomy import Region
from spinedet.core.geometry import Array
from spinedet.imaging.planes import SAGITTAL, SCALES, orient, slice_axis
from spinedet.imaging.volume import Volume

Mask: TypeAlias = NDArray[np.bool_]

PIXEL_MM = 1.5  # of the lumbar spine; a neck is sampled finer, so that it measures the same
_SLICES = 5
_CENTRAL = (0.35, 0.65)  # of the stack: where the canal is
_LEAST_MM = (110.0, 75.0)  # height and depth of an image that shows enough, at the lumbar spine's size
_BODY = 0.08  # of the 99th percentile
_LOCAL_MM = 25.0
_ROWS = (0.04, 0.78)  # of the height: below it the sacrum leaves the straight column
_OFFSETS_MM = np.arange(-30.0, 61.0, PIXEL_MM)  # from the middle of the vertebrae to posterior
_VERTEBRA = np.abs(_OFFSETS_MM) <= 9.0
_CANAL = (_OFFSETS_MM >= 12.0) & (_OFFSETS_MM <= 39.0)
# Of dark bars along the column, as a mean over it: real slices have 0.039 to 0.088, noise has 0.005.
_LEAST_BARS = 0.03
_FULL_GAIN = 0.6  # of the clearest bar, against what a step aside costs
_STEP_COST = 0.02
_FORBIDDEN = -0.3
_SMALLEST = 0.02  # relative grey value that stands for none, so that logarithms are finite

_PERCENTILES = (10, 25, 50, 75, 90, 97)
FEATURES = (
    "log of the canal's brightest part against vertebrae",
    "log of the canal's darkest part against vertebrae",
    "brightest stripe within the canal",
    "darkest stripe within the canal",
    "log of the vertebrae against their surroundings",
    "share of the canal brighter than vertebrae",
    "longest bright stripe of the image",
    "longest dark stripe of the image",
    *(f"percentile {q} around the column" for q in _PERCENTILES),
    "fat under the skin of the back",
)

# A mask has few values, whole numbers, in patches.
_MOST_LABELS = 160
_LEAST_FLAT = 0.5
_MASK_SLICES = 9
_STEP = 8  # between voxels that are seen first


@dataclass(frozen=True, slots=True)
class Contrast:
    """The contrast estimated from the pixels.

    Attributes:
        t2: log odds of T2 against T1. fat_suppressed: log odds of fat-suppressed against plain T2.
    """

    t2: float
    fat_suppressed: float


def measure_contrast(volume: Volume, region: Region) -> Contrast | None:
    """Log odds from the central slices of a sagittal series; None when it shows too little of a spine."""
    features = contrast_features(volume, region)
    if features is None:
        return None
    models = _models()
    return Contrast(_log_odds(models["t2"], features), _log_odds(models["fat_suppressed"], features))


def contrast_features(volume: Volume, region: Region) -> Array | None:
    """(slices, 15): `FEATURES` of each central slice; None when the image is too small."""
    oriented = orient(volume, SAGITTAL)
    pixel = oriented.grid.spacing[1:] / SCALES[region]
    if np.any(pixel * oriented.array.shape[1:] < _LEAST_MM):
        return None
    places = np.linspace(*_CENTRAL, _SLICES) * (oriented.array.shape[0] - 1)
    rows = [slice_features(oriented.array[index], pixel) for index in np.unique(places.round().astype(int))]
    return np.array([row for row in rows if row is not None]) if any(row is not None for row in rows) else None


def slice_features(picture: NDArray[np.generic], pixel: Array) -> Array | None:
    """`FEATURES` (15,) of one sagittal slice.

    Args:
        picture: (row, column), rows to the feet, columns to posterior. pixel: mm along rows and columns.

    Returns:
        None for a slice that shows no column of discs.
    """
    relative, body = _relative(_at_working_pixel(picture.astype(np.float64), pixel))
    if body.sum() < 100:
        return None
    rows = np.arange(int(_ROWS[0] * len(relative)), int(_ROWS[1] * len(relative)))
    first, last = _edges(body)
    bars = _disc_bars(relative, first, last)[rows]
    path = _best_path(bars * (_FULL_GAIN / max(float(bars.max()), 1e-9)))
    if np.take_along_axis(bars, path[:, None], axis=1).mean() < _LEAST_BARS:
        return None
    middle = ndimage.gaussian_filter1d(path.astype(float), _px(8))
    places = [np.repeat(rows[:, None], len(_OFFSETS_MM), axis=1), middle[:, None] + _OFFSETS_MM / PIXEL_MM]
    straight = ndimage.map_coordinates(relative, places, order=1, mode="nearest")
    return np.array(
        [*_canal(straight), *_stripes(relative, first, last, rows), *_around(straight), _skin_fat(relative, last, rows)]
    )


def _px(mm: float) -> float:
    return mm / PIXEL_MM


def _at_working_pixel(picture: Array, pixel: Array) -> Array:
    ratio = PIXEL_MM / pixel
    smooth = ndimage.gaussian_filter(picture, ratio / 2.5)
    axes = [
        (np.arange(max(8, round(length / r))) + 0.5) * r - 0.5 for length, r in zip(picture.shape, ratio, strict=True)
    ]
    return np.asarray(ndimage.map_coordinates(smooth, np.meshgrid(*axes, indexing="ij"), order=1, mode="nearest"))


def _relative(picture: Array) -> tuple[Array, Mask]:
    """Grey values against their local mean within the body, 0 outside; and the body."""
    top = max(float(np.percentile(picture, 99)), 1e-6)
    grey = np.clip(picture, 0, top) / top
    body = ndimage.binary_opening(ndimage.gaussian_filter(grey, _px(3)) > _BODY, iterations=2)
    labels, count = ndimage.label(ndimage.binary_fill_holes(body))
    if count:
        body = labels == 1 + int(np.argmax(np.bincount(labels.ravel())[1:]))
    weight = np.maximum(ndimage.gaussian_filter(body.astype(float), _px(_LOCAL_MM)), 1e-3)
    local = ndimage.gaussian_filter(grey * body, _px(_LOCAL_MM)) / weight
    return np.where(body, np.clip(grey / np.maximum(local, 0.04), 0, 4), 0.0), body


def _edges(body: Mask) -> tuple[NDArray[np.int_], NDArray[np.int_]]:
    """First and last column of the body in each row; beyond the image where there is none."""
    width, there = body.shape[1], body.any(axis=1)
    first = np.where(there, body.argmax(axis=1), width)
    return first, np.where(there, width - 1 - body[:, ::-1].argmax(axis=1), -1)


def _inside(shape: tuple[int, ...], first: NDArray[np.int_], last: NDArray[np.int_], mm: tuple[float, float]) -> Mask:
    """Columns at least so far from the front and the back of the body."""
    columns = np.arange(shape[1])[None]
    return np.asarray((columns - first[:, None] > _px(mm[0])) & (last[:, None] - columns > _px(mm[1])))


def _disc_bars(relative: Array, first: NDArray[np.int_], last: NDArray[np.int_]) -> Array:
    """How much a place resembles the middle of a column of discs: dark bars, 2 cm long, one above the other."""
    bars = ndimage.uniform_filter1d(relative, int(_px(21)), axis=1)
    bars = ndimage.gaussian_filter1d(bars, _px(7), axis=0) - ndimage.gaussian_filter1d(bars, _px(2.2), axis=0)
    density = ndimage.gaussian_filter(np.clip(bars, 0, 0.25), (_px(22), _px(3)))
    return np.where(_inside(relative.shape, first, last, (12, 35)), density, 0.0)


def _best_path(gain: Array) -> NDArray[np.int_]:
    """The column in each row of the path from top to bottom with the greatest gain, at most one column a row aside."""
    rows = len(gain)
    total, back = gain[0], np.zeros(gain.shape, dtype=int)
    choices = np.full((3, gain.shape[1]), -np.inf)
    for row in range(1, rows):
        choices[0, 1:] = total[:-1] - _STEP_COST
        choices[1] = total
        choices[2, :-1] = total[1:] - _STEP_COST
        back[row] = choices.argmax(axis=0) - 1
        total = gain[row] + choices.max(axis=0)
    path = np.empty(rows, dtype=int)
    path[-1] = int(total.argmax())
    for row in range(rows - 1, 0, -1):
        path[row - 1] = path[row] + back[row, path[row]]
    return path


def _canal(straight: Array) -> tuple[float, ...]:
    """Brightest and darkest part, stripes, and after them the vertebrae's own level and the brighter share."""
    vertebrae = ndimage.gaussian_filter1d(np.median(straight[:, _VERTEBRA], axis=1), _px(18))
    against = straight / np.maximum(vertebrae, 0.05)[:, None]
    against = ndimage.gaussian_filter(against, (_px(5), _px(1.5)))
    canal = against[:, _CANAL]
    ordered = np.sort(canal, axis=1)
    stripes = ndimage.gaussian_filter1d(against, _px(3.5), axis=1) - ndimage.gaussian_filter1d(against, _px(8), axis=1)
    stripes = ndimage.gaussian_filter1d(stripes, _px(10), axis=0)[:, _CANAL]
    return (
        _log(float(np.median(ordered[:, -4]))),
        _log(float(np.median(ordered[:, 3]))),
        float(np.median(stripes.max(axis=1))),
        float(np.median(-stripes.min(axis=1))),
        _log(float(np.median(vertebrae))),
        float(np.median((canal > 1).mean(axis=1))),
    )


def _log(value: float) -> float:
    return float(np.log(max(value, _SMALLEST)))


def _stripes(relative: Array, first: NDArray[np.int_], last: NDArray[np.int_], rows: NDArray[np.int_]) -> list[float]:
    """Mean contrast of the best bright and the best dark stripe that runs from top to bottom."""
    smooth = ndimage.gaussian_filter1d(relative, _px(6), axis=0)
    ridge = ndimage.gaussian_filter1d(smooth, _px(4.5), axis=1) - ndimage.gaussian_filter1d(smooth, _px(9), axis=1)
    inside = _inside(relative.shape, first, last, (20, 20))
    means = []
    for sign in (1.0, -1.0):
        gain = np.where(inside, sign * ridge, _FORBIDDEN)[rows]
        means.append(float(np.take_along_axis(gain, _best_path(gain)[:, None], axis=1).mean()))
    return means


def _around(straight: Array) -> list[float]:
    seen = straight[straight > _SMALLEST]
    return [float(value) for value in np.percentile(seen, _PERCENTILES)] if seen.size else [1.0] * len(_PERCENTILES)


def _skin_fat(relative: Array, last: NDArray[np.int_], rows: NDArray[np.int_]) -> float:
    """Median of what lies 3 to 12 mm below the skin of the back; 1, the local mean, where the skin is not in view."""
    deep, shallow = int(_px(12)), int(_px(3))
    levels = [
        float(relative[row, last[row] - deep : last[row] - shallow].mean())
        for row in rows
        if 2 * deep < last[row] < relative.shape[1] - 2
    ]
    return float(np.median(levels)) if len(levels) > 10 else 1.0


@dataclass(frozen=True, eq=False)
class LogisticModel:
    """Coefficients of standardised features, in the order of `FEATURES`.

    Attributes:
        used: which features. mean, scale, weights: (used,) each. intercept: log odds at the mean.
    """

    used: tuple[int, ...]
    mean: tuple[float, ...]
    scale: tuple[float, ...]
    weights: tuple[float, ...]
    intercept: float

    def log_odds(self, features: Array) -> Array:
        """(n,) of features (n, 15)."""
        standardised = (features[:, list(self.used)] - np.array(self.mean)) / np.array(self.scale)
        return np.asarray(standardised @ np.array(self.weights) + self.intercept)


@cache
def _models() -> dict[str, LogisticModel]:
    text = resources.files("spinedet.imaging").joinpath("contrast_model.json").read_text("utf-8")
    entries = json.loads(text)["models"]
    return {
        name: LogisticModel(
            used=tuple(map(FEATURES.index, entry["features"])),
            mean=tuple(entry["mean"]),
            scale=tuple(entry["scale"]),
            weights=tuple(entry["weights"]),
            intercept=entry["intercept"],
        )
        for name, entry in entries.items()
    }


def _log_odds(model: LogisticModel, features: Array) -> float:
    return float(np.median(model.log_odds(features)))


def mask_labels(volume: Volume) -> int | None:
    """How many labels an image has that is a segmentation mask; None for a scan.

    A mask holds few values, all of them whole numbers, and most of its voxels equal their four neighbours in the slice;
    in scans noise keeps them apart.
    """
    array = np.moveaxis(volume.array, slice_axis(volume.grid), 0)
    array = array[np.unique(np.linspace(0, len(array) - 1, _MASK_SLICES).round().astype(int))]
    if len(np.unique(array[:, ::_STEP, ::_STEP])) > _MOST_LABELS:  # spares a scan the sorting of all
        return None
    values = np.unique(array)
    if len(values) > _MOST_LABELS or not bool((values == np.round(values)).all()):
        return None
    inner = array[:, 1:-1, 1:-1]
    shifted = (array[:, :-2, 1:-1], array[:, 2:, 1:-1], array[:, 1:-1, :-2], array[:, 1:-1, 2:])
    labelled = inner != array.min()
    flat = labelled & np.logical_and.reduce([inner == other for other in shifted])
    return len(values) - 1 if labelled.any() and flat.sum() > _LEAST_FLAT * labelled.sum() else None
