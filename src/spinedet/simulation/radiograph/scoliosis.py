"""Spines with scoliosis, from the sacrum to the neck."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from spinedet.simulation.anatomy.lumbar import SEGMENTS, draw_sacrum
from spinedet.simulation.anatomy.spine import (
    UPRIGHT,
    Frame,
    Patient,
    Posture,
    Segment,
    SlicePlacement,
    Spine,
    Support,
    Vertebra,
    rear_curve,
    stack,
)
from spinedet.simulation.radiograph.beam import sine

# The vertebrae above T8, as in Panjabi et al., Spine 16:888 and 16:861 (1991).
_UPPER = (
    Segment("T7", 15.6, 13.8, 20.0, -4.5, 4.2, -1.5),
    Segment("T6", 15.0, 13.2, 19.4, -4.5, 4.0, -1.5),
    Segment("T5", 14.4, 12.6, 18.8, -4.0, 3.8, -1.0),
    Segment("T4", 14.2, 11.8, 18.2, -4.0, 3.7, -1.0),
    Segment("T3", 14.4, 11.2, 17.8, -3.5, 3.7, -0.5),
    Segment("T2", 15.2, 10.6, 17.4, -3.0, 3.8, 0.0),
    Segment("T1", 16.0, 10.0, 16.6, -2.0, 4.2, 1.0),
    Segment("C7", 14.5, 9.5, 14.6, 0.5, 5.0, 2.0),
    Segment("C6", 13.5, 9.2, 13.6, 1.0, 5.2, 2.5),
    Segment("C5", 12.8, 9.0, 13.4, 1.0, 5.0, 2.5),
    Segment("C4", 12.3, 8.8, 13.6, 0.5, 5.0, 2.0),
    Segment("C3", 12.0, 8.6, 14.0, 0.5, 5.0, 2.0),
)
_ALL = (*SEGMENTS, *_UPPER)
_NAMES = ("S1", *(segment.name for segment in _ALL))


@dataclass(frozen=True, slots=True)
class Curve:
    """A pattern of scoliosis.

    Attributes:
        name: where its main curve lies.
        nodes: vertebrae at which the tilt is largest, from below, and that tilt as a share of the Cobb angle; positive
            leans to the right. A curve to the left has the opposite signs.
        share: how common it is; right: chance that the main curve is convex to the right.
    """

    name: str
    nodes: tuple[tuple[str, float], ...]
    share: float
    right: float


CURVES = (
    Curve("thoracic", (("L4", -0.08), ("T12", 0.5), ("T5", -0.5), ("T1", 0.1)), 0.55, 0.88),
    Curve("lumbar", (("L5", 0.12), ("L4", 0.5), ("T11", -0.5), ("T6", 0.12)), 0.20, 0.25),
    Curve("double", (("L4", -0.42), ("T12", 0.5), ("T5", -0.46), ("T1", 0.12)), 0.25, 0.88),
)


@dataclass(frozen=True, slots=True)
class ScolioticSpine:
    """A spine, its curve, and its Cobb angle in degrees: the largest tilt between two vertebrae."""

    spine: Spine
    curve: str
    cobb: float


def draw_cobb(surgical: bool, rng: np.random.Generator) -> float:
    """Degrees: a gamma law with mean 48 before surgery (12 to 110) and from 45 on for those who were operated on."""
    low, mean = (45.0, 58.0) if surgical else (12.0, 40.0)
    return round(float(np.clip(low + rng.gamma(1.8, (mean - low) / 1.8), low, 110)), 6)


def draw_scoliosis(patient: Patient, cobb: float, rng: np.random.Generator) -> ScolioticSpine:
    """A spine with a curve of that Cobb angle, standing with C7 roughly over the sacrum in both views."""
    curve = CURVES[int(rng.choice(len(CURVES), p=[c.share for c in CURVES]))]
    side = 1.0 if rng.random() < curve.right else -1.0
    straight = _balanced(patient, rng)
    shift = float(rng.normal(0, 9)) * patient.scale
    bent = _bent(straight, [(name, side * share * cobb) for name, share in curve.nodes], shift)
    return ScolioticSpine(bent, curve.name, measure_cobb(bent))


def measure_cobb(spine: Spine) -> float:
    """Degrees between the two vertebrae that tilt most to either side, in the frontal plane."""
    tilts = [np.degrees(np.arctan2(b.frame.up[0], b.frame.up[2])) for b in spine.vertebrae if b.name[0] in "TL"]
    return round(float(max(tilts) - min(tilts)), 3)


def _balanced(patient: Patient, rng: np.random.Generator) -> Spine:
    """A straight spine whose lordosis brings C7 over the sacrum."""
    slope = float(np.clip(rng.normal(38, 6), 24, 54)) / 57.3
    top = UPRIGHT.pitched(round(slope, 9))
    sacrum, stubs = draw_sacrum(top, patient, float(rng.normal(1.0, 0.15)))
    foot = Support("S1", top, 25.0 * patient.scale, 17.8 * patient.scale)
    seed, target = int(rng.integers(1 << 30)), float(rng.normal(-8, 9)) * patient.scale
    low, high = 0.2, 2.2
    for _ in range(9):
        lordosis = (low + high) / 2
        posture = Posture(lordosis)
        bodies, discs = stack(foot, _ALL, posture, {}, patient, np.random.default_rng(seed))
        ahead = bodies[_NAMES.index("C7") - 1].frame.center[1] - top.at(0, -foot.half_depth, 0)[1]
        low, high = (lordosis, high) if ahead > target else (low, lordosis)
    vertebrae = (*reversed(sacrum), *bodies)
    aim = SlicePlacement(top, top, ())
    return Spine(patient, vertebrae, (*stubs, *discs), rear_curve(vertebrae), aim)


def _bent(spine: Spine, nodes: list[tuple[str, float]], shift: float) -> Spine:
    """The spine tilted, displaced and rotated from level to level; `shift` is how far C7 ends beside the sacrum, mm."""
    names = [bone.name for bone in spine.vertebrae if not bone.sacral]
    places = [0.0, *(float(_NAMES.index(name)) for name, _ in nodes), float(len(_NAMES) - 3)]
    values = [0.0, *(tilt for _, tilt in nodes), 0.0]
    tilts = {name: _between(places, values, float(_NAMES.index(name))) for name in names}
    heights = {bone.name: bone.frame.center[2] for bone in spine.vertebrae}
    span = heights["C7"]
    # A lean that grows upwards and ends at C7 takes out the sideways shift that the curve alone would leave.
    drift = _displacement(names, heights, tilts)["C7"]
    lean = {name: min(max(heights[name] / span, 0.0), 1.0) for name in names}
    weight = _displacement(names, heights, {name: 57.3 * (1 - abs(2 * lean[name] - 1)) for name in names})["C7"]
    extra = 57.3 * (shift - drift) / max(weight, 1.0)
    tilts = {name: tilts[name] + extra * (1 - abs(2 * lean[name] - 1)) for name in names}
    moved = _displacement(names, heights, tilts)
    frames = {}
    for index, name in enumerate(names):
        around = [tilts[n] for n in names[max(index - 1, 0) : index + 2]]
        # Bodies rotate into the convexity, most at the apex: about a third of the Cobb angle there.
        rotation = -1.9 * (around[-1] - around[0])
        frames[name] = (tilts[name], moved[name], rotation)
    vertebrae = tuple(replace(b, frame=_placed(b, frames)) if b.name in frames else b for b in spine.vertebrae)
    return replace(spine, vertebrae=vertebrae)


def _placed(bone: Vertebra, frames: dict[str, tuple[float, float, float]]) -> Frame:
    tilt, aside, rotation = frames[bone.name]
    x, y, z = bone.frame.center
    frame = replace(bone.frame, center=(round(x + aside, 9), y, z))
    return frame.rolled(round(tilt / 57.29578, 9)).turned(round(-rotation / 57.29578, 9))


def _displacement(names: list[str], heights: dict[str, float], tilts: dict[str, float]) -> dict[str, float]:
    """mm sideways of every level, the tilts (degrees) summed from the sacrum up."""
    found, aside, below, lean = {}, 0.0, 0.0, 0.0
    for name in names:
        step = heights[name] - below
        aside += step * (sine(tilts[name]) + sine(lean)) / 2
        found[name], below, lean = aside, heights[name], tilts[name]
    return found


def _between(places: list[float], values: list[float], at: float) -> float:
    """Smooth steps between nodes, held beyond both ends."""
    if at <= places[0]:
        return values[0]
    for low, high, first, last in zip(places, places[1:], values, values[1:], strict=False):
        if at <= high:
            share = (at - low) / max(high - low, 1e-9)
            share = share * share * (3 - 2 * share)
            return first + (last - first) * share
    return values[-1]
