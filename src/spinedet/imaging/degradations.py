"""Images made worse by a known amount: noise, coil, resolution, slices, motion and contrast."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeAlias

import numpy as np

from spinedet.imaging.planes import PlaneSpec, orient
from spinedet.imaging.settings import DEGRADATIONS
from spinedet.imaging.volume import Volume, Voxels

# From slices (D, H, W) from 0 upwards, the strength, the pixel (row, column) in mm and draws to slices of that shape.
Degrade: TypeAlias = Callable[[Voxels, float, tuple[float, float], np.random.Generator], Voxels]
_BRIGHT = 99.0  # percentile that stands for the bright signal
_KNOTS = 4  # of the bias field along each axis
_SHOTS = 16  # of a fast spin echo


def degrade(volume: Volume, spec: PlaneSpec, name: str, strength: float, rng: np.random.Generator) -> Volume:
    """The volume, its slices first, made worse; lesions stay where they are.

    Args:
        name: one of `DEGRADATIONS`. strength: in its unit.
    """
    if name not in DEGRADATIONS:
        raise KeyError(name)
    oriented = orient(volume, spec)
    floor = oriented.array.min()
    spacing = oriented.grid.spacing
    changed = _DEGRADE[name](oriented.array - floor, strength, (float(spacing[1]), float(spacing[2])), rng)
    return Volume(np.ascontiguousarray(changed + floor, dtype=np.float32), oriented.grid)


def _bright(signal: Voxels) -> float:
    return max(float(np.percentile(signal, _BRIGHT)), 1e-6)


def _noise(signal: Voxels, strength: float, pixel: tuple[float, float], rng: np.random.Generator) -> Voxels:
    """Rician: Gaussian in both channels, of which a scanner shows the length (Gudbjartsson 1995)."""
    real, imaginary = rng.normal(0, strength * _bright(signal), (2, *signal.shape))
    return np.hypot(signal + real, imaginary)


def _bias_field(signal: Voxels, strength: float, pixel: tuple[float, float], rng: np.random.Generator) -> Voxels:
    field = rng.normal(0, strength, (min(_KNOTS, signal.shape[0]), _KNOTS, _KNOTS))
    for axis, length in enumerate(signal.shape):
        field = _interpolated(field, axis, length)
    return signal * np.exp(field)


def _interpolated(array: np.ndarray, axis: int, length: int) -> np.ndarray:
    """The array with `length` entries along an axis, linear between its own at equal distances."""
    count = array.shape[axis]
    places = np.linspace(0, count - 1, length)
    low = np.minimum(places.astype(int), max(count - 2, 0))
    share = (places - low).reshape([-1 if one == axis else 1 for one in range(array.ndim)])
    high = np.minimum(low + 1, count - 1)
    return np.take(array, low, axis) * (1 - share) + np.take(array, high, axis) * share


def _blur(signal: Voxels, strength: float, pixel: tuple[float, float], rng: np.random.Generator) -> Voxels:
    for axis, mm in zip((1, 2), pixel, strict=True):
        reach = int(np.ceil(3 * strength / mm))
        kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) * mm / strength) ** 2)
        padded = np.pad(signal, [(reach, reach) if one == axis else (0, 0) for one in range(3)], mode="edge")
        signal = np.apply_along_axis(np.convolve, axis, padded, kernel / kernel.sum(), "valid")
    return signal


def _spacing(signal: Voxels, strength: float, pixel: tuple[float, float], rng: np.random.Generator) -> Voxels:
    """What a coarser matrix would have shown: means of coarse pixels, linear between their middles."""
    for axis in (1, 2):
        length = signal.shape[axis]
        count = max(2, round(length / strength))
        edges = np.linspace(0, length, count + 1)
        sums = np.concatenate([np.zeros_like(np.take(signal, [0], axis)), np.cumsum(signal, axis=axis)], axis=axis)
        means = np.diff(_at(sums, edges, axis), axis=axis) / (length / count)
        middles = (np.arange(length) + 0.5) * count / length - 0.5
        signal = _at(means, np.clip(middles, 0, count - 1), axis)
    return signal


def _at(array: np.ndarray, places: np.ndarray, axis: int) -> np.ndarray:
    """Values at fractional places along an axis, linear between entries."""
    low = np.clip(places.astype(int), 0, array.shape[axis] - 2)
    share = (places - low).reshape([-1 if one == axis else 1 for one in range(array.ndim)])
    return np.take(array, low, axis) * (1 - share) + np.take(array, low + 1, axis) * share


def _missing_slices(signal: Voxels, strength: float, pixel: tuple[float, float], rng: np.random.Generator) -> Voxels:
    """Some slices lost, each filled with the one before it; the first is never lost."""
    lost = 1 + rng.permutation(len(signal) - 1)[: round(strength * (len(signal) - 1))]
    filled = signal.copy()
    for row in sorted(lost.tolist()):
        filled[row] = filled[row - 1]
    return filled


def _motion(signal: Voxels, strength: float, pixel: tuple[float, float], rng: np.random.Generator) -> Voxels:
    """The patient moves along the rows between the interleaved shots of each slice."""
    lines = signal.shape[1]
    shifts = rng.normal(0, strength / pixel[0], (len(signal), _SHOTS))
    shifts -= shifts.mean(axis=1, keepdims=True)
    of_line = shifts[:, np.arange(lines) % _SHOTS]
    phases = np.exp(-2j * np.pi * np.fft.fftfreq(lines) * of_line)
    moved = np.fft.ifft(np.fft.fft(signal, axis=1) * phases[:, :, None], axis=1)
    return np.abs(moved)


def _contrast(signal: Voxels, strength: float, pixel: tuple[float, float], rng: np.random.Generator) -> Voxels:
    """Gamma over the range from black to the bright signal; what is brighter keeps its distance."""
    bright = _bright(signal)
    share = np.clip(signal / bright, 0, 1)
    return np.where(signal < bright, bright * share**strength, signal)


_DEGRADE: Mapping[str, Degrade] = {
    "noise": _noise,
    "bias_field": _bias_field,
    "blur": _blur,
    "spacing": _spacing,
    "missing_slices": _missing_slices,
    "motion": _motion,
    "contrast": _contrast,
}
