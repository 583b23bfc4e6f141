"""Noise, sharpness, motion, contrast and shading of a spine series, measured on its central slices.

All but the noise is measured on pixels of the network's working size, since what is lost below it is not missed.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from spinedet.core.geometry import Array, Grid
from spinedet.imaging.planes import PlaneSpec, orient
from spinedet.imaging.resample import resample
from spinedet.imaging.volume import Volume, Voxels

_SLICES = 3
_CENTRAL = (0.3, 0.7)  # of the stack
_BRIGHT = 99.0  # percentile of a slice that stands for its bright tissue
_BODY = 0.08  # of bright, smoothed: above is tissue
_LEAST_BODY, _LEAST_LENGTH = 400, 24  # pixels of tissue and of an edge; a slice with less is not measured
# Standard deviations of the Gaussians, in working pixels: structures of each band are about twice as large as those of
# the one before.
_SIGMAS = (0.8, 1.6, 3.2, 6.4)
_DARK = 0.1  # of bright, added before a logarithm, so that air does not count as texture
_FAINT = 0.01  # of bright: darker counts as this
_LOCAL = 10.0  # standard deviation in working pixels of the neighbourhood with which grey values are compared
_BLOCK = 20  # working pixels; the gain of a coil changes little within a block
_FAINT_BLOCK = 0.003
_TISSUE_BLOCK = 0.1  # of bright: columns of blocks that are darker throughout hold air
# Noise is measured on pixels of up to this share of a working pixel, averaged where they are smaller: scanners
# interpolate, and interpolated noise is missing from the finest details.
_NOISE_PIXEL = 0.8
_NOISE_MM = 1.6  # edge of the square for which it is stated
_NORMAL_MAD = 0.6745  # median absolute value of a standard normal variable
_PEAK = 7  # entries of an autocorrelation: what rises above their median is a narrow peak
_FIRST_LAG = 5  # nearer peaks belong to single structures
_LEAST_OVERLAP = 0.4  # of the tissue; farther lags rest on too few edges


@dataclass(frozen=True, slots=True)
class ImageQuality:
    """Medians over central slices.

    Attributes:
        noise: standard deviation of the noise in a square of 1.6 mm, as a share of the difference between bright and
            dark tissue; from the median absolute diagonal Haar detail (Donoho and Johnstone, Biometrika 1994;81:425).
        sharpness: log ratio of the root mean square of structures of about 2 working pixels and of about 8.
        ghosts: evenness of the edges from row to row times the highest narrow peak of their autocorrelation. Copies of
            the body at equal distances, as motion between excitations leaves them, raise both.
        smear: evenness of the edges from column to column, their median against their root mean square: small where
            few strong edges stand in even tissue, .67 for noise.
        contrast: standard deviation of the log grey value of tissue against its neighbourhood.
        shading: spread of the brightness along the rows' direction: geometric mean of the typical log ratio of
            neighbouring blocks, and of the standard deviation of the log of each row's brightest third.
    """

    noise: float
    sharpness: float
    ghosts: float
    smear: float
    contrast: float
    shading: float


def measure_quality(volume: Volume, spec: PlaneSpec) -> ImageQuality | None:
    """Quality of the central slices; None when they show too little tissue.

    Args:
        spec: of the volume's plane and region.
    """
    central = _central(orient(volume, spec))
    pixel = central.grid.spacing[1:]
    down, along = (spec.scale * mm for mm in spec.spacing[1:])
    working = resample(central, (float(central.grid.spacing[0]), down, along))
    largest = _NOISE_PIXEL * spec.scale * min(spec.spacing[1:])
    measured = [
        _measure(fine, coarse, pixel, largest) for fine, coarse in zip(central.array, working.array, strict=True)
    ]
    rows = [one for one in measured if one is not None]
    if not rows:
        return None
    return ImageQuality(
        *(np.median([getattr(one, field.name) for one in rows], axis=0).tolist() for field in fields(ImageQuality))
    )


def _central(oriented: Volume) -> Volume:
    """Up to three slices around the middle of a stack."""
    count = oriented.array.shape[0]
    chosen = np.unique((np.linspace(*_CENTRAL, _SLICES) * (count - 1)).round().astype(int))
    array = np.ascontiguousarray(oriented.array[chosen], dtype=np.float32)
    return Volume(np.maximum(array, 0), Grid((len(chosen), *array.shape[1:]), oriented.grid.affine))


def _measure(fine: Voxels, coarse: Voxels, pixel: Array, largest: float) -> ImageQuality | None:
    """Quality of one slice.

    Args:
        fine, coarse: (row, column), with the image's pixels and with working pixels. pixel: mm of the former.
        largest: mm, to which pixels are averaged for the noise.
    """
    from scipy import ndimage  # only where it is used: `--help` would wait for it

    bright = float(np.percentile(coarse, _BRIGHT))
    if bright <= 0 or min(coarse.shape) < _LEAST_LENGTH or min(fine.shape) < 4:
        return None
    grey = coarse / bright
    # Variances of Gaussians add, so that each is made from the one before.
    steps = np.sqrt(np.diff(np.square((0.0, *_SIGMAS))))
    light = ndimage.gaussian_filter(grey, steps[0])
    medium = ndimage.gaussian_filter(light, steps[1])
    smooth = ndimage.gaussian_filter(medium, steps[2])
    body = smooth > _BODY
    if body.sum() < _LEAST_BODY:
        return None
    # At half the pixels, where nothing finer is left.
    half, half_body = smooth[::2, ::2], body[::2, ::2]
    large = half - ndimage.gaussian_filter(half, steps[3] / 2)
    dark, top = np.percentile(medium[body], (10, 90))
    logs = np.log(np.maximum(medium[::2, ::2], _FAINT))
    local = logs - ndimage.gaussian_filter(logs, _LOCAL / 2)
    return ImageQuality(
        noise=_noise(fine / bright, pixel, largest, body) / max(float(top - dark), 1e-6),
        sharpness=float(np.log(_rms((light - medium)[body]) / _rms(large[half_body]))),
        ghosts=_evenness(np.log(light + _DARK), body, axis=0) * _recurrence(np.log(grey + _DARK), body),
        smear=_evenness(np.log(light + _DARK), body, axis=1),
        contrast=_rms(local[half_body]),
        shading=_shading(light),
    )


def _rms(values: Array) -> float:
    return max(float(np.sqrt(np.mean(np.square(values)))), 1e-6)


def _noise(grey: Voxels, pixel: Array, largest: float, body: NDArray[np.bool_]) -> float:
    """Standard deviation of white noise after the network's resampling to `_NOISE_MM`."""
    pixel = np.array(pixel)
    while 2 * pixel.max() <= largest:
        grey, pixel = np.mean(_quarters(grey), axis=0), 2 * pixel
    upper_left, upper_right, lower_left, lower_right = _quarters(grey)
    detail = np.abs(upper_left - upper_right - lower_left + lower_right) / 2
    nearest = [((np.arange(n) + 0.5) / n * of).astype(int) for n, of in zip(detail.shape, body.shape, strict=True)]
    deviation = float(np.median(detail[body[np.ix_(*nearest)]])) / _NORMAL_MAD
    # A triangle filter of n pixels to each side leaves 2 / (3 n) of the variance.
    return deviation * float(np.sqrt(np.minimum(1, 2 / 3 * pixel / _NOISE_MM).prod()))


def _quarters(grey: Voxels) -> tuple[Voxels, Voxels, Voxels, Voxels]:
    """The four pixels of each block of 2 x 2: upper left and right, lower left and right."""
    even = grey[: grey.shape[0] // 2 * 2, : grey.shape[1] // 2 * 2]
    return even[::2, ::2], even[::2, 1::2], even[1::2, ::2], even[1::2, 1::2]


def _recurrence(logs: Voxels, body: NDArray[np.bool_]) -> float:
    """Highest narrow peak of the autocorrelation of the edges from row to row, 1 at lag 0."""
    from scipy import ndimage  # only where it is used: `--help` would wait for it

    inside = (body[1:] & body[:-1]).astype(np.float32)
    edges = np.diff(logs, axis=0)
    limit = 2 * float(np.median(np.abs(edges[inside > 0]))) + 1e-9  # no single edge outweighs the rest
    overlap = _autocorrelation(inside)
    agreement = _autocorrelation(np.clip(edges, -limit, limit) * inside) / np.maximum(overlap, 1)
    agreement /= max(float(agreement[0]), 1e-12)
    peaks = agreement - ndimage.median_filter(agreement, _PEAK)
    return float(peaks[_FIRST_LAG:][overlap[_FIRST_LAG:] > _LEAST_OVERLAP * overlap[0]].max(initial=0.0))


def _autocorrelation(values: Voxels) -> Array:
    """Along the first axis, summed over the second, from lag 0."""
    from scipy.fft import next_fast_len  # only where it is used: `--help` would wait for it

    count = len(values)
    length = next_fast_len(2 * count, real=True)  # a prime one takes ten times as long
    power = np.square(np.abs(np.fft.rfft(values, length, axis=0))).sum(axis=1)
    return np.asarray(np.fft.irfft(power, length)[:count])


def _evenness(logs: Voxels, body: NDArray[np.bool_], axis: int) -> float:
    edges = np.abs(np.diff(logs, axis=axis))[body[1:] if axis == 0 else body[:, 1:]]
    return float(np.median(edges)) / _rms(edges)


def _shading(light: Voxels) -> float:
    rows, columns = (max(1, round(length / _BLOCK)) for length in light.shape)
    height, width = light.shape[0] // rows, light.shape[1] // columns
    blocks = light[: rows * height, : columns * width].reshape(rows, height, columns, width)
    logs = np.log(np.maximum(np.percentile(blocks, 90, axis=(1, 3)), _FAINT_BLOCK))
    tissue = logs.max(axis=0) > np.log(_TISSUE_BLOCK)
    if rows < 2 or not tissue.any():
        return 0.0
    step = float(np.median(np.abs(np.diff(logs, axis=0))[:, tissue]))
    brightest = np.sort(logs, axis=1)[:, -max(1, columns // 3) :].mean(axis=1)
    return float(np.sqrt(step * brightest.std()))
