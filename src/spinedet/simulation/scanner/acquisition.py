"""From a patient to the picture that a scanner stores: slices, coil, sampling in k-space and noise."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy import fft

from spinedet.core.geometry import Grid
from spinedet.core.types import RAS_AXES
from spinedet.simulation.anatomy.canal import ripple
from spinedet.simulation.anatomy.patient import Scene
from spinedet.simulation.anatomy.spine import Curve, Vector
from spinedet.simulation.anatomy.spine_coordinates import SpineCoordinates, lane_of
from spinedet.simulation.painting.canvas import Canvas, Field, Palette, Raster, doubled
from spinedet.simulation.painting.tissue import CSF, Sequence
from spinedet.simulation.scanner.artefacts import (
    Artefacts,
    folded,
    ghosted,
    margin,
    shot_phases,
)

# What lies around the spine is drawn on coarser pixels where pixels are finer than this, mm.
FINE = 1.0
# Positions (of the slice thickness) and weights at which a slice's profile is sampled, by their number.
Profile: TypeAlias = tuple[tuple[float, float], ...]
PROFILES: dict[int, Profile] = {1: ((0.0, 1.0),), 2: ((-0.3, 0.5), (0.3, 0.5))}


@dataclass(frozen=True, slots=True)
class Coil:
    """What the coil in the table and the scanner's corrections do to the brightness.

    Attributes:
        depth: distance at which the sensitivity has halved, mm.
        levelling: how far the scanner evens that out, 0 (not) to 1 (fully).
        band: signal left in front of the spine by the saturation band, 1 is no band.
        band_start: where the band begins before the rear walls of the bodies, mm.
        bias: relative depth of a smooth unevenness; crests: where it has them along R, A, S, in half periods.
    """

    depth: float
    levelling: float
    band: float
    band_start: float
    bias: float
    crests: Vector


@dataclass(frozen=True, slots=True)
class Scan:
    """Settings of one series.

    Attributes:
        vendor: maker of the scanner.
        sequence: contrast; tint: log brightness of each kind of tissue beyond its physics.
        thickness: excited slice thickness, mm; the gap is what the grid's pitch leaves.
        resolution: acquired pixel along both picture axes, mm; the stored pixels are interpolated.
        noise: deviation of the noise in each of two channels relative to CSF at the coil's best place.
        fat_shift: displacement of fat along the readout, stored pixels.
        white: stored value of CSF at the coil's best place; gamma: exponent of the stored values.
        profile: positions through the slice and their weights.
    """

    vendor: str
    sequence: Sequence
    tint: tuple[tuple[str, float], ...]
    thickness: float
    resolution: tuple[float, float]
    noise: float
    coil: Coil
    marks: Artefacts
    fat_shift: float
    white: float
    gamma: float = 1.0
    profile: Profile = PROFILES[2]


def acquire(scene: Scene, grid: Grid, scan: Scan, rng: np.random.Generator) -> NDArray[np.int16]:
    """Scan a patient: (i, j, k) int16 with the slices along k."""
    palette = Palette(scan.sequence, dict(scan.tint))
    fluid = palette[CSF].water
    # The even and the odd slices are acquired one after the other: the patient may have moved in between.
    halves = scan.marks.motion * rng.standard_normal((2, 3))
    stored = np.empty(grid.shape, np.int16)
    for k in range(grid.shape[2]):
        raster = _raster(grid, k, halves[k % 2].tolist(), scan.marks)
        clean, gain = _received(scene, raster, grid, scan, palette)
        even = _sampled(clean, grid, scan, scan.noise * fluid, rng) * _evened(gain, scan.coil.levelling)
        image = even if scan.gamma == 1 else fluid * _power(even / fluid, scan.gamma)
        stored[:, :, k] = np.minimum(np.rint(image * (scan.white / fluid)), 32767)
    return stored


def _received(scene: Scene, raster: Raster, grid: Grid, scan: Scan, palette: Palette) -> tuple[Field, Field]:
    """What the coil receives from one slice without noise, folded over; and the coil's sensitivity."""
    water, fat = _slice(scene, raster, grid, scan, palette)
    smooth = raster.coarser()
    coords = lane_of(Canvas.empty(smooth, palette), smooth.whole, scene.spine.curve)
    sensitivity = _gain(Canvas.empty(smooth, palette), scan.coil, scene.spine.curve)
    band = 1 - (1 - scan.coil.band) * np.clip((-coords.behind - scan.coil.band_start) / 14, 0, 1)
    gain = doubled(sensitivity, raster.shape)
    axis, marks = scan.marks.phase_axis, scan.marks
    clean: Field = water + _shifted(fat, scan.fat_shift, 1 - axis)
    clean = clean * gain * doubled(np.broadcast_to(band, smooth.shape), raster.shape)
    clean = ghosted(clean, _flowing(water, palette, coords, raster), marks.pulsation, marks)
    clean = ghosted(
        clean,
        doubled(
            np.broadcast_to(np.clip((-coords.behind - 70) / 30, 0, 1), smooth.shape),
            raster.shape,
        ),
        marks.breathing,
        marks,
    )
    beyond = margin(grid.shape[axis], marks.wrap)
    inner = slice(beyond, -beyond) if beyond else slice(None)
    return folded(clean, beyond, axis), gain[inner] if axis == 0 else gain[:, inner]


def _flowing(water: Field, palette: Palette, coords: SpineCoordinates, raster: Raster) -> Field:
    """1 where fluid pulsates: bright water in the canal."""
    canal = (np.abs(coords.aside) < 12) & (coords.behind > -3) & (coords.behind < 20)
    return _doubled_mask(canal, raster.coarser(), raster) * (water > 0.6 * palette[CSF].water)


def _doubled_mask(mask: NDArray[np.bool_], coarse: Raster, fine: Raster) -> Field:
    return doubled(np.broadcast_to(mask, coarse.shape).astype(np.float32), fine.shape)


def _slice(scene: Scene, raster: Raster, grid: Grid, scan: Scan, palette: Palette) -> tuple[Field, Field]:
    """Water and fat through the slice's profile.

    Only the spine is drawn at every position of the profile; what lies around varies too little through a slice.
    """
    around = _around(scene, raster, palette)
    layers = np.zeros_like(around.layers)
    seen = scene.near(around, scan.thickness)
    for position, weight in scan.profile:
        canvas = around.on(raster.moved(grid.axes[2].tolist(), position * scan.thickness))
        seen.paint_spine(canvas)
        layers += np.float32(weight) * canvas.layers
    return layers[0], layers[1]


def _around(scene: Scene, raster: Raster, palette: Palette) -> Canvas:
    """What lies around the spine; drawn on coarser pixels where these are much finer than its textures."""
    coarse = raster.coarser() if raster.pixel < FINE else raster
    blank = Canvas.blank(coarse, palette)
    smooth = Canvas.empty(coarse.coarser(), palette)
    warp = [doubled(shape.over(smooth, smooth.whole), coarse.shape) for shape in scene.shapes]
    canvas = replace(blank, warp=np.stack(warp))
    scene.paint_around(canvas)
    if coarse is raster:
        return canvas
    fine = [np.stack([doubled(layer, raster.shape) for layer in part]) for part in (canvas.layers, canvas.warp)]
    return Canvas(raster, palette, fine[0], fine[1])


def _raster(grid: Grid, k: int, shift: list[float], marks: Artefacts) -> Raster:
    """The pixels of slice k, drawn beyond both edges where the body folds over, the patient shifted by RAS mm."""
    row, column, normal, origin = ([round(float(v), 9) for v in grid.affine[:3, c]] for c in range(4))
    beyond = margin(grid.shape[marks.phase_axis], marks.wrap)
    step = (row, column)[marks.phase_axis]
    start = [round(o + k * n - beyond * s - d, 9) for o, n, s, d in zip(origin, normal, step, shift, strict=True)]
    shape = [grid.shape[0], grid.shape[1]]
    shape[marks.phase_axis] += 2 * beyond
    return Raster(_vector(start), _vector(row), _vector(column), (shape[0], shape[1]))


def _vector(values: list[float]) -> Vector:
    return values[0], values[1], values[2]


def _gain(canvas: Canvas, coil: Coil, curve: Curve) -> Field:
    """Sensitivity of a coil in the table under the patient's back, and unevenness, at every pixel."""
    place = [canvas.coordinate(canvas.whole, (0.0, 0.0, 0.0), axis) for axis in RAS_AXES]
    deep = np.maximum(place[1] - (float(curve.y.min()) - 50), 0) * (1 / coil.depth)
    gain = 1.25 / (1 + 0.25 * deep * deep + 0.35 * deep)
    wave = sum(ripple(p * (1 / 150) + crest) for p, crest in zip(place, coil.crests, strict=True))
    return np.broadcast_to(gain * (1 + coil.bias / 3 * wave), canvas.raster.shape)


def _evened(gain: Field, share: float) -> Field:
    """Factor that takes out part of the coil's fall-off."""
    return 1 / (1 - share + share * gain)


def _power(x: Field, exponent: float) -> Field:
    """Close to x ** exponent for exponents around 1, from square roots alone: the same bits on every machine."""
    root = np.sqrt(x)
    share = 2 * (exponent - 1)
    return x * (1 - share + share * root) if share > 0 else x * (1 + share) - share * root


def _shifted(fat: Field, pixels: float, axis: int) -> Field:
    """Fat moved along an axis by a fraction of pixels."""
    whole = math.floor(pixels)
    part = np.float32(pixels - whole)
    moved = np.roll(fat, whole, axis=axis)
    return moved if part == 0 else (1 - part) * moved + part * np.roll(moved, 1, axis=axis)


def _sampled(clean: Field, grid: Grid, scan: Scan, noise: float, rng: np.random.Generator) -> Field:
    """The magnitude picture of what was sampled in k-space, with noise in both channels (Rician)."""
    rows, columns = clean.shape
    lines = [
        max(round(n * min(float(s) / r, 1.0)) // 2 * 2, 8)
        for n, s, r in zip(clean.shape, grid.spacing, scan.resolution, strict=False)
    ]
    spectrum = fft.fftshift(fft.fft2(clean, workers=1))
    low = [(n - m) // 2 for n, m in zip(clean.shape, lines, strict=True)]
    inner = (slice(low[0], low[0] + lines[0]), slice(low[1], low[1] + lines[1]))
    real, imaginary = spectrum[inner].real, spectrum[inner].imag
    axis = scan.marks.phase_axis
    if scan.marks.motion:
        phases = shot_phases(lines[axis], float(grid.spacing[axis]), scan.marks.motion, rng)
        c, s = (part[:, None] if axis == 0 else part[None] for part in (phases.real, phases.imag))
        real, imaginary = c * real - s * imaginary, c * imaginary + s * real
    # White noise per acquired pixel, so that its level in the picture does not depend on the interpolation.
    strength = noise * rows * columns / math.sqrt(lines[0] * lines[1])
    white = rng.standard_normal((2, *lines), dtype=np.float32) * np.float32(strength)
    blur = [scan.marks.blur if each == axis else 0.0 for each in (0, 1)]
    window = _taper(lines[0], blur[0])[:, None] * _taper(lines[1], blur[1])[None]
    # Real and imaginary parts apart: products of complex arrays are rounded differently from machine to machine.
    filled = np.zeros_like(spectrum)
    filled.real[inner], filled.imag[inner] = (real + white[0]) * window, (imaginary + white[1]) * window
    image = fft.ifft2(fft.ifftshift(filled), workers=1)
    return np.sqrt(image.real * image.real + image.imag * image.imag)


def _taper(count: int, blur: float) -> Field:
    """Low-pass over the sampled lines: a mild one against ringing, as scanners apply it, and the echo train's."""
    x = np.abs(np.arange(count) - count / 2) / (count / 2)
    mild = 1 - 0.6 * np.clip(x - 0.4, 0, None) ** 2 / 0.36
    return (mild / (1 + 3 * blur * x * x)).astype(np.float32)
