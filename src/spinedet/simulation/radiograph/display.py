"""What a maker does to a radiograph before it is read: tone curve, detail, collimation, marker, stored grey values."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spinedet.simulation.radiograph.beam import Field, cosine, sine
from spinedet.simulation.radiograph.exposure import blurred, softened


@dataclass(frozen=True, slots=True)
class Processing:
    """A maker's processing.

    Attributes:
        equalise: share of the coarse differences that is removed, 0 to 1.
        detail: gain of fine structures; saturation: contrast at which the gain ends.
        window: percentiles of the exposed field shown as black and white.
        curve: steepness of the S-shaped tone curve; darkness: more than 1 darkens its middle.
        bits: of the stored grey values; 8 is a digitised film.
        grain: deviation of a film's grain, of full scale.
    """

    equalise: float
    detail: float
    saturation: float
    window: tuple[float, float]
    curve: float
    darkness: float = 1.6
    bits: int = 16
    grain: float = 0.0


@dataclass(frozen=True, slots=True)
class Collimation:
    """The exposed rectangle: margins (left, top, right, bottom) as shares of the image, turn in degrees, and the grey
    (of full scale) stored outside."""

    margins: tuple[float, float, float, float]
    turn: float
    outside: float


@dataclass(frozen=True, slots=True)
class Marker:
    """A lead letter: its middle as shares of the image, height in pixels, and whether it lies mirrored."""

    letter: str
    place: tuple[float, float]
    height: int
    mirrored: bool = False


_LETTERS = {
    "R": ("1110", "1001", "1001", "1110", "1010", "1001", "1001"),
    "L": ("1000", "1000", "1000", "1000", "1000", "1000", "1111"),
}


def exposed_field(shape: tuple[int, int], collimation: Collimation) -> Field:
    """(rows, columns): 1 inside the collimator, 0 outside, with a penumbra of two pixels."""
    rows, columns = shape
    left, top, right, bottom = collimation.margins
    y = (np.arange(rows, dtype=np.float32) + np.float32(0.5 - rows / 2))[:, None]
    x = (np.arange(columns, dtype=np.float32) + np.float32(0.5 - columns / 2))[None, :]
    c, s = np.float32(cosine(collimation.turn)), np.float32(sine(collimation.turn))
    u, v = c * x + s * y, c * y - s * x
    inside = np.minimum(
        np.minimum(u + np.float32(columns * (0.5 - left)), np.float32(columns * (0.5 - right)) - u),
        np.minimum(v + np.float32(rows * (0.5 - top)), np.float32(rows * (0.5 - bottom)) - v),
    )
    return np.clip(inside / 2 + np.float32(0.5), 0, 1)


def develop(density: Field, field: Field, processing: Processing, rng: np.random.Generator) -> Field:
    """(rows, columns) in [0, 1], bone white.

    Args:
        density: -log of the signal.
        field: the exposed field.
        processing: the maker's.
        rng: of a film's grain.
    """
    height = density.shape[0]
    coarse = blurred(density, height // 6)
    image = density - np.float32(processing.equalise) * (coarse - np.float32(np.median(coarse[field > 0.5])))
    previous = density
    for reach in (2, 5, height // 28):
        smooth = blurred(density, max(reach, 3))
        band = previous - smooth
        shrink = np.sqrt(1 + (band / np.float32(processing.saturation)) ** 2)
        image = image + np.float32(processing.detail) * band / shrink
        previous = smooth
    low, high = (np.float32(v) for v in np.percentile(image[field > 0.5], processing.window))
    tone = np.clip((image - low) / max(high - low, np.float32(1e-3)), 0, 1)
    tone = _toned(tone / (tone + np.float32(processing.darkness) * (1 - tone)), processing.curve)
    if processing.grain:
        tone = tone + np.float32(processing.grain) * rng.standard_normal(tone.shape, np.float32)
    return np.clip(tone, 0, 1)


def frame_image(image: Field, field: Field, collimation: Collimation, markers: tuple[Marker, ...]) -> Field:
    """Markers and the unexposed border."""
    for marker in markers:
        image = _stamped(image, marker)
    return image * field + np.float32(collimation.outside) * (1 - field)


def stored(image: Field, bits: int) -> NDArray[np.uint16]:
    """16-bit grey values; fewer `bits` leave the steps of a digitised film."""
    steps = np.float32((1 << bits) - 1)
    whole = np.rint(np.clip(image, 0, 1) * steps).astype(np.int64)
    return (whole * 65535 // ((1 << bits) - 1)).astype(np.uint16)


def _toned(tone: Field, curve: float) -> Field:
    """An S-curve through (0, 0), (.5, .5) and (1, 1)."""
    away = 2 * tone - 1
    steep = np.float32(curve)
    return (away * np.sqrt(1 + steep * steep) / np.sqrt(1 + (steep * away) ** 2) + 1) / 2


def _stamped(image: Field, marker: Marker) -> Field:
    pattern = np.array([[int(c) for c in row] for row in _LETTERS[marker.letter]], np.float32)
    if marker.mirrored:
        pattern = pattern[:, ::-1]
    size = max(marker.height // 7, 1)
    letter = np.kron(pattern, np.ones((size, size), np.float32))
    rows, columns = image.shape
    top = int(marker.place[1] * rows - letter.shape[0] / 2)
    left = int(marker.place[0] * columns - letter.shape[1] / 2)
    top, left = max(min(top, rows - letter.shape[0]), 0), max(min(left, columns - letter.shape[1]), 0)
    stamp = np.zeros_like(image)
    stamp[top : top + letter.shape[0], left : left + letter.shape[1]] = letter
    return np.maximum(image, np.float32(0.97) * softened(stamp, 0.6))
