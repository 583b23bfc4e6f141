"""A patient's bones and soft tissue as they are projected."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from spinedet.simulation.anatomy.spine import Frame, Spine, Vertebra
from spinedet.simulation.radiograph.beam import Beam, Field
from spinedet.simulation.radiograph.chords import Ellipsoid
from spinedet.simulation.radiograph.exposure import blurred
from spinedet.simulation.radiograph.pelvis import IliacWing, iliac_wing
from spinedet.simulation.radiograph.projector import Material, Shadow, Solid, Tube
from spinedet.simulation.radiograph.trunk import Trunk
from spinedet.simulation.radiograph.tubes import Chest, ribs, transverse_processes
from spinedet.simulation.radiograph.vertebrae import ArchShape, ArchSolid, BodySolid, Mineral, SacralSolid

BONE_STEP, METAL_STEP = 2.6, 0.8


@dataclass(frozen=True, slots=True, eq=False)
class Patient:
    """Everything between source and detector.

    Attributes:
        spine: its measures.
        solids, tubes, wings: bones.
        trunk: soft tissue.
        shells: round bones: their surface, thickness of the cortex in mm, share of bone inside.
        metal: implants, as solids and tubes.
        grain: contrast of the trabeculae, share of the bone's thickness.
        mottle: contrast of vessels, stool and clothing, mm of tissue.
    """

    spine: Spine
    solids: tuple[Solid, ...]
    tubes: tuple[Tube, ...]
    wings: tuple[IliacWing, ...]
    trunk: Trunk
    metal: tuple[Solid | Tube, ...] = ()
    grain: float = 0.12
    mottle: float = 3.0
    shells: tuple[tuple[Ellipsoid, float, float], ...] = ()


def project(patient: Patient, beam: Beam, rng: np.random.Generator) -> Field:
    """(materials, rows, columns): path lengths in mm."""
    shadow = Shadow(beam)
    shadow.add_lengths(Material.SOFT, patient.trunk.lengths(beam))
    for loop in patient.trunk.bowel:
        shadow.add_tube(loop)
    for solid in patient.solids:
        shadow.add_solid(solid, BONE_STEP)
    for tube in patient.tubes:
        shadow.add_tube(tube)
    for surface, wall, inside in patient.shells:
        shadow.add_lengths(Material.BONE, _shell_lengths(surface, wall, inside, beam))
    for wing in patient.wings:
        shadow.add_lengths(Material.BONE, wing.lengths(beam))
    lengths = shadow.lengths
    body = np.minimum(lengths[Material.SOFT] * np.float32(0.02), 1)
    lengths[Material.SOFT] += np.float32(patient.mottle) * body * _mottling(beam, rng)
    lengths[Material.BONE] *= 1 + np.float32(patient.grain) * _trabeculae(beam, rng)
    if patient.metal:
        lengths += _metal(patient.metal, beam)
    return lengths


def _shell_lengths(surface: Ellipsoid, wall: float, inside: float, beam: Beam) -> Field:
    """mm of solid bone in a round bone."""
    a, b, c = surface.half
    core = Ellipsoid(surface.frame, (a - wall, b - wall, c - wall)).interval(beam).length
    share = np.float32(0.75)
    return share * surface.interval(beam).length + (np.float32(inside) - share) * core


def _metal(parts: tuple[Solid | Tube, ...], beam: Beam) -> Field:
    """The same, at half the pixels and much finer along the rays."""
    shadow = Shadow(beam.finer(2))
    for part in parts:
        if isinstance(part, Tube):
            shadow.add_tube(part)
        else:
            shadow.add_solid(part, METAL_STEP)
    fine = shadow.lengths
    return (fine[:, ::2, ::2] + fine[:, 1::2, ::2] + fine[:, ::2, 1::2] + fine[:, 1::2, 1::2]) * np.float32(0.25)


def smooth_noise(shape: tuple[int, int], reach: int, rng: np.random.Generator) -> Field:
    """Noise of mean 0 and deviation about 1, smoothed over about `reach` pixels."""
    length = max(2 * (reach // 3) + 1, 1)
    noise = blurred(rng.standard_normal(shape, np.float32), reach)
    # Three running means of n samples leave about .55 / n of the variance along one axis (n = 1: all of it).
    left = 1.0 if length == 1 else 0.55 / length
    return noise * np.float32(1 / left)


def _mottling(beam: Beam, rng: np.random.Generator) -> Field:
    """Overlapping vessels, folds and stool: noise of several sizes."""
    total: Field = np.zeros(beam.shape, np.float32)
    for millimetres, share in ((26.0, 0.7), (11.0, 0.5), (5.0, 0.35), (2.5, 0.22)):
        total += np.float32(share) * smooth_noise(beam.shape, max(int(millimetres / beam.pixel), 1), rng)
    return total


def _trabeculae(beam: Beam, rng: np.random.Generator) -> Field:
    """Fine noise, stretched upright as the trabeculae that carry the body."""
    fine = rng.standard_normal(beam.shape, np.float32)
    upright = fine.copy()
    upright[1:-1] = (fine[:-2] + 2 * fine[1:-1] + fine[2:]) * np.float32(0.41)
    return upright + np.float32(0.8) * smooth_noise(beam.shape, max(int(3 / beam.pixel), 3), rng)


_WINGS = {"S1": (54.0, 47.0, 13.0), "S2": (47.0, 37.0, 10.0), "S3": (37.0, 27.0, 8.0), "S4": (27.0, 19.0, 6.0)}


def sacrum(spine: Spine, mineral: Mineral) -> tuple[Solid, ...]:
    """The segments of the sacrum."""
    k = spine.patient.scale
    return tuple(
        SacralSolid(bone, top * k, bottom * k, wing * k, mineral, name == "S1")
        for name, (top, bottom, wing) in _WINGS.items()
        for bone in [spine.bone(name)]
    )


def arch_shape(bone: Vertebra) -> ArchShape:
    """Lumbar arches end in a broad hatchet, thoracic ones in a long point that falls steeply."""
    match bone.name:
        case "L5" | "L6":
            return ArchShape(spinous=(10.5, 8.0, 0.2), pedicle=(7.5, 6.8))
        case "L4":
            return ArchShape(spinous=(14.0, 11.0, 0.12), pedicle=(5.8, 7.0))
        case name if name.startswith("L"):
            return ArchShape()
        case "T11" | "T12":
            return ArchShape(spinous=(13.0, 9.0, 0.3), pedicle=(4.4, 8.0), facet=0.85)
        case name if name.startswith("C"):
            return ArchShape(spinous=(13.0, 5.0, 0.35), pedicle=(4.5, 5.0), facet=1.0)
    return ArchShape(spinous=(17.0, 5.5, 0.75), pedicle=(3.6, 7.5), facet=0.8)


def bones_of(
    spine: Spine, bodies: dict[str, BodySolid], chest: Chest, mineral: Mineral, rng: np.random.Generator
) -> tuple[tuple[Solid, ...], tuple[Tube, ...]]:
    """Solids and tubes of the free vertebrae and the ribs."""
    solids: list[Solid] = []
    tubes: list[Tube] = []
    for bone in spine.vertebrae:
        if bone.sacral:
            continue
        solids += [bodies[bone.name], ArchSolid(bone, arch_shape(bone), mineral)]
        tubes += transverse_processes(bone, mineral, 15.0, rng)
        spread = (float(rng.normal(0, 0.04)), float(rng.normal(0, 0.04)))
        tubes += ribs(bone, chest, mineral, spine.patient.scale, spread)
    return tuple(solids), tuple(tubes)


def wings(spine: Spine, mineral: Mineral, rng: np.random.Generator) -> tuple[IliacWing, ...]:
    """Both iliac wings."""
    flare = float(rng.normal(0, 3))
    frame: Frame = spine.bone("S1").frame
    top = frame.moved(0, 0, spine.bone("S1").height / 2)
    return tuple(iliac_wing(top, side, spine.patient.scale, flare, mineral) for side in (-1.0, 1.0))
