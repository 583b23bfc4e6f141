"""The lumbar spine on its sacrum: average measures, posture and transitional variants."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from spinedet.simulation.anatomy.spine import (
    UPRIGHT,
    Disc,
    Frame,
    Patient,
    Posture,
    Segment,
    SegmentChange,
    SlicePlacement,
    Spine,
    Support,
    Vertebra,
    rear_curve,
    stack,
    upright_along,
)

# Bodies after Zhou et al., Eur Spine J 9:242 (2000) and Panjabi et al., Spine 17:299 (1992); angles after Been et al.,
# Clin Orthop Relat Res 468:1822 (2010): lumbar lordosis lies mostly in the discs and in L5. Depths,
# spacing and tilt agree with SPIDER's disc masks (`benchmarks/experiments/compare_anatomy.py`).
SEGMENTS = (
    Segment("L5", 25.5, 18.9, 28.0, 8.5, 10.2, 13.0),
    Segment("L4", 24.6, 18.9, 27.2, 2.5, 11.2, 9.5),
    Segment("L3", 23.4, 18.7, 27.8, 1.0, 10.4, 7.5),
    Segment("L2", 22.3, 18.3, 27.4, -1.0, 9.3, 6.0),
    Segment("L1", 21.3, 17.4, 26.4, -2.5, 8.0, 4.5),
    Segment("T12", 20.4, 16.3, 25.0, -3.5, 6.6, 2.0),
    Segment("T11", 19.0, 15.6, 23.2, -4.0, 5.6, 0.0),
    Segment("T10", 17.6, 15.1, 22.0, -4.0, 5.0, -1.0),
    Segment("T9", 16.8, 14.4, 21.2, -4.0, 4.6, -1.5),
    Segment("T8", 16.2, 14.0, 20.6, -4.5, 4.3, -2.0),
)
LEVELS = (
    "L5/S1",
    "L4/L5",
    "L3/L4",
    "L2/L3",
    "L1/L2",
    "T12/L1",
    "T11/T12",
    "T10/T11",
    "T9/T10",
    "T8/T9",
)


@dataclass(frozen=True, slots=True)
class _SacralPiece:
    """A piece of the sacrum: half width, half depths of upper and lower face, height, tilt against S1's upper face."""

    name: str
    half_width: float
    top: float
    bottom: float
    height: float
    tilt: float


_SACRUM = (
    _SacralPiece("S1", 25.0, 17.8, 12.2, 29.0, 4.0),
    _SacralPiece("S2", 19.0, 11.0, 8.2, 25.0, 9.0),
    _SacralPiece("S3", 15.0, 8.0, 6.2, 21.0, -2.0),
    _SacralPiece("S4", 13.0, 6.1, 5.0, 18.0, -22.0),
    _SacralPiece("S5", 11.0, 5.0, 4.0, 15.0, -45.0),
)
# Room between the pieces: fused, with what is left of a disc between S1 and S2.
_SEAMS = {"S1": 3.6, "S2": 1.8, "S3": 1.2, "S4": 1.0, "S5": 0.0}


@dataclass(frozen=True, slots=True)
class Variant:
    """Transitional anatomy: a sixth free lumbar vertebra, or an L5 that is fused to the sacrum."""

    extra: bool = False
    sacralised: bool = False


# 12 % have a transitional vertebra (Apazidis et al., Spine J 11:858, 2011, and others give 4 to 36 %).
_EXTRA, TRANSITIONAL = 0.05, 0.12


def draw_variant(rng: np.random.Generator, transitional: float = TRANSITIONAL) -> Variant:
    """A variant; `transitional` is the share of patients with a sixth lumbar or a sacralised fifth vertebra."""
    lot, factor = rng.random(), transitional / TRANSITIONAL
    return Variant(extra=lot < _EXTRA * factor, sacralised=_EXTRA * factor <= lot < transitional)


def levels_of(variant: Variant) -> tuple[str, ...]:
    """Disc levels from tail to head that can wear."""
    if variant.extra:
        return ("L6/S1", "L5/L6", *LEVELS[1:])
    return LEVELS[1:] if variant.sacralised else LEVELS


def draw_spine(
    patient: Patient,
    variant: Variant,
    wearing: dict[str, SegmentChange],
    rng: np.random.Generator,
) -> Spine:
    """A lumbar spine standing on its sacrum."""
    slope = math.radians(float(np.clip(rng.normal(37, 6.5), 18, 56)))
    lordosis = float(np.clip(rng.normal(1.04, 0.13), 0.5, 1.4)) * (0.55 + 0.45 * slope / math.radians(38))
    scoliosis = math.radians(abs(rng.normal(0, 1.2)) * (3 if rng.random() < 0.1 else 1))
    posture = Posture(
        lordosis,
        scoliosis,
        float(rng.uniform(0, 2 * math.pi)),
        0.25 * scoliosis * rng.standard_normal(),
    )
    top = UPRIGHT.pitched(slope).rolled(math.radians(rng.normal(0, 1.5))).turned(math.radians(rng.normal(0, 2.0)))
    sacrum, stubs = draw_sacrum(top, patient, float(rng.normal(1.0, 0.2)))
    if variant.sacralised:
        wearing = {**wearing, "L5/S1": SegmentChange(0.42)}
    foot = Support("S1", top, 25.0 * patient.scale, 17.8 * patient.scale)
    bodies, discs = stack(foot, _segments(variant), posture, wearing, patient, rng)
    if variant.sacralised:
        rudiment = replace(
            discs[0],
            half_depth=0.7 * discs[0].half_depth,
            half_width=0.7 * discs[0].half_width,
        )
        discs = (replace(rudiment, stub=True), *discs[1:])
    vertebrae = (*reversed(sacrum), *bodies)
    by_name = {bone.name: bone for bone in bodies}
    aim = SlicePlacement(
        sagittal=upright_along(by_name["L5"], by_name["L1"]).moved(0, 14, -14),
        axial=replace(UPRIGHT, center=top.center).pitched(math.radians(4)).moved(0, -18, -14),
        blocks=tuple(disc for disc in discs if not disc.stub)[:3],
    )
    return Spine(patient, vertebrae, (*stubs, *discs), rear_curve(vertebrae), aim)


def _segments(variant: Variant) -> tuple[Segment, ...]:
    if not variant.extra:
        return SEGMENTS
    last = SEGMENTS[0]
    return (
        replace(last, name="L6"),
        replace(last, wedge=4.0, disc_wedge=10.0, disc_height=10.8),
        *SEGMENTS[1:],
    )


def draw_sacrum(top: Frame, patient: Patient, stoop: float) -> tuple[list[Vertebra], tuple[Disc, ...]]:
    """S1 to S5, curving forwards below S2, their rear walls in one line; and the rest of the disc S1/S2."""
    here, pieces, stubs = top, [], []
    turned = 0.0
    for piece in _SACRUM:
        here = here.pitched(math.radians(piece.tilt * stoop) - turned)
        turned = math.radians(piece.tilt * stoop)
        size = patient.scale
        depth, height, seam = (
            (piece.top + piece.bottom) / 2 * size,
            piece.height * size,
            _SEAMS[piece.name] * size,
        )
        # Going down the bodies taper, so their middles move backwards.
        middle = here.moved(0, depth - piece.top * size, -height / 2)
        taper = (piece.top - piece.bottom) / (piece.top + piece.bottom)
        pieces.append(
            Vertebra(
                piece.name,
                middle,
                piece.half_width * size,
                depth,
                height,
                0.0,
                taper,
                sacral=True,
            )
        )
        here = here.moved(0, (piece.bottom - piece.top) * size, -height)
        if piece.name == "S1":
            gap = here.moved(0, 0, -seam / 2)
            stubs.append(
                Disc(
                    "S1/S2",
                    gap,
                    0.62 * piece.half_width * size,
                    0.8 * piece.bottom * size,
                    seam,
                    0.0,
                    True,
                )
            )
        here = here.moved(0, 0, -seam)
    return pieces, tuple(stubs)
