"""A patient for cervical MRI, from a seed."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from spinedet.simulation.anatomy.bones import ArchPiece, Body, Marrow, marrow_of
from spinedet.simulation.anatomy.canal import Canal
from spinedet.simulation.anatomy.cervical import LEVELS, draw_spine
from spinedet.simulation.anatomy.cervical_soft_tissue import draw_neck
from spinedet.simulation.anatomy.degeneration import DegenerationSettings, DiscState, Plate, draw_states
from spinedet.simulation.anatomy.discs import PaintedDisc
from spinedet.simulation.anatomy.foramina import Foramen
from spinedet.simulation.anatomy.patient import Part, Scene
from spinedet.simulation.anatomy.spinal_cord import draw_canal
from spinedet.simulation.anatomy.spine import Patient, SegmentChange, Spine, Vertebra
from spinedet.simulation.painting.texture import draw_texture
from spinedet.simulation.prevalence import fitted

# Cervical discs and herniations are about half as large as lumbar ones.
SIZE = 0.55


def draw_cervical(wear: DegenerationSettings, rng: np.random.Generator) -> Scene:
    """A patient from a stream of random numbers."""
    sex = "F" if rng.random() < 0.58 else "M"
    scale = (0.95 if sex == "F" else 1.05) * (1 + 0.035 * rng.standard_normal())
    fat = float(np.clip(rng.gamma(3.2, 5.5), 4, 50))
    patient = Patient(
        sex,
        fitted().draw_age(rng),
        round(float(np.clip(scale, 0.85, 1.17)), 6),
        round(fat, 6),
    )
    worn = draw_states(fitted(), patient.age, LEVELS, wear, rng)
    states = {level: replace(state.scaled(SIZE), darkness=0.75 * state.darkness) for level, state in worn.items()}
    spine = draw_spine(patient, {level: SegmentChange(s.height, s.slip) for level, s in states.items()}, rng)
    marrow = Marrow(
        marrow_of(patient.age, rng.standard_normal() - 1.4),
        draw_texture(0.9, (0.9, 0.9, 1.3), rng),
        rng.uniform(0.04, 0.14),
    )
    canal = draw_canal(spine, states, rng)
    hollow = float(rng.uniform(0.3, 0.9))
    first, second, third = (draw_texture(1.1, (4.0, 4.0, 4.0), rng) for _ in range(3))
    return Scene(
        spine=spine,
        states=states,
        shapes=(first, second, third),
        around=draw_neck(spine, rng),
        under=_arches(spine, canal, states, marrow),
        canal=canal,
        pads=tuple(
            PaintedDisc(
                disc,
                states[disc.level],
                hollow * states[disc.level].height,
                marrow.grain,
            )
            for disc in spine.discs
        ),
        over=(
            *(_body(bone, states, marrow, hollow) for bone in spine.vertebrae),
            *_atlas(spine.bone("C2"), marrow),
        ),
    )


def _body(bone: Vertebra, states: dict[str, DiscState], marrow: Marrow, hollow: float) -> Body:
    below = next(
        (state for level, state in states.items() if level.startswith(f"{bone.name}/")),
        None,
    )
    above = next(
        (state for level, state in states.items() if level.endswith(f"/{bone.name}")),
        None,
    )
    return Body(
        bone,
        marrow,
        hollow,
        (below.lips if below else 0.0, above.lips if above else 0.0),
        below.upper if below else Plate(),
        above.lower if above else Plate(),
    )


def _atlas(axis: Vertebra, marrow: Marrow) -> tuple[ArchPiece, ...]:
    """The dens of C2 and the ring of C1 around it."""
    k, at, up = axis.half_depth / 7.7, axis.frame.moved, axis.height / 2
    dens = at(0, 1.0 * k, up + 7 * k).pitched(-0.1)
    pieces = [
        ArchPiece(dens, (4.8 * k, 4.9 * k, 10.5 * k), 4.6 * k, marrow, warp=0.5),
        ArchPiece(
            at(0, 9.5 * k, up + 9 * k),
            (9 * k, 2.8 * k, 5.5 * k),
            2.6 * k,
            marrow,
            warp=0.5,
        ),
        ArchPiece(
            at(0, -27 * k, up + 8 * k),
            (14 * k, 3.2 * k, 4.5 * k),
            3.0 * k,
            marrow,
            warp=0.8,
        ),
    ]
    for side in (-1.0, 1.0):
        pieces.append(
            ArchPiece(
                at(side * 16 * k, -1 * k, up + 7 * k),
                (7 * k, 8 * k, 8 * k),
                None,
                marrow,
            )
        )
    return tuple(pieces)


def _arches(spine: Spine, canal: Canal, states: dict[str, DiscState], marrow: Marrow) -> tuple[Part, ...]:
    parts: list[Part] = []
    for bone in spine.vertebrae:
        depth = float(np.interp(bone.frame.center[2], spine.curve.z, canal.depth))
        below = next(
            (disc for disc in spine.discs if disc.level.startswith(f"{bone.name}/")),
            None,
        )
        facets = states[below.level].facets if below else (0.0, 0.0)
        parts += _arch(bone, depth, facets, marrow)
        if below:
            parts += [Foramen(bone, below.height, side, extra) for side, extra in zip((-1.0, 1.0), facets, strict=True)]
    return tuple(parts)


# Length and downward slope of the spinous process, mm and rad.
_SPINOUS = {
    "C2": (13.0, 0.3),
    "C3": (9.0, 0.35),
    "C4": (9.0, 0.35),
    "C5": (10.5, 0.35),
    "C6": (14.0, 0.4),
}


def _arch(bone: Vertebra, canal_depth: float, overgrowth: tuple[float, float], marrow: Marrow) -> list[ArchPiece]:
    """Pedicles, articular pillars, laminae and the slender spinous process."""
    k = bone.half_depth / 8.0
    rear = -(bone.half_depth + canal_depth)
    half, slope = _SPINOUS.get(bone.name, (16.5, 0.5))
    at = bone.frame.moved
    spinous = at(0, rear - 2.5 * k - half * k, -3 * k - 0.5 * half * slope).pitched(slope)
    pieces = [ArchPiece(spinous, (2.4 * k, half * k, 4.6 * k), 2.2 * k, marrow, cortex=0.7, warp=0.8)]
    for side, extra in zip((-1.0, 1.0), overgrowth, strict=True):
        swell = 1 + 0.4 * extra
        pillar = at(side * 19.5 * k, -bone.half_depth - 6.5 * k, -1.5 * k).pitched(0.6)
        lamina = at(side * 8.5 * k, rear - 0.5 * k, -2 * k).turned(-side * 0.5)
        pedicle = at(side * 13 * k, -bone.half_depth - 1.5 * k, 1.5 * k).turned(side * 0.6)
        pieces += [
            ArchPiece(
                pedicle,
                (3.6 * k, 4.5 * k, 3.4 * k),
                2.5 * k,
                marrow,
                cortex=0.7,
                warp=0.5,
            ),
            ArchPiece(
                pillar,
                (7.5 * k * swell, 5.6 * k * swell, 8.5 * k),
                3.0 * k,
                marrow,
                cortex=0.7,
                warp=0.6,
            ),
            ArchPiece(
                lamina,
                (8.5 * k, 2.1 * k, 6.2 * k),
                1.8 * k,
                marrow,
                cortex=0.7,
                warp=0.5,
            ),
            ArchPiece(
                at(side * 17.5 * k, 0, 0),
                (5.0 * k, 2.2 * k, 2.8 * k),
                1.8 * k,
                marrow,
                cortex=0.7,
                warp=0.5,
            ),
        ]
    return pieces
