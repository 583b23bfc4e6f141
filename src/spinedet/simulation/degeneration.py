"""What age and chance do to each disc and to the canal beside it."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from spinedet.simulation.anatomy import Patient

LUMBAR_LEVELS = ("L5/S1", "L4/L5", "L3/L4", "L2/L3", "L1/L2", "T12/L1", "T11/T12", "T10/T11", "T9/T10", "T8/T9")
# How much earlier (+) or later (-) a level wears than the mean, in grades.
_WEAR = (0.55, 0.65, 0.25, 0.05, -0.15, -0.35, -0.45, -0.6, -0.7, -0.8)


@dataclass(frozen=True, slots=True)
class DiscState:
    """The state of one disc and of the canal at its level.

    Attributes:
        grade: Pfirrmann grade, 1 to 5.
        darkness: T2 of the nucleus relative to a young one.
        height: height relative to an unworn disc.
        bulge: reach beyond the bodies' edge all around, mm.
        herniation: reach of the focal herniation beyond the rear edge, mm; 0 is none.
        herniation_side: position of its middle, mm to the right of the midline.
        herniation_width: half width of its base, mm.
        stenosis: loss of the sac's diameters at this level by ligament and facets, 0 to 1.
    """

    grade: int = 1
    darkness: float = 1.0
    height: float = 1.0
    bulge: float = 0.0
    herniation: float = 0.0
    herniation_side: float = 0.0
    herniation_width: float = 8.0
    stenosis: float = 0.0

    @property
    def severity(self) -> float:
        """How far the disc and its canal are from normal: 1 is the least that a reader would report."""
        return max(self.bulge / 2.5, self.herniation / 3.0, self.stenosis / 0.3, (self.grade - 3) * 1.0)


# Readers disagree about what lies between: such discs are marked `ignore`.
REPORTED = 1.0
EQUIVOCAL = 0.55


@dataclass(frozen=True, slots=True)
class Wear:
    """How worn the patients of a cohort are.

    Attributes:
        healthy: share of patients without any lesion.
        rate: multiplies the chance of each lesion.
        dark: share of unworn discs that are dark but contained: look-alikes.
    """

    healthy: float = 0.22
    rate: float = 1.0
    dark: float = 0.3


def draw_states(patient: Patient, wear: Wear, rng: np.random.Generator) -> dict[str, DiscState]:
    """One state per lumbar level."""
    spared = rng.random() < wear.healthy
    own = rng.normal(0, 0.5)
    states = {}
    for level, early in zip(LUMBAR_LEVELS, _WEAR, strict=True):
        wish = -1.1 + 0.022 * (patient.age - 50) + own + 1.5 * early + rng.normal(0, 0.6)
        chance = wear.rate / (1 + math.exp(-2.2 * wish))
        worn = bool(rng.random() < chance) and not spared
        states[level] = _worn(rng) if worn else _sound(patient, wear, rng)
    return states


def _sound(patient: Patient, wear: Wear, rng: np.random.Generator) -> DiscState:
    """Bright, or dark but of full height and contained."""
    if rng.random() < wear.dark:
        return DiscState(3, rng.uniform(0.36, 0.62), rng.uniform(0.88, 1.02), bulge=rng.uniform(0, 0.8))
    grade = 2 if rng.random() < 0.3 + 0.008 * (patient.age - 30) else 1
    return DiscState(grade, rng.uniform(0.72, 1.1), rng.uniform(0.95, 1.06), bulge=rng.uniform(0, 0.6))


def _worn(rng: np.random.Generator) -> DiscState:
    """A lesion: dark and narrowed, bulging or herniated, often with a narrowed canal."""
    grade = int(rng.choice([3, 4, 5], p=[0.25, 0.5, 0.25]))
    darkness = {3: rng.uniform(0.4, 0.6), 4: rng.uniform(0.3, 0.46), 5: rng.uniform(0.22, 0.34)}[grade]
    height = {3: rng.uniform(0.8, 0.95), 4: rng.uniform(0.62, 0.85), 5: rng.uniform(0.38, 0.6)}[grade]
    herniated = rng.random() < 0.45
    narrowed = rng.random() < 0.35
    return DiscState(
        grade=grade,
        darkness=darkness,
        height=height,
        bulge=rng.uniform(1.5, 3.8),
        herniation=rng.uniform(3.0, 7.5) if herniated else 0.0,
        herniation_side=rng.normal(0, 5.0),
        herniation_width=rng.uniform(6.0, 11.0),
        stenosis=rng.uniform(0.25, 0.6) if narrowed else 0.0,
    )
