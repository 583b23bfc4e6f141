"""Single vertebrae on lateral radiographs, found by a small network taught on phantoms."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file
from scipy import ndimage

from spinedet.imaging.radiograph.convolution import Floats, convolved
from spinedet.imaging.radiograph.records import Point, RadiographImage
from spinedet.imaging.radiograph.square import square

# Weights that ship, from `benchmarks/generate/vertebra_locator.py`.
SHIPPED = Path(__file__).parent / "weights" / "vertebrae.safetensors"
# The exposed field is shrunk to a square of this side; the network answers for cells of so many of its pixels.
SIDE, CELL = 160, 4
# Of the convolutions, first to last: stride and dilation. The receptive field is most of the square.
LAYERS = ((2, 1), (2, 1), (1, 1), (1, 2), (1, 4), (1, 8), (1, 2), (1, 1))
# What is predicted of a cell: whether a vertebral body's middle lies there (logit), the offset to it from the cell's
# middle, in cells, to the right and down, and half of the body's height, the logarithm of cells.
OUTPUTS = 4
# A middle is found from this probability on; of two nearer than this share of a body's height, the surer one counts.
FOUND, APART = 0.4, 0.6


@dataclass(frozen=True, slots=True)
class LocatedVertebra:
    """A vertebral body.

    Attributes:
        middle: (x, y) in pixels of the image. height: of the body, pixels. probability: that it is one.
        up: unit vector (x, y) along the spine, towards the head.
    """

    middle: Point
    height: float
    probability: float
    up: Point = (0.0, -1.0)


@dataclass(frozen=True, slots=True, eq=False)
class VertebraLocator:
    """A fully convolutional network: kernels (outputs, inputs, 3, 3) and biases of `LAYERS`, then a linear layer for
    every cell: weight (OUTPUTS, inputs), bias (OUTPUTS,)."""

    kernels: tuple[tuple[Floats, Floats], ...]
    weight: Floats
    bias: Floats

    def __call__(self, image: RadiographImage) -> tuple[LocatedVertebra, ...]:
        """The vertebral bodies in the exposed field of a lateral radiograph, from the head down."""
        small = square(image.pixels, image.field.box, SIDE)
        left, top = small.origin
        found = [
            LocatedVertebra(
                (left + one.middle[0] / small.zoom, top + one.middle[1] / small.zoom),
                one.height / small.zoom,
                one.probability,
            )
            for one in vertebrae_of(self.cells(small.pixels.astype(np.float32)))
        ]
        return _along_the_spine(found)

    def cells(self, pixels: Floats) -> Floats:
        """(OUTPUTS, cells, cells) for an image (SIDE, SIDE) in [0, 1]."""
        x = 2 * pixels[None] - 1
        for (kernel, bias), (stride, dilation) in zip(self.kernels, LAYERS, strict=True):
            y = np.maximum(convolved(x, kernel, bias, stride, dilation), 0)
            x = x + y if y.shape == x.shape else y
        return np.asarray(np.tensordot(self.weight, x, 1) + self.bias[:, None, None], np.float32)


def vertebrae_of(cells: Floats) -> list[LocatedVertebra]:
    """What the cells of a network say, in pixels of its input; the surest first, none twice."""
    probability = 1 / (1 + np.exp(-cells[0]))
    peaks = (probability == ndimage.maximum_filter(probability, 3)) & (probability >= FOUND)
    found: list[LocatedVertebra] = []
    for row, column in sorted(np.argwhere(peaks).tolist(), key=lambda at: -probability[at[0], at[1]]):
        x = CELL * (column + 0.5 + float(cells[1, row, column]))
        y = CELL * (row + 0.5 + float(cells[2, row, column]))
        height = 2 * CELL * float(np.exp(cells[3, row, column]))
        apart = (np.hypot(x - one.middle[0], y - one.middle[1]) >= APART * one.height for one in found)
        if all(apart):
            found.append(LocatedVertebra((x, y), height, float(probability[row, column])))
    return found


def _along_the_spine(found: list[LocatedVertebra]) -> tuple[LocatedVertebra, ...]:
    """From the head down, each with the direction from its lower to its upper neighbour."""
    ordered = sorted(found, key=lambda one: one.middle[1])
    if len(ordered) < 2:
        return tuple(ordered)
    result = []
    for number, one in enumerate(ordered):
        above, below = ordered[max(number - 1, 0)].middle, ordered[min(number + 1, len(ordered) - 1)].middle
        x, y = above[0] - below[0], above[1] - below[1]
        length = max(float(np.hypot(x, y)), 1e-6)
        result.append(LocatedVertebra(one.middle, one.height, one.probability, (x / length, y / length)))
    return tuple(result)


@cache
def shipped_vertebra_locator() -> VertebraLocator:
    """The network that ships."""
    tensors = {name: np.asarray(tensor, np.float32) for name, tensor in load_file(SHIPPED).items()}
    kernels = tuple((tensors[f"{layer}.weight"], tensors[f"{layer}.bias"]) for layer in range(len(LAYERS)))
    return VertebraLocator(kernels, tensors["head.weight"], tensors["head.bias"])
