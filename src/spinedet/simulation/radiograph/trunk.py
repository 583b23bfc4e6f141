"""Soft tissue of the trunk: skin, fat, muscle, organs, lungs and bowel gas."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np

from spinedet.simulation.anatomy.spine import Frame, Spine, Vector
from spinedet.simulation.radiograph.beam import Beam, Field
from spinedet.simulation.radiograph.chords import Column, Ellipsoid
from spinedet.simulation.radiograph.projector import Tube
from spinedet.simulation.radiograph.tubes import gas

# Attenuation relative to muscle: fat under the skin and around organs; a lung full of air.
_FAT, _BELLY, _LUNG = 0.86, 0.90, 0.27
_DOWN = Frame((0.0, 0.0, 0.0), (1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0))


@dataclass(frozen=True, slots=True)
class Trunk:
    """Soft tissue.

    Attributes:
        skin, wall: outer and inner surface of the fat under the skin.
        muscles: psoas and back muscles; organs: liver, kidneys, spleen, heart.
        lungs: with the domes of the diaphragm that stand in them.
        bowel: gas.
        plastic: outer and inner surface of a plastic brace.
    """

    skin: Column
    wall: Column
    muscles: tuple[Column, ...]
    organs: tuple[Ellipsoid, ...]
    lungs: tuple[tuple[Column, Ellipsoid], ...]
    bowel: tuple[Tube, ...]
    plastic: tuple[Column, Column] | None = None

    def lengths(self, beam: Beam) -> Field:
        """(rows, columns) mm of muscle-like tissue along the rays, without the bowel's gas."""
        total = np.float32(_FAT) * self.skin.interval(beam).length
        total = total + np.float32(_BELLY - _FAT) * self.wall.interval(beam).length
        for muscle in self.muscles:
            total = total + np.float32(1 - _BELLY) * muscle.interval(beam).length
        for organ in self.organs:
            total = total + np.float32(1 - _BELLY) * organ.interval(beam).length
        for lung, dome in self.lungs:
            air = lung.interval(beam)
            filled = air.length - air.shared(dome.interval(beam))
            total = total - np.float32(_BELLY - _LUNG) * filled
        if self.plastic:
            outer, inner = (surface.interval(beam).length for surface in self.plastic)
            total = total + np.float32(1.1) * np.maximum(outer - inner, 0)
        return np.asarray(total, np.float32)


def lumbar_trunk(spine: Spine, rng: np.random.Generator) -> Trunk:
    """The trunk from the lung bases to the hips around a lumbar spine."""
    k, fat = spine.patient.scale, spine.patient.fat
    wide = float(np.clip(rng.normal(128, 9), 108, 150)) * k
    deep = float(np.clip(rng.normal(82, 8), 64, 105)) * k + 0.5 * fat
    names = [bone for bone in spine.vertebrae if not bone.sacral]
    heights = (-260.0, -130.0, -60.0, *(bone.frame.center[2] for bone in names))
    x = (0.0, 0.0, 0.0, *(bone.frame.center[0] for bone in names))
    rear = (-30.0, -40.0, -30.0, *(bone.rear[1] for bone in names))
    hips = np.interp(heights, (-200.0, -100.0, 0.0, 80.0, 200.0), (1.3, 1.28, 1.08, 0.98, 1.08))
    widths = tuple(float(wide * h) for h in hips)
    back = 58 * k
    centre = tuple(r - back + deep for r in rear)
    skin = Column(
        heights,
        x,
        tuple(c + 0.15 * fat for c in centre),
        tuple(w + fat for w in widths),
        (deep + 0.95 * fat,) * len(heights),
    )
    wall = Column(heights, x, centre, widths, (deep,) * len(heights))
    organs = _organs(spine, wide, deep, rng)
    return Trunk(
        skin, wall, _muscles(spine, rng), organs, _lung_bases(spine, wide, deep, rng), _bowel(spine, wide, deep, rng)
    )


def _muscles(spine: Spine, rng: np.random.Generator) -> tuple[Column, ...]:
    """Psoas, widening downwards, and the muscles of the back."""
    k = spine.patient.scale
    bulk = float(rng.uniform(0.75, 1.2)) * k
    bones = [bone for bone in spine.vertebrae if not bone.sacral and bone.name[0] == "L"]
    found = []
    for side in (-1.0, 1.0):
        rows = [(-120.0, side * 78 * k, 25.0 * k, 0.1), (-70.0, side * 74 * k, 20.0 * k, 24.0 * bulk)]
        for bone in bones:
            share = min(max((bone.frame.center[2] + 10) / (170 * k), 0), 1)
            thick = (26 - 20 * share) * bulk
            spot = bone.frame.at(side * (bone.half_width + 0.62 * thick + 2), -4, 0)
            rows.append((bone.frame.center[2], spot[0], spot[1], thick))
        rows.append((rows[-1][0] + 30, rows[-1][1], rows[-1][2], 0.1))
        rows.sort()
        z, x, y, width = (tuple(row[i] for row in rows) for i in range(4))
        found.append(Column(z, x, y, width, tuple(1.15 * w for w in width)))
        ends = [bone.frame.at(side * 30 * k, -bone.half_depth - 38 * k, 0) for bone in spine.vertebrae]
        ends = sorted(ends, key=lambda p: p[2])
        ends = [ends[0], *[b for a, b in itertools.pairwise(ends) if b[2] > a[2] + 2]]
        found.append(
            Column(
                tuple(p[2] for p in ends),
                tuple(p[0] for p in ends),
                tuple(p[1] for p in ends),
                (27.0 * k,) * len(ends),
                (20.0 * k,) * len(ends),
            )
        )
    return tuple(found)


def _organs(spine: Spine, wide: float, deep: float, rng: np.random.Generator) -> tuple[Ellipsoid, ...]:
    k = spine.patient.scale
    l1, l2 = (spine.bone(name).frame.center for name in ("L1", "L2"))
    forward = l1[1] - 45 * k + deep
    organs = [
        _ellipsoid(
            (l1[0] + 0.48 * wide, forward, l1[2] + 25 * k), (0.5 * wide, 0.8 * deep, float(rng.uniform(60, 85)) * k)
        ),
        _ellipsoid((l1[0] - 0.66 * wide, forward - 0.3 * deep, l1[2] + 40 * k), (0.25 * wide, 0.5 * deep, 48 * k)),
    ]
    for side, drop in ((1.0, 14.0), (-1.0, 2.0)):
        spot = (l2[0] + side * 58 * k, l2[1] - 18 * k, l2[2] + (8 - drop + float(rng.normal(0, 8))) * k)
        organs.append(_ellipsoid(spot, (27 * k, 22 * k, 56 * k), -side * 0.25))
    return tuple(organs)


def _ellipsoid(center: Vector, half: Vector, roll: float = 0.0) -> Ellipsoid:
    frame = Frame(
        (round(center[0], 6), round(center[1], 6), round(center[2], 6)), _DOWN.right, _DOWN.anterior, _DOWN.up
    )
    return Ellipsoid(frame.rolled(roll) if roll else frame, half)


def _lung_bases(
    spine: Spine, wide: float, deep: float, rng: np.random.Generator
) -> tuple[tuple[Column, Ellipsoid], ...]:
    """Both lungs from T12 upwards, over the domes of the diaphragm."""
    k = spine.patient.scale
    low = spine.bone("T12").frame.center
    level = low[2] + float(rng.normal(2, 9)) * k
    found = []
    for side, lower in ((1.0, 0.0), (-1.0, -9.0 * k)):
        x, y = low[0] + side * 0.56 * wide, low[1] - 48 * k + deep
        z = (level - 32, level - 8, level + 40, level + 120, level + 260)
        width = (0.1, 0.3 * wide, 0.41 * wide, 0.42 * wide, 0.4 * wide)
        lung = Column(z, (x,) * 5, (y,) * 5, width, (0.1, 0.8 * deep, 0.9 * deep, 0.92 * deep, 0.9 * deep))
        dome = _ellipsoid(
            (x - side * 0.04 * wide, y + 0.12 * deep, level + lower - 10), (0.43 * wide, 0.9 * deep, 46 * k)
        )
        found.append((lung, dome))
    return tuple(found)


def _bowel(spine: Spine, wide: float, deep: float, rng: np.random.Generator) -> tuple[Tube, ...]:
    """Gas along the colon, in loops of small bowel and in the rectum, different in every patient."""
    k = spine.patient.scale
    l3, s1 = spine.bone("L3").frame.center, spine.bone("S1").frame.center
    front = l3[1] - 40 * k + deep
    frame = {
        "right": [(0.72, 0.1, -75.0), (0.76, 0.0, -20.0), (0.74, -0.1, 40.0)],
        "across": [(0.6, 0.55, 40.0), (0.2, 0.7, 15.0), (-0.25, 0.7, 18.0), (-0.6, 0.4, 55.0)],
        "left": [(-0.78, -0.1, 50.0), (-0.8, 0.0, -20.0), (-0.72, 0.05, -80.0)],
        "sigmoid": [(-0.55, 0.2, -100.0), (-0.15, 0.2, -118.0), (0.1, 0.0, -130.0), (0.0, -0.35, -150.0)],
    }
    loops = []
    for line in frame.values():
        if rng.random() < 0.75:
            first = int(rng.integers(0, len(line) - 1))
            part = line[first : first + int(rng.integers(2, 4))]
            points = [(l3[0] + x * wide, front + y * deep * 0.7, l3[2] + z * k) for x, y, z in part]
            loops.append(gas(points, float(rng.uniform(9, 20)) * k, rng))
    for _ in range(int(rng.integers(2, 7))):
        x, y, z = rng.uniform(-0.6, 0.6) * wide, rng.uniform(0.1, 0.8) * deep, rng.uniform(-120, 40)
        turn = rng.normal(0, 18, 3)
        start = (l3[0] + float(x), front - 0.2 * deep + float(y) * 0.6, l3[2] + float(z))
        ends = [start, (start[0] + float(turn[0]), start[1] + float(turn[1]), start[2] + 0.5 * float(turn[2]))]
        loops.append(gas(ends, float(rng.uniform(4, 10)) * k, rng))
    if rng.random() < 0.5:
        points = [(s1[0] + float(rng.normal(0, 6)), s1[1] + 20, s1[2] - 60), (s1[0], s1[1] - 5, s1[2] - 95)]
        loops.append(gas(points, float(rng.uniform(8, 16)) * k, rng))
    return tuple(loops)
