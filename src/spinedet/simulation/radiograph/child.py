"""Children and adolescents with scoliosis: the whole trunk, braces and the implants of their operations."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from spinedet.simulation.anatomy.spine import Frame, Spine, Vector
from spinedet.simulation.anatomy.spine import Patient as Person
from spinedet.simulation.radiograph.chords import Column, Ellipsoid
from spinedet.simulation.radiograph.hardware import SYSTEMS, Metal, Tulip, between, facing
from spinedet.simulation.radiograph.projector import Material, Tube
from spinedet.simulation.radiograph.scoliosis import ScolioticSpine, draw_cobb, draw_scoliosis
from spinedet.simulation.radiograph.skeleton import Patient, bones_of, sacrum, wings
from spinedet.simulation.radiograph.trunk import Trunk
from spinedet.simulation.radiograph.tubes import Chest, bone_tube, gas, tube
from spinedet.simulation.radiograph.vertebrae import BodySolid, Mineral

_UP = Frame((0.0, 0.0, 0.0), (1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0))


@dataclass(frozen=True, slots=True)
class Kind:
    """A category of radiographs of scoliosis.

    Attributes:
        share: how common it is among studies.
        ages: range in years.
        surgical: whether the curve was one for surgery; remaining: share of its angle that is left.
        build: implants of a spine.
        brace: whether a brace is worn.
    """

    share: float
    ages: tuple[float, float]
    surgical: bool
    remaining: tuple[float, float]
    build: Callable[[Spine, np.random.Generator], Metal]
    brace: bool = False


def draw_child(kind: Kind, size: float, rng: np.random.Generator) -> tuple[Patient, ScolioticSpine]:
    """A patient of a category; `size` multiplies the fat."""
    age = float(rng.uniform(*kind.ages))
    sex = "F" if rng.random() < 0.78 else "M"
    # Sitting height of girls and boys by age, relative to an adult.
    scale = float(
        np.clip(0.575 + 0.0255 * min(age, 15.5) + (0.015 if sex == "M" else 0.0) + rng.normal(0, 0.03), 0.6, 1.06)
    )
    person = Person(sex, int(age), round(scale, 6), round(float(rng.gamma(3.0, 2.2)) * size, 6))
    cobb = draw_cobb(kind.surgical, rng) * float(rng.uniform(*kind.remaining))
    drawn = draw_scoliosis(person, cobb, rng)
    spine = drawn.spine
    mineral = Mineral(0.7, 0.75, float(rng.uniform(0.16, 0.22)))
    bodies = {bone.name: BodySolid(bone, mineral, hollow=1.0) for bone in spine.vertebrae if not bone.sacral}
    trunk = _trunk(spine, rng)
    chest = Chest(0.93 * trunk.wall.width[5], 0.9 * trunk.wall.depth[5], 0.0, float(rng.uniform(0.8, 1.1)))
    solids, tubes = bones_of(spine, bodies, chest, mineral, rng)
    metal = kind.build(spine, rng)
    if kind.brace:
        trunk, buckles = _braced(trunk, spine, rng)
        metal = (*metal, *buckles)
    patient = Patient(
        spine,
        (*solids, *sacrum(spine, mineral)),
        (*tubes, *_limbs(spine, trunk, mineral)),
        wings(spine, mineral, rng),
        trunk,
        metal,
        grain=0.08,
        mottle=2.0,
        shells=_shells(spine),
    )
    return patient, drawn


def _heights(spine: Spine) -> dict[str, float]:
    return {bone.name: bone.frame.center[2] for bone in spine.vertebrae}


def _trunk(spine: Spine, rng: np.random.Generator) -> Trunk:
    """From the thighs to the top of the head."""
    k, fat = spine.patient.scale, spine.patient.fat
    h = _heights(spine)
    broad = float(rng.uniform(0.86, 1.0)) * k
    levels = ("T12", "T8", "T4", "T2", "C7", "C5")
    z = (
        -330.0 * k,
        -200.0 * k,
        -95.0 * k,
        h["L3"],
        *(h[name] for name in levels),
        h["C3"] + 8 * k,
        h["C3"] + 65 * k,
        h["C3"] + 165 * k,
    )
    width = (165, 168, 160, 124, 132, 138, 146, 168, 66, 56, 66, 74, 5)
    depth = (86, 92, 92, 84, 94, 104, 96, 80, 56, 55, 86, 92, 5)
    back = np.interp(z, *_rear(spine)) - np.array((62, 72, 78, 52, 44, 44, 46, 50, 40, 34, 44, 60, 60)) * k
    x = tuple(float(v) for v in np.interp(z, *_middle(spine)))
    y = tuple(float(b + d * broad) for b, d in zip(back, depth, strict=True))
    inner = tuple(w * broad for w in width), tuple(d * broad for d in depth)
    skin = Column(z, x, y, tuple(w + fat for w in inner[0]), tuple(d + 0.8 * fat for d in inner[1]))
    return Trunk(
        skin,
        Column(z, x, y, *inner),
        (),
        _organs(spine, broad, y),
        _lungs(spine, broad, y),
        _bowel(spine, broad, y, rng),
    )


def _rear(spine: Spine) -> tuple[list[float], list[float]]:
    bones = sorted((b for b in spine.vertebrae if not b.sacral), key=lambda b: b.frame.center[2])
    return [b.frame.center[2] for b in bones], [b.rear[1] for b in bones]


def _middle(spine: Spine) -> tuple[list[float], list[float]]:
    """The trunk follows the spine halfway."""
    bones = sorted((b for b in spine.vertebrae if not b.sacral), key=lambda b: b.frame.center[2])
    return [b.frame.center[2] for b in bones], [0.4 * b.frame.center[0] for b in bones]


def _organs(spine: Spine, broad: float, y: tuple[float, ...]) -> tuple[Ellipsoid, ...]:
    h = _heights(spine)
    heart = _at((-22 * broad, y[5] + 18 * broad, h["T9"]), (52 * broad, 42 * broad, 58 * broad))
    liver = _at((48 * broad, y[4] + 5, h["T12"] - 8), (68 * broad, 74 * broad, 58 * broad))
    spleen = _at((-82 * broad, y[4] - 25 * broad, h["T12"]), (28 * broad, 38 * broad, 42 * broad))
    # The heart is muscle where the table of organs has fat around them: counted three times.
    return heart, heart, heart, liver, spleen


def _at(center: Vector, half: Vector) -> Ellipsoid:
    return Ellipsoid(replace(_UP, center=(round(center[0], 6), round(center[1], 6), round(center[2], 6))), half)


def _lungs(spine: Spine, broad: float, y: tuple[float, ...]) -> tuple[tuple[Column, Ellipsoid], ...]:
    h = _heights(spine)
    k = spine.patient.scale
    found = []
    for side, low in ((1.0, 6.0), (-1.0, -4.0)):
        z = (h["T12"] - 12, h["T11"], h["T8"], h["T5"], h["T2"], h["T1"] + 14 * k)
        x = tuple(side * share * broad for share in (84, 80, 76, 70, 52, 46))
        width = tuple(share * broad for share in (0.1, 44, 54, 54, 36, 0.1))
        depth = tuple(share * broad for share in (6, 66, 90, 88, 58, 1))
        lung = Column(z, x, (y[4], y[4], y[5], y[6], y[7], y[7]), width, depth)
        dome = _at((side * 74 * broad, y[4] + 8, h["T11"] + low - 24), (60 * broad, 86 * broad, 44 * broad))
        found.append((lung, dome))
    return tuple(found)


def _bowel(spine: Spine, broad: float, y: tuple[float, ...], rng: np.random.Generator) -> tuple[Tube, ...]:
    h = _heights(spine)
    loops = []
    for _ in range(int(rng.integers(3, 8))):
        x, z = float(rng.uniform(-85, 85)) * broad, float(rng.uniform(-60, h["L1"]))
        start = (x, y[3] + float(rng.uniform(-10, 50)) * broad, z)
        way = rng.normal(0, 22, 3)
        end = (start[0] + float(way[0]), start[1] + float(way[1]), start[2] + 0.6 * float(way[2]))
        loops.append(gas([start, end], float(rng.uniform(6, 16)) * broad, rng))
    # The windpipe, down to its fork.
    top, fork = spine.bone("C5").frame, spine.bone("T5").frame
    line = [top.at(0, 26 * broad, 0), spine.bone("T1").frame.at(0, 32 * broad, 0), fork.at(0, 34 * broad, 0)]
    loops.append(tube(line, [7.0 * broad] * 3, Material.SOFT, -0.9, spacing=2.0))
    return tuple(loops)


def _shells(spine: Spine) -> tuple[tuple[Ellipsoid, float, float], ...]:
    """Skull and heads of femur and humerus: ellipsoids, thickness of the wall, share of bone inside."""
    k = spine.patient.scale
    top = spine.bone("C3").frame.center
    skull = _at((top[0] * 0.6, top[1] + 18 * k, top[2] + 105 * k), (70 * k, 88 * k, 78 * k))
    jaw = _at((top[0] * 0.6, top[1] + 62 * k, top[2] + 22 * k), (34 * k, 30 * k, 22 * k))
    heads = tuple((_at((side * 84 * k, 14 * k, -96 * k), (23 * k, 23 * k, 23 * k)), 1.2, 0.14) for side in (-1.0, 1.0))
    return ((skull, 4.5, 0.0), (jaw, 3.0, 0.05), *heads)


def _limbs(spine: Spine, trunk: Trunk, mineral: Mineral) -> list[Tube]:
    """Collar bones, upper arms, thighs, pubic bones."""
    k, h = spine.patient.scale, _heights(spine)
    front, wide = trunk.wall.y[7] + 0.55 * trunk.wall.depth[7], 0.86 * trunk.wall.width[7]
    found = []
    for side in (-1.0, 1.0):
        shoulder = (side * wide, trunk.wall.y[7] - 8, h["T2"] + 12 * k)
        collar = [(side * 14 * k, front, h["T3"]), (side * 0.5 * wide, front - 6, h["T2"] + 8 * k), shoulder]
        found.append(bone_tube(collar, [6.5 * k, 5.0 * k, 6.0 * k], mineral, 1.5, 1.5))
        arm = [
            (shoulder[0], shoulder[1], shoulder[2] - 8 * k),
            (shoulder[0] + side * 14 * k, shoulder[1] + 40 * k, h["T9"]),
        ]
        found.append(bone_tube([*arm], [17 * k, 9.5 * k], mineral, 2.0, 2.0))
        femur = [(side * 90 * k, 14 * k, -100 * k), (side * 128 * k, 0.0, -132 * k), (side * 126 * k, 0.0, -330 * k)]
        found.append(bone_tube(femur, [14 * k, 18 * k, 13 * k], mineral, 3.0, 2.0))
        ramus = [(side * 76 * k, 30 * k, -92 * k), (side * 40 * k, 62 * k, -108 * k), (side * 7 * k, 66 * k, -122 * k)]
        found.append(bone_tube(ramus, [9 * k, 6.5 * k, 9 * k], mineral, 1.6, 1.6))
        seat = [(side * 10 * k, 60 * k, -134 * k), (side * 50 * k, 10 * k, -158 * k), (side * 78 * k, 0.0, -118 * k)]
        found.append(bone_tube(seat, [6 * k, 10 * k, 12 * k], mineral, 1.6, 1.6))
    return found


def _braced(trunk: Trunk, spine: Spine, rng: np.random.Generator) -> tuple[Trunk, Metal]:
    """A plastic brace from the hips to the armpit of one side, with its rivets and buckles."""
    h = _heights(spine)
    skin = trunk.skin
    low, high = -70.0 * spine.patient.scale, h["T7"] + float(rng.uniform(-20, 20))
    tables = (skin.x, skin.y, skin.width, skin.depth)
    z = (low - 1, low, *(v for v in skin.z if low + 2 < v < high - 2), high, high + 1)
    x, y, width, depth = (tuple(float(v) for v in np.interp(z, skin.z, table)) for table in tables)
    flat = [0.0, *[1.0] * (len(z) - 2), 0.0]
    thick = float(rng.uniform(3.5, 5.5))
    shell = tuple(
        Column(
            z,
            x,
            y,
            tuple((v + t) * f for v, f in zip(width, flat, strict=True)),
            tuple((v + t) * f for v, f in zip(depth, flat, strict=True)),
        )
        for t in (thick, 0.0)
    )
    parts: list[Tube] = []
    side = float(rng.choice([-1.0, 1.0]))
    for share in rng.uniform(0.1, 0.9, int(rng.integers(3, 7))).tolist():
        level = low + (high - low) * share
        at = [float(np.interp(level, z, table)) for table in (x, y, width, depth)]
        behind = at[1] - at[3] - 4
        for offset in (-22.0, 22.0) if rng.random() < 0.7 else (12.0,):
            spot = (at[0] + side * 0.2 * at[2] + offset, behind, level)
            parts.append(tube([spot, (spot[0] + 5, spot[1], spot[2])], [2.6, 2.6], Material.TITANIUM, 1.0, spacing=0.5))
        edge = [
            (at[0] - 14, behind, level - 5),
            (at[0] + 14, behind, level - 5),
            (at[0] + 14, behind, level + 5),
            (at[0] - 14, behind, level + 5),
        ]
        if rng.random() < 0.6:
            parts.append(tube([*edge, edge[0]], [1.1] * 5, Material.TITANIUM, 1.0, spacing=0.6))
    return replace(trunk, plastic=(shell[0], shell[1])), tuple(parts)


def nothing(_spine: Spine, _rng: np.random.Generator) -> Metal:
    """No implants."""
    return ()


def _anchors(spine: Spine, low: str, high: str) -> list[str]:
    names = [bone.name for bone in spine.vertebrae if not bone.sacral]
    return names[names.index(low) : names.index(high) + 1]


def _entry(spine: Spine, name: str, side: float) -> tuple[Vector, Vector]:
    """Where a screw's head lies behind the pedicle, and a point in the body before it."""
    bone = spine.bone(name)
    k = bone.half_depth / 18.7
    return bone.frame.at(side * 19 * k, -bone.half_depth - 24 * k, 3 * k), bone.frame.at(
        side * 8 * k, 0.45 * bone.half_depth, 2 * k
    )


def _anchor(spine: Spine, name: str, side: float, up: Vector, hook: bool) -> Metal:
    """A screw, or a hook around the lamina."""
    head, tip = _entry(spine, name, side)
    k = spine.bone(name).half_depth / 18.7
    tulip = Tulip(facing(head, between(tip, head), up), replace(SYSTEMS["A"], tulip=(11.5, 13.0)))
    if hook:
        frame = spine.bone(name).frame
        bend = [
            head,
            frame.at(side * 15 * k, -frame_depth(spine, name) - 14 * k, -10 * k),
            frame.at(side * 14 * k, -frame_depth(spine, name) - 9 * k, -2 * k),
        ]
        return tulip, tube(bend, [2.4, 2.2, 1.4], Material.TITANIUM, 1.0, spacing=0.6)
    return tulip, tube([head, tip], [2.8, 2.2], Material.TITANIUM, 1.0, spacing=0.6)


def frame_depth(spine: Spine, name: str) -> float:
    """Half the depth of a body."""
    return spine.bone(name).half_depth


def _rods(spine: Spine, names: list[str], held: list[str], side: float, hook: float, rng: np.random.Generator) -> Metal:
    """A rod past all of `names`, held at the levels `held`; `hook` is the chance of a hook."""
    line = [_entry(spine, name, side)[0] for name in names]
    over = [
        tuple(a + 0.35 * (a - b) for a, b in zip(p, q, strict=True))
        for p, q in ((line[0], line[1]), (line[-1], line[-2]))
    ]
    ends = [(o[0], o[1], o[2]) for o in over]
    metal = Material.COBALT if rng.random() < 0.5 else Material.TITANIUM
    parts: list[object] = [tube([ends[0], *line, ends[1]], [2.75] * (len(line) + 2), metal, 1.0, spacing=0.8)]
    for name in held:
        index = names.index(name)
        below, above = line[max(index - 1, 0)], line[min(index + 1, len(line) - 1)]
        parts += _anchor(spine, name, side, between(below, above), rng.random() < hook)
    return tuple(parts)  # type: ignore[arg-type]


def fusion(spine: Spine, rng: np.random.Generator, hook: float = 0.06) -> Metal:
    """Two rods held at most levels between the upper thoracic and the lumbar spine."""
    names = _anchors(spine, str(rng.choice(["L1", "L2", "L3", "L4"])), str(rng.choice(["T5", "T4", "T3", "T2"])))
    parts: Metal = ()
    for side in (-1.0, 1.0):
        held = [n for i, n in enumerate(names) if i < 2 or i >= len(names) - 2 or rng.random() < 0.72]
        parts += _rods(spine, names, held, side, hook, rng)
    return parts


def hooks(spine: Spine, rng: np.random.Generator) -> Metal:
    """The same, held by hooks: the older way."""
    return fusion(spine, rng, 0.85)


def growing(spine: Spine, rng: np.random.Generator) -> Metal:
    """Rods held only at both ends, with connectors in between or a magnetic lengthener."""
    names = _anchors(spine, str(rng.choice(["L2", "L3", "L4"])), str(rng.choice(["T4", "T3", "T2"])))
    magnetic = rng.random() < 0.5
    parts: Metal = ()
    for side in (-1.0, 1.0) if rng.random() < 0.85 else (float(rng.choice([-1.0, 1.0])),):
        held = [*names[:2], *names[-2:]]
        parts += _rods(spine, names, held, side, 0.4, rng)
        middle = len(names) // 2
        line = [_entry(spine, name, side)[0] for name in names[middle - 2 : middle + (2 if magnetic else 1)]]
        radius, aside = (4.6, 0.0) if magnetic else (4.0, 3.0)
        body = [(p[0] + side * aside, p[1] - 2, p[2]) for p in line]
        parts += (tube(body, [radius] * len(body), Material.TITANIUM, 1.0, spacing=0.8),)
        if not magnetic:
            tail = [
                (p[0] + side * 6.0, p[1], p[2])
                for p in (_entry(spine, n, side)[0] for n in names[middle - 3 : middle + 3])
            ]
            parts += (tube(tail, [2.5] * len(tail), Material.TITANIUM, 1.0, spacing=0.8),)
    return parts


def tether(spine: Spine, rng: np.random.Generator) -> Metal:
    """Screws across the bodies from the convex side, joined by a cord that is hardly seen."""
    names = _anchors(spine, str(rng.choice(["T11", "T12", "L1", "L3"])), str(rng.choice(["T7", "T6", "T5"])))
    aside = [spine.bone(name).frame.center[0] for name in names]
    side = 1.0 if sum(aside) / len(aside) > 0 else -1.0
    parts: list[Tube] = []
    heads = []
    for name in names:
        bone = spine.bone(name)
        head, tip = (bone.frame.at(side * x * bone.half_width, -2.0, 0) for x in (1.25, -0.95))
        heads.append(head)
        parts.append(tube([head, tip], [2.6, 2.2], Material.TITANIUM, 1.0, spacing=0.6))
        cap = [bone.frame.at(side * (bone.half_width * 1.2 + x), -2.0, 0) for x in (0.0, 7.0)]
        parts.append(tube(cap, [5.2, 5.0], Material.TITANIUM, 0.9, spacing=0.6))
    parts.append(tube(heads, [2.0] * len(heads), Material.SOFT, 0.6, spacing=0.8))
    return tuple(parts)


KINDS: dict[str, Kind] = {
    "plain": Kind(0.36, (7, 18), False, (1.0, 1.0), nothing),
    "brace": Kind(0.14, (9, 15), False, (0.6, 0.95), nothing, brace=True),
    "fusion": Kind(0.32, (11, 18), True, (0.2, 0.5), fusion),
    "growing": Kind(0.12, (4, 10), True, (0.45, 0.8), growing),
    "tether": Kind(0.06, (9, 14), True, (0.4, 0.75), tether),
    "hooks": Kind(0.0, (11, 18), True, (0.3, 0.6), hooks),
}
