"""A patient ready to be scanned: all parts in the order in which they are painted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from spinedet.simulation.anatomy import Spine, draw_patient, draw_spine
from spinedet.simulation.bones import Body, arch, marrow_of, wings
from spinedet.simulation.canal import Canal, draw_canal
from spinedet.simulation.canvas import Canvas
from spinedet.simulation.degeneration import DiscState, Wear, draw_states
from spinedet.simulation.discs import Pad
from spinedet.simulation.foramina import Foramen
from spinedet.simulation.lane import lane_of
from spinedet.simulation.texture import Texture, draw_texture
from spinedet.simulation.tissue import Tissue
from spinedet.simulation.trunk import Trunk, draw_trunk


class Part(Protocol):
    """Anything that can be painted."""

    def paint(self, canvas: Canvas) -> None:
        """Paint what the canvas's plane cuts."""


@dataclass(frozen=True, slots=True, eq=False)
class Scene:
    """One patient: what lies behind the painting and the truth about the discs."""

    spine: Spine
    states: dict[str, DiscState]
    trunk: Trunk
    canal: Canal
    arches: tuple[Part, ...]
    pads: tuple[Pad, ...]
    bodies: tuple[Part, ...]

    def paint_trunk(self, canvas: Canvas) -> None:
        """Paint what lies around the spine."""
        self.trunk.paint(canvas, lane_of(canvas, canvas.whole, self.spine.curve))

    def paint_spine(self, canvas: Canvas) -> None:
        """Paint bones, canal and discs over the trunk."""
        lane = lane_of(canvas, canvas.whole, self.spine.curve)
        for part in self.arches:
            part.paint(canvas)
        self.canal.paint(canvas, lane)
        for part in (*self.pads, *self.bodies):
            part.paint(canvas)


def draw_scene(wear: Wear, rng: np.random.Generator) -> Scene:
    """A patient from a stream of random numbers."""
    patient = draw_patient(rng)
    states = draw_states(patient, wear, rng)
    spine = draw_spine(patient, {level: state.height for level, state in states.items()}, rng)
    trunk, canal = draw_trunk(spine, rng), draw_canal(spine, states, rng)
    marrow = marrow_of(patient.age, rng.standard_normal())
    grain = draw_texture(0.9, (0.9, 0.9, 1.4), rng)
    mottling = float(rng.uniform(0.06, 0.2))
    hollow = float(rng.uniform(0.8, 2.0))
    return Scene(
        spine=spine,
        states=states,
        trunk=trunk,
        canal=canal,
        arches=_arches(spine, canal, states, marrow),
        pads=tuple(Pad(disc, states[disc.level], hollow, grain) for disc in spine.discs),
        bodies=_bodies(spine, states, marrow, (grain, mottling, hollow)),
    )


def _arches(spine: Spine, canal: Canal, states: dict[str, DiscState], marrow: Tissue) -> tuple[Part, ...]:
    below = {disc.level.partition("/")[0]: disc for disc in spine.discs}
    parts: list[Part] = []
    for bone in spine.vertebrae:
        if bone.sacral:
            parts += wings(bone, marrow)
            continue
        disc = below[bone.name]
        overgrowth = 0.5 * states[disc.level].stenosis
        depth = float(np.interp(bone.frame.center[2], spine.curve.z, canal.depth))
        parts += arch(bone, depth, overgrowth, marrow)
        parts += [Foramen(bone, disc.height, side, overgrowth) for side in (-1.0, 1.0)]
    return tuple(parts)


def _bodies(
    spine: Spine, states: dict[str, DiscState], marrow: Tissue, look: tuple[Texture, float, float]
) -> tuple[Part, ...]:
    grain, mottling, hollow = look
    lips = {disc.level.partition("/")[0]: _lips(states[disc.level]) for disc in spine.discs}
    return tuple(
        Body(
            bone,
            marrow,
            grain,
            mottling,
            0.15 * hollow if bone.sacral else hollow,
            lips.get(bone.name, 0.0),
        )
        for bone in spine.vertebrae
    )


def _lips(state: DiscState) -> float:
    """Osteophytes beside a worn disc, mm."""
    return 1.4 * max(state.grade - 3, 0)
