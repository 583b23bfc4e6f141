"""Long thin things drawn along lines: ribs, transverse processes, bowel gas, calcified vessels."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, replace

import numpy as np
from scipy.interpolate import PchipInterpolator

from spinedet.simulation.anatomy.spine import Vector, Vertebra
from spinedet.simulation.radiograph.beam import Points, cosine, sine
from spinedet.simulation.radiograph.projector import Material, Tube
from spinedet.simulation.radiograph.vertebrae import Mineral


def tube(line: list[Vector], radii: list[float], material: Material, amount: float, *, spacing: float = 0.7) -> Tube:
    """A smooth solid tube through the given points, whose radius changes from point to point."""
    corners = np.array(line)
    way = np.concatenate([[0.0], np.cumsum(_steps(corners))])
    count = max(int(way[-1] / spacing), 2)
    steps = (np.arange(count) + 0.5) * (way[-1] / count)
    if len(line) > 2:
        points = np.stack([PchipInterpolator(way, corners[:, axis])(steps) for axis in range(3)], axis=1)
    else:
        share = (steps / way[-1])[:, None]
        points = corners[0] * (1 - share) + corners[1] * share
    points = np.round(points, 6)
    moved = _steps(points)
    lengths = (
        np.concatenate([moved[:1], (moved[1:] + moved[:-1]) / 2, moved[-1:]]) if count > 2 else np.full(2, moved[0])
    )
    return Tube(points, np.interp(steps, way, radii), lengths, material, amount)


@dataclass(frozen=True, slots=True)
class Chest:
    """The bony chest: half width and depth of its sections, and how far it lies before the spine, mm; `slope` is how
    steeply the ribs fall, relative to an average chest."""

    width: float
    depth: float
    ahead: float
    slope: float = 1.0


# Share of the way round to the breast bone that a rib's bony part goes, its fall in mm, and size of the chest there.
_RIBS = {
    "T12": (0.30, 55.0, 0.80), "T11": (0.46, 75.0, 0.92), "T10": (0.66, 92.0, 0.98), "T9": (0.74, 98.0, 1.0),
    "T8": (0.80, 100.0, 1.0), "T7": (0.84, 98.0, 0.99), "T6": (0.86, 92.0, 0.96), "T5": (0.87, 84.0, 0.91),
    "T4": (0.87, 74.0, 0.84), "T3": (0.86, 62.0, 0.75), "T2": (0.85, 48.0, 0.63), "T1": (0.82, 32.0, 0.47),
}  # fmt: skip
# Half round the chest in 32 steps: sine and 1 - cosine of the angle from the spine.
_ROUND = tuple((sine(180 / 32 * i), 1 - cosine(180 / 32 * i)) for i in range(33))


def ribs(bone: Vertebra, chest: Chest, mineral: Mineral, k: float, spread: tuple[float, float]) -> list[Tube]:
    """Both ribs of a thoracic vertebra; `spread` raises or lowers the left and the right one, share of their fall."""
    if bone.name not in _RIBS:
        return []
    reach, fall, size = _RIBS[bone.name]
    half_width, half_depth = chest.width * size, chest.depth * (0.45 + 0.55 * size)
    found = []
    for side, extra in zip((-1.0, 1.0), spread, strict=True):
        drop = fall * chest.slope * (1 + extra) * k
        at = bone.frame.at
        w, d = bone.half_width, bone.half_depth
        line = [at(side * (w - 1), -d + 1, 6 * k), at(side * (w + 9 * k), -d - 11 * k, 4 * k)]
        x0, y0, z0 = at(side * (w + 16 * k), -d - 20 * k, 0)
        middle, back = 0.7 * bone.frame.center[0], bone.frame.at(0, -d - 26 * k, 0)[1]
        last = max(int(32 * reach), 7)
        for step in range(7, last + 1, 2):
            across, rise = _ROUND[step]
            share = (step - 4) / 28
            x = middle + side * half_width * across
            y = back + half_depth * rise
            line.append((x, y, z0 - drop * share * (1.25 - 0.25 * share)))
        line.insert(2, (x0, y0, z0))
        radii = [4.2 * k, 4.5 * k, 5.2 * k] + [5.4 * k] * (len(line) - 4) + [5.8 * k]
        if bone.name in ("T11", "T12"):
            radii[-2:] = [4.4 * k, 2.8 * k]
        found.append(bone_tube(line, radii, mineral, 1.2, 1.1))
    return found


def transverse_processes(bone: Vertebra, mineral: Mineral, canal: float, rng: np.random.Generator) -> list[Tube]:
    """Both transverse processes; long and flat in L3, thick in L5, short in T12."""
    k = bone.half_depth / 18.7
    long, thick, rise = {
        "L5": (31.0, 6.0, 5.0), "L4": (32.0, 4.2, 4.0), "L3": (38.0, 4.0, 1.0), "L2": (33.0, 4.0, 0.0),
        "L1": (28.0, 3.8, -1.0), "L6": (31.0, 6.0, 5.0), "T12": (9.0, 4.0, 0.0),
    }.get(bone.name, (19.0, 5.0, 3.0))  # fmt: skip
    rear = -(bone.half_depth + canal * k)
    found = []
    for side in (-1.0, 1.0):
        reach, up = long * k * (1 + 0.08 * rng.standard_normal()), rise + 1.5 * rng.standard_normal()
        at = bone.frame.at
        line = [
            at(side * 15 * k, rear + 7 * k, 4 * k),
            at(side * (15 * k + 0.55 * reach), rear + 4 * k, 4 * k + 0.3 * up),
            at(side * (17 * k + reach), rear + 1 * k, 4 * k + up),
        ]
        radii = [thick * 1.15 * k, thick * k, 0.75 * thick * k]
        found.append(bone_tube(line, radii, mineral, 1.1, 0.7))
    return found


def bone_tube(line: list[Vector], radii: list[float], mineral: Mineral, wall: float, spacing: float) -> Tube:
    """A tube of cancellous bone in a wall of cortex."""
    solid = tube(line, radii, Material.BONE, 0.95 * mineral.cortex, spacing=spacing)
    return replace(solid, wall=wall, core=mineral.cancellous)


def gas(line: list[Vector], calibre: float, rng: np.random.Generator) -> Tube:
    """A stretch of bowel filled with gas, pinched at its folds."""
    points: list[Vector] = []
    radii: list[float] = []
    for start, end in itertools.pairwise(line):
        for share in (0.0, 0.33, 0.67):
            wobble = [round(float(v), 6) for v in rng.normal(0, 0.16 * calibre, 3)]
            spot = [a * (1 - share) + b * share + w for a, b, w in zip(start, end, wobble, strict=True)]
            points.append((spot[0], spot[1], spot[2]))
            radii.append(calibre * float(rng.uniform(0.55, 1.1)))
    points.append(line[-1])
    radii.append(0.4 * calibre)
    radii[0] *= 0.4
    return tube(points, radii, Material.SOFT, -1.0, spacing=1.6)


def calcified_vessel(line: list[Vector], radius: float, rng: np.random.Generator) -> list[Tube]:
    """Plaques in the walls of an artery."""
    plaques = []
    for _ in range(int(rng.integers(3, 9))):
        index = int(rng.integers(0, len(line) - 1))
        share, side = float(rng.uniform(0, 1)), float(rng.choice([-1.0, 1.0]))
        a, b = line[index], line[index + 1]
        x, y, z = (p * (1 - share) + q * share for p, q in zip(a, b, strict=True))
        long = float(rng.uniform(3, 12))
        ends = [(x + side * radius, y + side * radius, z + d * long) for d in (-0.5, 0.5)]
        plaques.append(tube(ends, [0.8, 0.8], Material.BONE, float(rng.uniform(0.3, 0.9))))
    return plaques


def bead_line(points: Points, radius: float, material: Material) -> Tube:
    """A wire through closely spaced points."""
    moved = _steps(points)
    lengths = np.concatenate([moved, moved[-1:]])
    return Tube(points, np.full(len(points), radius), lengths, material)


def _steps(points: Points) -> Points:
    """(n - 1,) distances from point to point."""
    away = points[1:] - points[:-1]
    return np.sqrt(away[:, 0] * away[:, 0] + away[:, 1] * away[:, 1] + away[:, 2] * away[:, 2])
