"""Compression fractures of the thoracolumbar spine, fresh and old, and what looks like them."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from spinedet.simulation.anatomy.lumbar import Variant
from spinedet.simulation.anatomy.spine import Disc, Frame, Spine, Vertebra
from spinedet.simulation.radiograph.lumbar_scenes import WornSpine, draw_person, draw_worn_spine, lumbar_patient
from spinedet.simulation.radiograph.skeleton import Patient
from spinedet.simulation.radiograph.vertebrae import BodySolid, Dent

# Levels of compression fractures (Wang et al., 2021, PMC7647501: L1 29.7 %, then T12 and L2).
_LEVELS = {"L1": 0.297, "T12": 0.23, "L2": 0.15, "T11": 0.10, "L3": 0.10, "L4": 0.06, "T10": 0.063}
# Where the plate is deepest, as a share of the half depth in front of the middle (same source): second fifth from the
# front, first, middle, behind.
_DEEPEST = ((0.4, 0.45), (0.75, 0.20), (0.0, 0.20), (-0.4, 0.15))


@dataclass(frozen=True, slots=True)
class FractureLook:
    """How often a kind of fracture shows a sign, and how large that is.

    Age is not height: fresh fractures keep 85 % of the anterior height and old ones 64 % on average (Qasem et al., J
    Orthop Surg Res 9:96, 2014), but both vary.

    Attributes:
        loss: shape and mean of the loss of height (gamma law), share of the height.
        wedge: range of the share of that loss taken by the front as a whole; the rest is a dent of the plate.
        step: chance of a step under the front rim; mm: its height.
        impaction: chance of a dense band below the plate; dense: its extra mineral; thick, below: its thickness and its
            distance from the plate, mm.
        sclerosis: chance of a denser plate. lips: chance of a lip at the front rim.
        blunt: mean softening of the dent, mm.
    """

    loss: tuple[float, float]
    wedge: tuple[float, float]
    step: float
    mm: tuple[float, float]
    impaction: float
    dense: tuple[float, float]
    thick: tuple[float, float]
    below: tuple[float, float]
    sclerosis: float
    lips: float
    blunt: float


# Chosen so that a network reads images of centre A about as well as is published (AUC .80 to .90; how, on which
# patients: docs/radiographs_phantom.md).
FRESH = FractureLook(
    loss=(2.6, 0.19),
    wedge=(0.2, 0.8),
    step=0.90,
    mm=(2.0, 4.0),
    impaction=0.92,
    dense=(0.20, 0.42),
    thick=(3.0, 6.0),
    below=(1.5, 4.0),
    sclerosis=0.15,
    lips=0.18,
    blunt=2.2,
)
OLD = FractureLook(
    loss=(4.0, 0.29),
    wedge=(0.3, 0.95),
    step=0.07,
    mm=(0.6, 2.0),
    impaction=0.09,
    dense=(0.05, 0.2),
    thick=(2.0, 4.0),
    below=(2.5, 5.0),
    sclerosis=0.5,
    lips=0.58,
    blunt=4.8,
)


@dataclass(frozen=True, slots=True)
class Fracture:
    """One fractured vertebra: which, how old (`fresh` or `old`), and the loss of anterior height, share."""

    level: str
    age: str
    loss: float


@dataclass(frozen=True, slots=True)
class FracturedPatient:
    """A patient, and the state of every vertebra that is fractured."""

    patient: Patient
    fractures: tuple[Fracture, ...]


def draw_fractured(fresh: bool, size: float, easy: float, rng: np.random.Generator) -> FracturedPatient:
    """An older patient after a fall.

    Args:
        fresh: whether any fracture is fresh.
        size: multiplies the fat of the patient.
        easy: strength of the signs.
        rng: random numbers.
    """
    person = draw_person((52, 93), size, rng)
    if person.sex == "M" and rng.random() < 0.5:
        person = replace(person, sex="F", scale=round(0.92 * person.scale, 6))
    worn = draw_worn_spine(person, Variant(), rng)
    names = list(_LEVELS)
    chances = np.array(list(_LEVELS.values())) / sum(_LEVELS.values())
    order = [names[i] for i in rng.choice(len(names), len(names), replace=False, p=chances)]
    count = (1 + int(rng.random() < 0.1)) if fresh else 0
    old = int(rng.choice(3, p=(0.55, 0.3, 0.15) if fresh else (0.25, 0.5, 0.25)))
    bodies, found = worn.bodies, []
    for number, level in enumerate(order[: count + old]):
        age, look = ("fresh", FRESH) if number < count else ("old", OLD)
        bodies[level], loss = _fractured(bodies[level], look, easy, rng)
        found.append(Fracture(level, age, loss))
    for level in order[count + old :]:
        bodies[level] = _mimicking(bodies[level], rng)
    spine = worn.spine
    for fracture in found:
        spine = collapsed(spine, fracture.level, bodies[fracture.level].crush)
    bodies = {bone.name: replace(bodies[bone.name], bone=bone) for bone in spine.vertebrae if not bone.sacral}
    return FracturedPatient(lumbar_patient(WornSpine(spine, worn.states, worn.mineral), bodies, (), rng), tuple(found))


def _fractured(body: BodySolid, look: FractureLook, easy: float, rng: np.random.Generator) -> tuple[BodySolid, float]:
    """The body with a fracture of its upper plate, seldom of the lower one; and its loss of anterior height."""
    bone = body.bone
    shape, mean = look.loss
    loss = round(float(np.clip(rng.gamma(shape, mean / shape), 0.05, 0.6)), 6)
    place = _DEEPEST[int(rng.choice(4, p=[share for _, share in _DEEPEST]))][0] + float(rng.normal(0, 0.08))
    side = 1.0 if rng.random() < 0.85 else -1.0
    front = loss * float(rng.uniform(*look.wedge))
    back = front * float(rng.uniform(0.05, 0.4))
    blunt = float(rng.gamma(1.5, look.blunt / 1.5))
    dent = Dent(
        side,
        depth=min(loss - 0.8 * min(front, loss), 0.3) * bone.height,
        spread=bone.half_depth * float(rng.uniform(0.55, 0.95)),
        place=place,
        dense=easy * float(rng.uniform(*look.dense)) * (rng.random() < look.impaction),
        band=(float(rng.uniform(*look.thick)), float(rng.uniform(*look.below))),
        step=easy * float(rng.uniform(*look.mm)) * (rng.random() < look.step),
        lip=float(rng.uniform(1.0, 3.5)) * (rng.random() < look.lips),
        blunt=blunt,
    )
    changes = [*body.dents, dent]
    if rng.random() < look.sclerosis:
        changes.append(Dent(side, dense=float(rng.uniform(0.1, 0.3)), band=(float(rng.uniform(1.0, 2.5)), 0.5)))
    return replace(body, dents=tuple(changes), crush=(front, back)), loss


def _mimicking(body: BodySolid, rng: np.random.Generator) -> BodySolid:
    """Often nothing; else a Schmorl's node, Cupid's bow, a short body, a limbus or a band across the body."""
    half = body.bone.half_depth
    match int(rng.choice(6, p=(0.62, 0.10, 0.08, 0.08, 0.05, 0.07))):
        case 1:
            reach, deep = float(rng.uniform(5, 8)), float(rng.uniform(2.5, 5.5))
            dents = [Dent(float(rng.choice([-1.0, 1.0])), deep, reach, float(rng.uniform(-0.4, 0.4)), reach, dense=0.0)]
        case 2:
            dents = [Dent(-1.0, float(rng.uniform(2, 4)), 0.5 * half, -0.45)]
        case 3:
            front = float(rng.uniform(0.06, 0.16))
            return replace(body, crush=(front, 0.4 * front), hollow=body.hollow + float(rng.uniform(0, 1.5)))
        case 4:
            dents = [Dent(1.0, float(rng.uniform(3, 6)), 5.5, 0.95, lip=float(rng.uniform(0, 2)))]
        case 5:
            band = (float(rng.uniform(1.5, 3.5)), float(rng.uniform(2, 7)))
            dents = [Dent(1.0, dense=float(rng.uniform(0.06, 0.18)), band=band)]
        case _:
            return body
    return replace(body, dents=(*body.dents, *dents))


def collapsed(spine: Spine, name: str, crush: tuple[float, float]) -> Spine:
    """The spine with all that stands on a wedged vertebra lowered and tipped forwards."""
    bone = spine.bone(name)
    front, back = crush
    angle = math.atan2((front - back) * bone.height, 2 * bone.half_depth) * 0.85
    drop = (front + back) / 2 * bone.height
    turned = bone.frame.pitched(angle)

    def moved(frame: Frame) -> Frame:
        away = tuple(a - b for a, b in zip(frame.center, bone.frame.center, strict=True))
        axes = (bone.frame.right, bone.frame.anterior, bone.frame.up)
        x, y, z = (sum(p * q for p, q in zip(away, axis, strict=True)) for axis in axes)
        return replace(frame.pitched(angle), center=turned.at(x, y, z - drop))

    def above(part: Vertebra | Disc) -> bool:
        return part.frame.center[2] > bone.frame.center[2] + 2

    vertebrae = tuple(replace(v, frame=moved(v.frame)) if above(v) else v for v in spine.vertebrae)
    discs = tuple(replace(d, frame=moved(d.frame)) if above(d) else d for d in spine.discs)
    return replace(spine, vertebrae=vertebrae, discs=discs)
