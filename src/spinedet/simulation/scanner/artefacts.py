"""What motion does to a picture: ghosts of pulsating fluid and of the breathing belly, shifted shots, fold-over."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spinedet.simulation.painting.canvas import Field

# An echo train of this many lines is acquired per shot, spread evenly over k-space.
_SHOTS = 16


@dataclass(frozen=True, slots=True)
class Artefacts:
    """Strengths for one series.

    Attributes:
        phase_axis: picture axis along which the phase is encoded; ghosts and fold-over run along it.
        pulsation, breathing: amplitude of the ghosts relative to what moves.
        ghost_step: their displacement as a share of the field of view.
        motion: deviation of the patient's place between shots and between interleaved halves of the stack, mm.
        wrap: share of the field of view by which the body reaches beyond it on either side and folds over.
        blur: low-pass along the phase encoding by the decay over the echo train, 0 to 1.
    """

    phase_axis: int
    pulsation: float = 0.0
    breathing: float = 0.0
    ghost_step: float = 0.2
    motion: float = 0.0
    wrap: float = 0.0
    blur: float = 0.0


def ghosted(picture: Field, moving: Field, amplitude: float, marks: Artefacts) -> Field:
    """The picture with two faint copies of its moving part."""
    if amplitude < 1e-3:
        return picture
    part = picture * moving
    step = max(int(marks.ghost_step * picture.shape[marks.phase_axis]), 1)
    copies = np.roll(part, step, axis=marks.phase_axis) - np.roll(part, -step, axis=marks.phase_axis)
    return np.abs(picture - 0.5 * amplitude * part + amplitude * copies)


def margin(count: int, wrap: float) -> int:
    """Pixels to draw beyond either edge along the phase encoding."""
    return round(count * wrap)


def folded(picture: Field, beyond: int, axis: int) -> Field:
    """A picture drawn `beyond` pixels too far on both sides of an axis, with those pixels folded over."""
    if not beyond:
        return picture
    rows = np.moveaxis(picture, axis, 0)
    inner = rows[beyond:-beyond].copy()
    inner[-beyond:] += rows[:beyond]
    inner[:beyond] += rows[-beyond:]
    return np.moveaxis(inner, 0, axis)


def shot_phases(lines: int, pixel: float, motion: float, rng: np.random.Generator) -> NDArray[np.complex64]:
    """Phase factor of every line in k-space, centre in the middle, for a patient who moves between shots."""
    places = motion * rng.standard_normal(_SHOTS)
    step = -2 * math.pi / (lines * pixel)
    angles = [step * (line - lines // 2) * float(places[line % _SHOTS]) for line in range(lines)]
    # numpy's sine and cosine differ in their last bit from machine to machine.
    return np.array([complex(math.cos(angle), math.sin(angle)) for angle in angles], np.complex64)
