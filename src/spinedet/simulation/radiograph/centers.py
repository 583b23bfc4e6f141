"""Hospitals that take radiographs: ranges of exposure, processing, positioning and case mix."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeAlias

Range: TypeAlias = tuple[float, float]


@dataclass(frozen=True)
class RadiographCenter:
    """One hospital; every range is drawn from for each image.

    Attributes:
        name: begins the ids of its studies.
        kilovolts: added to the usual tube voltage of a view.
        scatter: scattered relative to primary radiation.
        quanta: detected photons per pixel of 1 mm in the body.
        blur: of detector and focal spot, pixels of 0.7 mm.
        equalise, detail, saturation, curve, darkness, white: see `Processing`; `white` is its upper percentile.
        bits, grain: of stored grey values and film.
        outside: grey outside the collimator.
        margin: of the collimator, share of the image.
        turn: standard deviation of the patient's rotation, degrees; tilt: the same for leaning.
        size: multiplies the fat of the patients.
        mirrored: chance that a lateral is stored facing the right edge.
        markers: chance of each number of lead letters, from none.
        positive: share of positive studies in tasks with a finding.
        easy: strength of the signs of fractures relative to centre A.
        shares: of the labels in tasks that have shares, relative to the task's own, in the order of its labels.
    """

    name: str
    kilovolts: Range = (-3.0, 3.0)
    scatter: Range = (0.35, 0.6)
    quanta: Range = (2600.0, 6000.0)
    blur: Range = (0.5, 0.75)
    equalise: Range = (0.35, 0.5)
    detail: Range = (0.6, 1.0)
    saturation: Range = (0.10, 0.16)
    curve: Range = (0.6, 1.0)
    darkness: Range = (0.9, 1.4)
    white: Range = (99.5, 99.8)
    bits: int = 16
    grain: float = 0.0
    outside: Range = (0.0, 0.02)
    margin: Range = (0.01, 0.07)
    turn: float = 2.0
    tilt: float = 1.5
    size: float = 1.0
    mirrored: float = 0.1
    markers: tuple[float, ...] = (0.15, 0.8, 0.05)
    positive: float = 0.42
    easy: float = 1.0
    shares: tuple[float, ...] = field(default=())


A = RadiographCenter("A")
# No grid, low voltage, larger patients, careless positioning.
B = RadiographCenter(
    "B",
    kilovolts=(-12.0, -5.0),
    scatter=(0.9, 1.4),
    quanta=(350.0, 900.0),
    blur=(0.75, 1.05),
    equalise=(0.2, 0.35),
    detail=(0.25, 0.5),
    saturation=(0.2, 0.3),
    curve=(0.9, 1.4),
    darkness=(1.4, 2.2),
    outside=(0.2, 0.5),
    margin=(0.03, 0.12),
    turn=5.0,
    tilt=2.5,
    size=1.45,
    mirrored=0.3,
    positive=0.28,
    easy=0.85,
    shares=(1.1, 0.6, 1.0, 1.6, 1.0),
)
# Film, digitised with 256 grey values.
C = RadiographCenter(
    "C",
    kilovolts=(-6.0, 8.0),
    scatter=(0.5, 0.9),
    quanta=(900.0, 2200.0),
    blur=(0.7, 0.95),
    equalise=(0.12, 0.28),
    detail=(0.0, 0.2),
    saturation=(0.3, 0.5),
    curve=(0.9, 1.5),
    darkness=(1.6, 2.6),
    white=(99.3, 99.8),
    bits=8,
    grain=0.012,
    outside=(0.6, 0.9),
    turn=3.0,
    mirrored=0.5,
    markers=(0.3, 0.6, 0.1),
    positive=0.5,
    easy=0.95,
    shares=(0.8, 1.4, 1.1, 0.5, 1.5),
)
# Everything at random, beyond any hospital: to train on.
R = RadiographCenter(
    "R",
    kilovolts=(-14.0, 12.0),
    scatter=(0.2, 1.6),
    quanta=(300.0, 5000.0),
    blur=(0.4, 1.1),
    equalise=(0.0, 0.7),
    detail=(0.0, 1.6),
    saturation=(0.08, 0.5),
    curve=(0.2, 2.2),
    darkness=(0.8, 2.6),
    white=(98.0, 99.9),
    outside=(0.0, 0.9),
    margin=(0.0, 0.14),
    turn=5.0,
    tilt=3.0,
    size=1.2,
    mirrored=0.5,
    markers=(0.3, 0.5, 0.2),
    positive=0.5,
)
CENTERS: dict[str, RadiographCenter] = {center.name: center for center in (A, B, C, R)}
