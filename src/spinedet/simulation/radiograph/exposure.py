"""From path lengths to the signal of a detector: attenuation, scatter, quantum noise and blur."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache

import numpy as np
from scipy.ndimage import uniform_filter1d

from spinedet.simulation.radiograph.beam import Field
from spinedet.simulation.radiograph.projector import Material

# Mass attenuation in cm2/g at 40, 50, 60 and 80 keV (Hubbell and Seltzer, NIST Standard Reference Database 126): water,
# cortical bone (ICRU-44), titanium, iron (for steel and cobalt-chrome), tantalum; densities in g/cm3.
_ATTENUATION = {
    Material.SOFT: (1.05, (0.2683, 0.2269, 0.2059, 0.1837)),
    Material.BONE: (1.92, (0.6655, 0.4242, 0.3148, 0.2229)),
    Material.TITANIUM: (4.51, (2.214, 1.213, 0.7661, 0.4052)),
    Material.COBALT: (8.0, (3.629, 1.958, 1.205, 0.5952)),
    Material.TANTALUM: (16.6, (10.27, 5.717, 3.569, 7.587)),
}
# Share of the detected energy at those energies at 80 kVp, and its change per kVp (beam hardened by the patient).
_SPECTRUM, _PER_KV = (0.20, 0.33, 0.30, 0.17), (-0.007, -0.006, 0.002, 0.011)
_STEPS, _DEEPEST = 1024, 24
_MANTISSA = 4096


@dataclass(frozen=True, slots=True)
class Exposure:
    """How a radiograph is exposed.

    Attributes:
        kilovolts: of the tube.
        scatter: scattered relative to primary radiation; about .5 with a grid and 1.2 without.
        quanta: detected photons per pixel where the signal is typical of the body.
        blur: of the detector and the focal spot, pixels.
    """

    kilovolts: float
    scatter: float
    quanta: float
    blur: float


def expose(lengths: Field, exposure: Exposure, pixel: float, rng: np.random.Generator) -> Field:
    """Optical density of the image, -log of the signal; the unattenuated beam is 0.

    Args:
        lengths: (materials, rows, columns) mm.
        exposure: how.
        pixel: mm at the detector.
        rng: of the quantum noise.

    Returns:
        (rows, columns).
    """
    lengths = np.maximum(lengths, 0)
    signal = primary(lengths, exposure.kilovolts)
    body = lengths[Material.SOFT] > 10
    reach = max(int(28 / pixel), 1)
    scattered = np.float32(exposure.scatter) * blurred(np.where(body, signal, 0), reach)
    signal = (signal + scattered) / np.float32(1 + exposure.scatter)
    typical = float(np.median(signal[body])) if body.any() else 1.0
    noise = np.sqrt(signal * np.float32(typical / exposure.quanta)) * rng.standard_normal(signal.shape, np.float32)
    signal = softened(signal + noise, exposure.blur)
    return negative_log(np.maximum(signal, np.float32(1e-5)))


def primary(lengths: Field, kilovolts: float) -> Field:
    """Share of the beam's energy that arrives unscattered."""
    weights = [max(w + (kilovolts - 80) * d, 0.0) for w, d in zip(_SPECTRUM, _PER_KV, strict=True)]
    total = sum(weights)
    signal: Field = np.zeros(lengths.shape[1:], np.float32)
    water, tissue = _ATTENUATION[Material.SOFT]
    for index, weight in enumerate(weights):
        soft = tissue[index] * water / 10
        depth = lengths[Material.SOFT] * np.float32(soft)
        for material, (density, attenuation) in _ATTENUATION.items():
            if material is not Material.SOFT and lengths[material].any():
                depth = depth + lengths[material] * np.float32(attenuation[index] * density / 10 - soft)
        signal = signal + np.float32(weight / total) * _exponential(depth)
    return signal


def negative_log(values: Field) -> Field:
    """-log of positive values, from a table: the last bit of a library's logarithm must not reach the files."""
    mantissa, exponent = np.frexp(values)
    place = (mantissa - np.float32(0.5)) * np.float32(2 * _MANTISSA)
    index = np.minimum(place.astype(np.int32), _MANTISSA - 1)
    rest = place - index
    table = _logarithms()
    found = table[index] * (1 - rest) + table[index + 1] * rest
    return -(found + exponent.astype(np.float32) * np.float32(0.69314718056))


def blurred(values: Field, reach: int) -> Field:
    """Three running means per axis, about `reach` pixels wide in all; edges are held."""
    length = max(2 * (reach // 3) + 1, 1)
    for _ in range(3):
        for axis in (0, 1):
            values = uniform_filter1d(values, length, axis=axis, mode="nearest")
    return values


def softened(values: Field, deviation: float) -> Field:
    """A blur of less than about 1.5 pixels (standard deviation): repeated three-tap filters."""
    rounds = 2 if deviation < 1 else 5
    share = np.float32(deviation * deviation / (2 * rounds))
    for _ in range(rounds):
        for axis in (0, 1):
            padded = np.pad(values, [(1, 1) if a == axis else (0, 0) for a in (0, 1)], mode="edge")
            low = padded[:-2] if axis == 0 else padded[:, :-2]
            high = padded[2:] if axis == 0 else padded[:, 2:]
            values = values + share * (low + high - 2 * values)
    return values


def _exponential(depth: Field) -> Field:
    index = (np.clip(depth, 0, _DEEPEST) * np.float32(_STEPS)).astype(np.int32)
    return _exponentials()[index]


@cache
def _exponentials() -> Field:
    return np.array([round(math.exp(-(i + 0.5) / _STEPS), 12) for i in range(_DEEPEST * _STEPS + 1)], np.float32)


@cache
def _logarithms() -> Field:
    return np.array([round(math.log(0.5 + i / (2 * _MANTISSA)), 12) for i in range(_MANTISSA + 1)], np.float32)
