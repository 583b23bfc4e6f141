"""The cervical spine on the upper thorax: average measures and posture."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from spinedet.simulation.anatomy.spine import (
    UPRIGHT,
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

# Bodies after Panjabi et al., Spine 16:861 (1991), discs after Gilad and Nissan, Spine 11:154 (1986).
SEGMENTS = (
    Segment("T3", 12.6, 9.4, 18.2, -3.5, 3.8, 0.0),
    Segment("T2", 12.6, 9.0, 17.4, -3.5, 4.0, 0.0),
    Segment("T1", 12.2, 8.6, 16.0, -2.5, 4.6, 1.0),
    Segment("C7", 13.0, 8.4, 14.4, 0.0, 5.2, 3.0),
    Segment("C6", 12.2, 8.2, 13.2, 0.0, 5.5, 3.5),
    Segment("C5", 11.8, 8.0, 13.0, 0.0, 5.4, 4.0),
    Segment("C4", 11.4, 7.8, 13.4, 0.0, 5.3, 4.0),
    Segment("C3", 11.0, 7.7, 13.8, 0.0, 5.2, 4.0),
    Segment("C2", 9.6, 7.7, 19.0, 2.0, 5.0, 3.5),
)
LEVELS = (
    "C7/T1",
    "C6/C7",
    "C5/C6",
    "C4/C5",
    "C3/C4",
    "C2/C3",
    "T1/T2",
    "T2/T3",
    "T3/T4",
)


def draw_spine(patient: Patient, wearing: dict[str, SegmentChange], rng: np.random.Generator) -> Spine:
    """T4 to C2, the neck's lordosis on the slope of the upper thorax."""
    slope = math.radians(float(np.clip(rng.normal(15, 6), 2, 28)))
    lordosis = float(np.clip(rng.normal(1.0, 0.45), -0.3, 1.8))
    bend = math.radians(abs(rng.normal(0, 0.6)))
    posture = Posture(
        lordosis,
        bend,
        float(rng.uniform(0, 2 * math.pi)),
        math.radians(rng.normal(0, 0.3)),
    )
    scale = patient.scale
    top = UPRIGHT.pitched(slope).rolled(math.radians(rng.normal(0, 1.0))).turned(math.radians(rng.normal(0, 1.2)))
    lowest = Vertebra(
        "T4",
        top.moved(0, 0, -9.5 * scale),
        12.8 * scale,
        9.8 * scale,
        19.0 * scale,
        0.0,
    )
    foot = Support("T4", top, 12.8 * scale, 9.8 * scale)
    bodies, discs = stack(foot, SEGMENTS, posture, wearing, patient, rng)
    vertebrae = (lowest, *bodies)
    by_level = {disc.level: disc for disc in discs}
    by_name = {bone.name: bone for bone in bodies}
    aim = SlicePlacement(
        sagittal=upright_along(by_name["T1"], by_name["C3"]).moved(0, -4, 6),
        axial=replace(UPRIGHT, center=by_level["C7/T1"].frame.center).pitched(0.6 * slope).moved(0, -14, -4),
        blocks=tuple(by_level[level] for level in ("C6/C7", "C5/C6", "C4/C5")),
    )
    return Spine(patient, vertebrae, discs, rear_curve(vertebrae), aim)
