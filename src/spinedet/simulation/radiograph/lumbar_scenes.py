"""Patients for lumbar radiographs: a worn spine in its trunk, with or without screws."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from spinedet.core.radiograph.views import AP, LATERAL
from spinedet.simulation.anatomy.degeneration import DegenerationSettings, DiscState, draw_states
from spinedet.simulation.anatomy.lumbar import Variant, draw_spine, draw_variant, levels_of
from spinedet.simulation.anatomy.spine import Patient as Person
from spinedet.simulation.anatomy.spine import SegmentChange, Spine, Vector, Vertebra
from spinedet.simulation.prevalence import fitted
from spinedet.simulation.radiograph.hardware import (
    Metal,
    Screw,
    System,
    cage,
    construct,
    cross_link,
    pedicle_screw,
)
from spinedet.simulation.radiograph.room import Technique
from spinedet.simulation.radiograph.skeleton import Patient, bones_of, sacrum, wings
from spinedet.simulation.radiograph.trunk import lumbar_trunk
from spinedet.simulation.radiograph.tubes import Chest, calcified_vessel
from spinedet.simulation.radiograph.vertebrae import BodySolid, Dent, Mineral

LUMBAR_TECHNIQUES = (
    Technique(AP, 78.0, (115.0, 145.0), (250.0, 290.0), 0.9),
    Technique(LATERAL, 90.0, (205.0, 250.0), (250.0, 290.0), 0.8, ahead=12.0),
)


@dataclass(frozen=True, slots=True)
class WornSpine:
    """A spine, the state of its discs and its bone."""

    spine: Spine
    states: dict[str, DiscState]
    mineral: Mineral

    @property
    def bodies(self) -> dict[str, BodySolid]:
        """The solids of the free vertebral bodies, with their osteophytes and Schmorl's nodes."""
        return {bone.name: self._body(bone) for bone in self.spine.vertebrae if not bone.sacral}

    def _body(self, bone: Vertebra) -> BodySolid:
        below = next((s for level, s in self.states.items() if level.startswith(f"{bone.name}/")), None)
        above = next((s for level, s in self.states.items() if level.endswith(f"/{bone.name}")), None)
        lips = (below.lips if below else 0.0, above.lips if above else 0.0)
        dents = []
        for side, plate in ((-1.0, below.upper if below else None), (1.0, above.lower if above else None)):
            if plate and plate.node:
                dents.append(Dent(side, plate.node, 1.2 * plate.node + 2.5, plate.place[1], 1.2 * plate.node + 2.5))
        return BodySolid(bone, self.mineral, lips=lips, dents=tuple(dents))


def draw_person(ages: tuple[float, float], fat: float, rng: np.random.Generator) -> Person:
    """Sex, age (uniform), stature and build; `fat` multiplies that of the back."""
    sex = "F" if rng.random() < 0.58 else "M"
    age = int(rng.uniform(*ages))
    scale = (0.95 if sex == "F" else 1.04) * (1 + 0.035 * rng.standard_normal())
    build = float(np.clip(rng.gamma(3.2, 5.0) * fat, 4, 70))
    return Person(sex, age, round(float(np.clip(scale, 0.84, 1.16)), 6), round(build, 6))


def draw_mineral(person: Person, rng: np.random.Generator) -> Mineral:
    """Bone that thins with age, in women more."""
    loss = 0.0012 * (person.age - 30) * (1.25 if person.sex == "F" else 0.8)
    cancellous = float(np.clip(0.215 - loss + 0.022 * rng.standard_normal(), 0.085, 0.26))
    return Mineral(0.6 + 0.9 * cancellous, 0.65 + 0.9 * cancellous, cancellous)


def draw_worn_spine(person: Person, variant: Variant, rng: np.random.Generator) -> WornSpine:
    """A lumbar spine that is as worn as its age suggests."""
    states = draw_states(fitted(), person.age, levels_of(variant), DegenerationSettings(), rng)
    wearing = {level: SegmentChange(state.height, state.slip) for level, state in states.items()}
    return WornSpine(draw_spine(person, variant, wearing, rng), states, draw_mineral(person, rng))


def lumbar_patient(worn: WornSpine, bodies: dict[str, BodySolid], metal: Metal, rng: np.random.Generator) -> Patient:
    """Bones, soft tissue and metal."""
    spine, mineral = worn.spine, worn.mineral
    trunk = lumbar_trunk(spine, rng)
    chest = Chest(0.97 * trunk.wall.width[-1], 0.93 * trunk.wall.depth[-1], 0.0, float(rng.uniform(0.85, 1.2)))
    solids, tubes = bones_of(spine, bodies, chest, mineral, rng)
    if spine.patient.age > 50 and rng.random() < 0.45:
        line = [
            bone.frame.at(-6, bone.half_depth + 11, 0)
            for bone in spine.vertebrae
            if bone.name in ("L4", "L3", "L2", "L1")
        ]
        tubes = (*tubes, *calcified_vessel(line, 8.0, rng))
    grain = float(rng.uniform(0.06, 0.12))
    return Patient(spine, (*solids, *sacrum(spine, mineral)), tubes, wings(spine, mineral, rng), trunk, metal, grain)


def aimed_at(spine: Spine, name: str, ahead: float, rng: np.random.Generator) -> Vector:
    """A point before a vertebra, halfway to the midline, as a radiographer would centre on it."""
    x, y, z = rng.normal(0, 5, 3)
    at = spine.bone(name).frame.center
    return round(0.5 * at[0] + float(x), 6), round(at[1] + ahead + float(y), 6), round(at[2] + 1.5 * float(z), 6)


@dataclass(frozen=True, slots=True)
class InstrumentedPatient:
    """A patient after instrumentation of one segment: what is projected, where the metal is, and its screws."""

    patient: Patient
    metal: Metal
    level: str
    screws: tuple[Screw, ...]


_LEVELS = (("L4/L5", 0.5), ("L5/S1", 0.27), ("L3/L4", 0.16), ("L2/L3", 0.07))


def draw_instrumented(system: System, fat: float, rng: np.random.Generator) -> InstrumentedPatient:
    """A patient whose segment is fixed with screws of that system; nothing else depends on the system."""
    person = draw_person((38, 82), fat, rng)
    variant = replace(draw_variant(rng), sacralised=False, extra=False)
    worn = draw_worn_spine(person, variant, rng)
    level = _LEVELS[int(rng.choice(len(_LEVELS), p=[share for _, share in _LEVELS]))][0]
    upper, lower = (worn.spine.bone(name) for name in level.split("/"))
    metal, screws = _fixation(lower, upper, system, rng)
    metal += cage(worn.spine.disc(level), rng)
    return InstrumentedPatient(lumbar_patient(worn, worn.bodies, metal, rng), metal, level, screws)


def _fixation(
    lower: Vertebra, upper: Vertebra, system: System, rng: np.random.Generator
) -> tuple[Metal, tuple[Screw, ...]]:
    """Screws and rods on both sides, seldom on one; and the screws alone."""
    sides = (-1.0, 1.0) if rng.random() > 0.06 else ((1.0,) if rng.random() < 0.5 else (-1.0,))
    parts: Metal = ()
    held: tuple[Screw, ...] = ()
    middles = []
    for side in sides:
        screws = tuple(pedicle_screw(bone, side, rng) for bone in (lower, upper))
        held += screws
        parts += construct(screws, system, rng)
        low, high = (screw.at(-system.tulip[1] / 2) for screw in screws)
        middles.append(tuple(round((a + b) / 2, 6) for a, b in zip(low, high, strict=True)))
    if len(middles) == 2 and rng.random() < 0.15:
        first, second = ((m[0], m[1], m[2]) for m in middles)
        parts += cross_link(first, second, 4.0)
    return parts, held
