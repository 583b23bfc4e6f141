"""From a patient to the picture that a scanner stores: slices, coil, sampling in k-space and noise."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import fft

from spinedet.core.geometry import Grid
from spinedet.core.types import RAS_AXES
from spinedet.simulation.anatomy import Vector
from spinedet.simulation.canvas import Canvas, Field, Palette, Raster
from spinedet.simulation.lane import lane_of
from spinedet.simulation.scene import Scene
from spinedet.simulation.tissue import CSF, Sequence

# Positions (of the slice thickness) and weights at which a slice's profile is sampled.
_PROFILE = ((-0.3, 0.5), (0.3, 0.5))


@dataclass(frozen=True, slots=True)
class Scan:
    """Settings of one series.

    Attributes:
        sequence: contrast.
        thickness: excited slice thickness, mm; the gap is what the grid's pitch leaves.
        resolution: acquired pixel along rows and columns, mm; the stored pixels are interpolated.
        noise: deviation of the noise in each of two channels relative to CSF at the coil's best place.
        coil_depth: distance from the skin of the back at which the coil's sensitivity has halved, mm.
        levelling: how far the scanner evens out the coil, 0 (not) to 1 (fully).
        band: signal left in front of the spine by the saturation band, 1 is no band.
        band_start: where the band begins before the rear walls of the bodies, mm.
        fat_shift: displacement of fat along the rows, stored pixels.
        bias: relative depth of a smooth unevenness.
        bias_phase: where that unevenness has its crests, rad, along the three patient axes.
        white: stored value of CSF at the coil's best place.
    """

    sequence: Sequence
    thickness: float
    resolution: tuple[float, float]
    noise: float
    coil_depth: float
    levelling: float
    band: float
    band_start: float
    fat_shift: float
    bias: float
    bias_phase: Vector
    white: float


def acquire(scene: Scene, grid: Grid, scan: Scan, rng: np.random.Generator) -> NDArray[np.int16]:
    """Scan a patient: (i, j, k) int16 with the slices along k."""
    palette = Palette(scan.sequence)
    scale = scan.white / palette[CSF].water
    noise = scan.noise * palette[CSF].water
    stored = np.empty(grid.shape, np.int16)
    for k in range(grid.shape[2]):
        water, fat, raster = _slice(scene, grid, k, scan, palette)
        gain = _gain(raster, scan, palette, float(scene.spine.curve.y.min()))
        clean = (water + _shifted(fat, scan.fat_shift)) * gain * _band(scene, raster, scan, palette)
        image = _sampled(clean, grid, scan, noise, rng) * _evened(gain, scan.levelling)
        stored[:, :, k] = np.minimum(np.rint(image * scale), 32767)
    return stored


def _slice(scene: Scene, grid: Grid, k: int, scan: Scan, palette: Palette) -> tuple[Field, Field, Raster]:
    """Water and fat through the slice's profile, and its middle raster.

    Only the spine is drawn at every position of the profile; the trunk varies too little through a slice.
    """
    raster = _raster(grid, k)
    blank = Canvas.blank(raster, palette)
    trunk = replace(blank, warp=tuple(shape.over(blank, blank.whole) for shape in scene.shapes))
    scene.paint_around(trunk)
    water, fat = np.zeros_like(trunk.water), np.zeros_like(trunk.fat)
    for position, weight in _PROFILE:
        canvas = trunk.on(_raster(grid, k + position * scan.thickness / float(grid.spacing[2])))
        scene.paint_spine(canvas)
        water += np.float32(weight) * canvas.water
        fat += np.float32(weight) * canvas.fat
    return water, fat, raster


def _raster(grid: Grid, k: float) -> Raster:
    columns = [[round(float(v), 9) for v in grid.affine[:3, c]] for c in range(4)]
    first, second, third, origin = columns
    start = [round(o + k * t, 9) for o, t in zip(origin, third, strict=True)]
    return Raster(
        (start[0], start[1], start[2]),
        (first[0], first[1], first[2]),
        (second[0], second[1], second[2]),
        (grid.shape[0], grid.shape[1]),
    )


def _gain(raster: Raster, scan: Scan, palette: Palette, rearmost: float) -> Field:
    """Sensitivity of a coil in the table, and unevenness, at every pixel; the spine's rearmost y is given."""
    canvas = Canvas(raster, palette, np.empty((0, 0), np.float32), np.empty((0, 0), np.float32))
    place = [canvas.coordinate(canvas.whole, (0.0, 0.0, 0.0), axis) for axis in RAS_AXES]
    deep = np.maximum(place[1] - (rearmost - 50), 0) * (1 / scan.coil_depth)
    gain = 1.25 / (1 + 0.25 * deep * deep + 0.35 * deep)
    wave = sum(_wave(p * (1 / 150) + phase) for p, phase in zip(place, scan.bias_phase, strict=True))
    return np.broadcast_to(gain * (1 + scan.bias / 3 * wave), raster.shape)


def _band(scene: Scene, raster: Raster, scan: Scan, palette: Palette) -> Field:
    """What the saturation band before the spine leaves of the signal."""
    canvas = Canvas(raster, palette, np.empty((0, 0), np.float32), np.empty((0, 0), np.float32))
    lane = lane_of(canvas, canvas.whole, scene.spine.curve)
    return 1 - (1 - scan.band) * np.clip((-lane.behind - scan.band_start) / 14, 0, 1)


def _wave(x: Field) -> Field:
    """A smooth wave between -1 and 1, of period 2."""
    ramp = 2 * np.abs(x % 2 - 1) - 1
    return ramp * (1.5 - 0.5 * ramp * ramp)


def _evened(gain: Field, share: float) -> Field:
    """Factor that takes out part of the coil's fall-off."""
    return 1 / (1 - share + share * gain)


def _shifted(fat: Field, pixels: float) -> Field:
    """Fat moved along the rows by a fraction of pixels."""
    whole = math.floor(pixels)
    part = np.float32(pixels - whole)
    moved = np.roll(fat, whole, axis=0)
    return moved if part == 0 else (1 - part) * moved + part * np.roll(moved, 1, axis=0)


def _sampled(clean: Field, grid: Grid, scan: Scan, noise: float, rng: np.random.Generator) -> Field:
    """The magnitude picture of what was sampled in k-space, with noise in both channels (Rician)."""
    rows, columns = clean.shape
    sampled = [
        max(round(n * min(float(s) / r, 1.0)) // 2 * 2, 8)
        for n, s, r in zip((rows, columns), grid.spacing, scan.resolution, strict=False)
    ]
    spectrum = fft.fftshift(fft.fft2(clean, workers=1))
    low = [(n - m) // 2 for n, m in zip((rows, columns), sampled, strict=True)]
    inner = (slice(low[0], low[0] + sampled[0]), slice(low[1], low[1] + sampled[1]))
    kept = np.zeros_like(spectrum)
    window = _taper(sampled[0])[:, None] * _taper(sampled[1])[None]
    share = math.sqrt(rows * columns / (sampled[0] * sampled[1]))
    # White noise per acquired pixel, so that its level in the picture does not depend on the interpolation.
    white = rng.standard_normal((2, *sampled), dtype=np.float32) * np.float32(noise * math.sqrt(rows * columns) * share)
    kept[inner] = (spectrum[inner] + (white[0] + 1j * white[1])) * window
    image = fft.ifft2(fft.ifftshift(kept), workers=1)
    return np.sqrt(image.real * image.real + image.imag * image.imag)


def _taper(count: int) -> Field:
    """A mild low-pass over the sampled lines: half of the ringing goes, as scanners do it."""
    x = np.abs(np.arange(count) - count / 2) / (count / 2)
    return (1 - 0.6 * np.clip(x - 0.4, 0, None) ** 2 / 0.36).astype(np.float32)
