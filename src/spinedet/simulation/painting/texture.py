"""Random fields fixed in the patient, so that every slice through a place shows the same grain."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import fft

from spinedet.simulation.painting.canvas import Canvas, Field, Window

_SIDE = 64
_STRIDES = (_SIDE * _SIDE, _SIDE, 1)


@dataclass(frozen=True, slots=True, eq=False)
class Texture:
    """A periodic Gaussian field of mean 0 and deviation 1, (64, 64, 64) over R, A, S, `pitch` mm per sample."""

    values: NDArray[np.float32]
    pitch: float

    def over(self, canvas: Canvas, window: Window, lean: float = 0.0) -> Field:
        """The field at every pixel of a window; its fibres lean forwards by `lean` mm per mm upwards."""
        index: NDArray[np.int32] = np.zeros((1, 1), np.int32)
        for axis, stride in zip(((1.0, 0.0, 0.0), (0.0, 1.0, -lean), (0.0, 0.0, 1.0)), _STRIDES, strict=True):
            place = canvas.coordinate(window, (0.0, 0.0, 0.0), axis) * np.float32(1 / self.pitch)
            index = index + (np.floor(place).astype(np.int32) & (_SIDE - 1)) * np.int32(stride)
        return self.values.reshape(-1)[index]


def draw_texture(pitch: float, grain: tuple[float, float, float], rng: np.random.Generator) -> Texture:
    """White noise smoothed to a grain of the given size (mm along R, A, S)."""
    noise = rng.standard_normal((_SIDE, _SIDE, _SIDE), dtype=np.float32)
    spectrum = fft.rfftn(noise, workers=1)
    for axis, size in enumerate(grain):
        frequency = fft.rfftfreq(_SIDE, pitch) if axis == 2 else fft.fftfreq(_SIDE, pitch)
        shape = [1, 1, 1]
        shape[axis] = -1
        # A rational low-pass of products: powers and exponentials differ in their last bit between machines.
        square = (4 * frequency * size) * (4 * frequency * size)
        low_pass = (1 / (1 + square * square)).astype(np.float32).reshape(shape)
        for part in (spectrum.real, spectrum.imag):
            part *= low_pass
    smooth = fft.irfftn(spectrum, s=noise.shape, workers=1)
    return Texture((smooth / np.float32(_deviation(smooth))).astype(np.float32), pitch)


def _deviation(values: NDArray[np.float32]) -> float:
    """The deviation from 0, summed over whole numbers: sums of floats depend on a machine's order of adding."""
    largest = float(np.abs(values).max())
    whole = np.rint(values * np.float32(65536 / largest)).astype(np.int64)
    return largest / 65536 * math.sqrt(int((whole * whole).sum()) / whole.size)
