"""A patient for lumbar MRI, from a seed: demographics, degeneration, variants and mimics."""

from __future__ import annotations

import numpy as np

from spinedet.simulation.anatomy.bones import Body, Marrow, arch, marrow_of, wings
from spinedet.simulation.anatomy.canal import Canal
from spinedet.simulation.anatomy.cauda_equina import draw_canal
from spinedet.simulation.anatomy.degeneration import DegenerationSettings, DiscState, Plate, draw_states
from spinedet.simulation.anatomy.discs import PaintedDisc
from spinedet.simulation.anatomy.foramina import Foramen
from spinedet.simulation.anatomy.lumbar import TRANSITIONAL, draw_spine, draw_variant, levels_of
from spinedet.simulation.anatomy.lumbar_soft_tissue import draw_trunk
from spinedet.simulation.anatomy.mimics import draw_cysts
from spinedet.simulation.anatomy.patient import Part, Scene
from spinedet.simulation.anatomy.spine import Disc, Patient, SegmentChange, Spine, Vertebra
from spinedet.simulation.painting.texture import draw_texture
from spinedet.simulation.prevalence import Findings, fitted


def draw_patient(rng: np.random.Generator) -> Patient:
    """Sex, age, stature and build of an adult who is sent to lumbar MRI; 62 % of SPIDER's are women."""
    sex = "F" if rng.random() < 0.62 else "M"
    age = fitted().draw_age(rng)
    scale = (0.95 if sex == "F" else 1.04) * (1 + 0.035 * rng.standard_normal())
    fat = float(np.clip(rng.gamma(3.2, 6.0 if sex == "F" else 4.6), 4, 55))
    return Patient(sex, age, round(float(np.clip(scale, 0.84, 1.16)), 6), round(fat, 6))


def draw_lumbar(wear: DegenerationSettings, rng: np.random.Generator, transitional: float = TRANSITIONAL) -> Scene:
    """A patient from a stream of random numbers; `transitional` is the share of patients with such a vertebra."""
    patient, variant = draw_patient(rng), draw_variant(rng, transitional)
    states = draw_states(fitted(), patient.age, levels_of(variant), wear, rng)
    wearing = {level: SegmentChange(state.height, state.slip) for level, state in states.items()}
    spine = draw_spine(patient, variant, wearing, rng)
    marrow = Marrow(
        marrow_of(patient.age, rng.standard_normal()),
        draw_texture(0.9, (0.9, 0.9, 1.3), rng),
        rng.uniform(0.05, 0.2),
    )
    canal = draw_canal(spine, states, rng)
    hollow = float(rng.uniform(0.8, 2.2))
    bodies = tuple(_body(bone, states, marrow, hollow, rng) for bone in spine.vertebrae)
    first, second, third = (draw_texture(1.1, (5.0, 5.0, 5.0), rng) for _ in range(3))
    return Scene(
        spine=spine,
        states=states,
        shapes=(first, second, third),
        around=draw_trunk(spine, rng),
        under=_arches(spine, canal, states, marrow),
        canal=canal,
        pads=tuple(_pad(disc, states, hollow, marrow) for disc in spine.discs),
        over=(*bodies, *draw_cysts(spine, rng)),
    )


# A rudiment of a disc between fused vertebrae.
_STUB = DiscState(Findings(3), darkness=0.7, distinct=0.5)


def _pad(disc: Disc, states: dict[str, DiscState], hollow: float, marrow: Marrow) -> PaintedDisc:
    state = _STUB if disc.stub else states[disc.level]
    return PaintedDisc(disc, state, 0.2 if disc.stub else hollow * min(state.height, 1.0), marrow.grain)


def _body(
    bone: Vertebra,
    states: dict[str, DiscState],
    marrow: Marrow,
    hollow: float,
    rng: np.random.Generator,
) -> Body:
    """A body between its two discs; about one spine in ten holds a haemangioma (Slon et al., JCAT 2015)."""
    below = next(
        (state for level, state in states.items() if level.startswith(f"{bone.name}/")),
        None,
    )
    above = next(
        (state for level, state in states.items() if level.endswith(f"/{bone.name}")),
        None,
    )
    clot = rng.uniform(4.0, 8.5) if not bone.sacral and rng.random() < 0.02 else 0.0
    return Body(
        bone,
        marrow,
        0.15 * hollow if bone.sacral else hollow,
        (below.lips if below else 0.0, above.lips if above else 0.0),
        below.upper if below else Plate(),
        above.lower if above else Plate(),
        clot,
    )


def _arches(spine: Spine, canal: Canal, states: dict[str, DiscState], marrow: Marrow) -> tuple[Part, ...]:
    parts: list[Part] = []
    for bone in spine.vertebrae:
        below = next(
            (disc for disc in spine.discs if disc.level.startswith(f"{bone.name}/")),
            None,
        )
        if bone.sacral or below is None or below.stub:
            parts += wings(bone, marrow)
        if bone.sacral or below is None:
            continue
        facets = states[below.level].facets if below.level in states else (0.0, 0.0)
        depth = float(np.interp(bone.frame.center[2], spine.curve.z, canal.depth))
        parts += arch(bone, depth, facets, marrow)
        parts += [Foramen(bone, below.height, side, extra) for side, extra in zip((-1.0, 1.0), facets, strict=True)]
    return tuple(parts)
