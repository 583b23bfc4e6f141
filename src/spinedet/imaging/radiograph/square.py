"""A box of an image as a square of fixed size; the aspect is kept, and what lies outside the image is black."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from spinedet.imaging.radiograph.records import Box, Pixels


@dataclass(frozen=True, slots=True, eq=False)
class Square:
    """Pixels (side, side), and where they come from.

    Attributes:
        origin: (x, y) of the upper left edge in pixels of the image. zoom: pixels of the square in one of the image.
    """

    pixels: NDArray[np.float16]
    origin: tuple[float, float]
    zoom: float

    def place(self, box: Box) -> Box:
        """A box of the image in pixels of the square; parts may lie outside."""
        x0, y0, x1, y1 = box
        left, top = self.origin
        return (x0 - left) * self.zoom, (y0 - top) * self.zoom, (x1 - left) * self.zoom, (y1 - top) * self.zoom


def square(pixels: Pixels, box: Box, side: int) -> Square:
    """The square around a box, of its longer side, with the same middle."""
    x0, y0, x1, y1 = box
    length = max(x1 - x0, y1 - y0)
    left, top = (x0 + x1 - length) / 2, (y0 + y1 - length) / 2
    rows, columns = pixels.shape
    edges = (-left, -top, left + length - columns, top + length - rows)
    margin = int(np.ceil(max(0.0, *edges)))
    padded = np.pad(pixels, margin) if margin else pixels
    within = (left + margin, top + margin, left + margin + length, top + margin + length)
    # Pillow's filters widen where an image shrinks, so that nothing is aliased.
    shrunk = Image.fromarray(padded).resize((side, side), Image.Resampling.BILINEAR, box=within)
    return Square(np.asarray(shrunk).astype(np.float16), (left, top), side / length)
