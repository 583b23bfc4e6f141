"""One visit's series: where the slices lie and how they are acquired, drawn from a centre's ranges."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache
from importlib import resources

import numpy as np

from spinedet.core.anatomy import Plane
from spinedet.core.errors import InputError
from spinedet.core.geometry import Grid
from spinedet.simulation.anatomy.spine import Frame, Spine, Vector
from spinedet.simulation.centers import CenterConfig, ImagingConfig, Range, StackConfig
from spinedet.simulation.painting.tissue import KINDS
from spinedet.simulation.painting.tissue import Sequence as EchoTrain
from spinedet.simulation.scanner.acquisition import PROFILES, Coil, Scan
from spinedet.simulation.scanner.artefacts import Artefacts

_FAT_HZ_PER_TESLA = 3.4 * 42.577  # fat is 3.4 ppm away from water


@dataclass(frozen=True, slots=True)
class Protocol:
    """Settings that a hospital used, and in how many series of SPIDER; see `benchmarks/generate/take_protocols.py`."""

    vendor: str
    field_tesla: float
    kind: str
    tr_ms: float
    te_ms: float
    bandwidth_hz: float
    thickness: float
    pitch: float
    pixel: float
    series: int


@cache
def protocols() -> tuple[Protocol, ...]:
    """The real protocols that ship with the package."""
    text = resources.files("spinedet.simulation").joinpath("protocols.json").read_text("utf-8")
    return tuple(Protocol(**entry) for entry in json.loads(text))


@dataclass(frozen=True, slots=True)
class Stack:
    """One series to acquire: its name, plane, voxel grid and scanner settings."""

    id: str
    plane: Plane
    grid: Grid
    scan: Scan


@dataclass(frozen=True, slots=True)
class Sampling:
    """How coarse a cohort is drawn: stored pixels are `coarseness` times a hospital's, at most `coarsest` mm.

    `positions` is at how many places through a slice the spine is drawn: 2 average its thickness, 1 is quicker.
    """

    coarseness: float = 1.0
    coarsest: float = 0.95
    positions: int = 2

    def pixel(self, hospital: float) -> float:
        """The stored pixel, mm."""
        return round(max(min(hospital * self.coarseness, self.coarsest), hospital), 4)


def draw_stacks(center: CenterConfig, spine: Spine, sampling: Sampling, rng: np.random.Generator) -> tuple[Stack, ...]:
    """The sagittal and the axial series of one visit; blocks along the discs are one series each."""
    protocol = _choose(center.imaging, rng)
    stacks: list[Stack] = []
    for name, plane, config in (
        ("sag", Plane.SAGITTAL, center.sagittal),
        ("ax", Plane.AXIAL, center.axial),
    ):
        pixel = sampling.pixel(_draw(config.pixel, rng) if config.pixel else protocol.pixel)
        pitch = round(_draw(config.pitch, rng), 2) if config.pitch else protocol.pitch
        size = max(round(_draw(config.field_of_view, rng) / pixel / 16), 4) * 16
        scan = replace(
            _scan(center.imaging, config, protocol, (pixel, pitch), rng), profile=PROFILES[sampling.positions]
        )
        if plane is Plane.SAGITTAL and center.imaging.fat_suppressed:
            scan = replace(scan, sequence=_fat_suppressed(scan.sequence, center.imaging.fat_suppressed, rng))
        grids = list(_grids(plane, spine, config, (size, pixel, pitch), rng))
        names = [name] if len(grids) == 1 else [f"{name}{number}" for number in range(1, len(grids) + 1)]
        stacks += [Stack(label, plane, grid, scan) for label, grid in zip(names, grids, strict=True)]
    return tuple(stacks)


def _choose(imaging: ImagingConfig, rng: np.random.Generator) -> Protocol:
    """One of the real protocols that the centre uses, as often as it was used."""
    wanted = {
        "vendor": imaging.vendor,
        "field_tesla": imaging.field_tesla,
        "kind": imaging.kind,
    }
    fitting = [p for p in protocols() if all(v is None or getattr(p, k) == v for k, v in wanted.items())]
    if not fitting:
        raise InputError(f"no real protocol has {wanted}; set vendor, field_tesla or kind of the centre to null")
    weights = np.cumsum([p.series for p in fitting])
    return fitting[int(np.searchsorted(weights, rng.random() * weights[-1], side="right"))]


def _draw(limits: Range, rng: np.random.Generator) -> float:
    return float(rng.uniform(limits[0], limits[1]))


def _echo_train(protocol: Protocol, imaging: ImagingConfig, rng: np.random.Generator) -> EchoTrain:
    """The contrast of a protocol.

    A 3D train with flip-back (SPACE; Mugler, JMRI 39:745, 2014) recovers as if its TR were longer, shows fat brighter
    and discs darker than a spin echo of its label: the factors reproduce the contrast of SPIDER's SPACE volumes.
    """
    tr, te, fat = (4.0, 1.0, 350.0) if protocol.kind == "3D" else (1.0, 1.0, 150.0)
    tr, te = tr * _draw(imaging.tr_factor, rng), te * _draw(imaging.te_factor, rng)
    return EchoTrain(
        protocol.field_tesla,
        round(protocol.tr_ms * tr, 1),
        round(protocol.te_ms * te, 1),
        fat,
    )


def _fat_suppressed(sequence: EchoTrain, chance: float, rng: np.random.Generator) -> EchoTrain:
    """The sequence with fat suppressed, by STIR as often as by a spectral pulse, whose field is never even."""
    suppressed, stir, left = rng.random() < chance, rng.random() < 0.5, _draw((0.02, 0.2), rng)
    if not suppressed:
        return sequence
    # With less signal left, STIR is read at a shorter echo time.
    return (
        replace(sequence, stir=True, te_ms=round(0.6 * sequence.te_ms, 1))
        if stir
        else replace(sequence, fat_left=round(left, 4))
    )


def _scan(
    imaging: ImagingConfig,
    config: StackConfig,
    protocol: Protocol,
    spacing: Range,
    rng: np.random.Generator,
) -> Scan:
    pixel, pitch = spacing
    phase_axis = 0 if rng.random() < config.swap else 1
    acquired = (
        _draw(config.acquired, rng),
        _draw((config.acquired[0], 1.2 * config.acquired[1]), rng),
    )
    crests = (_draw((0, 2), rng), _draw((0, 2), rng), _draw((0, 2), rng))
    return Scan(
        vendor=protocol.vendor,
        sequence=_echo_train(protocol, imaging, rng),
        tint=_tint(protocol, imaging, rng),
        thickness=round(pitch * min(protocol.thickness / protocol.pitch, 1.0), 4),
        resolution=(pixel * acquired[phase_axis], pixel * acquired[1 - phase_axis]),
        noise=_draw(imaging.noise, rng),
        coil=Coil(
            depth=_draw(imaging.coil_depth, rng),
            levelling=_draw(imaging.levelling, rng),
            band=_draw(imaging.band, rng),
            band_start=_draw(imaging.band_start, rng),
            bias=_draw(imaging.bias, rng),
            crests=crests,
        ),
        marks=_marks(imaging, phase_axis, rng),
        fat_shift=_FAT_HZ_PER_TESLA * protocol.field_tesla / protocol.bandwidth_hz * protocol.pixel / pixel,
        white=_draw(imaging.white, rng),
        gamma=round(_draw(imaging.gamma, rng), 4),
    )


def _tint(protocol: Protocol, imaging: ImagingConfig, rng: np.random.Generator) -> tuple[tuple[str, float], ...]:
    """Log brightness of each kind of tissue beside the spin echo's: by chance, and in discs by magnetisation transfer.

    In SPIDER's SPACE volumes discs of every grade have less than half the brightness that their T2 leaves them.
    """
    transfer = {"nucleus": -0.9, "annulus": -0.7} if protocol.kind == "3D" else {}
    return tuple((kind, round(imaging.tint * rng.standard_normal() + transfer.get(kind, 0.0), 6)) for kind in KINDS)


def _marks(imaging: ImagingConfig, phase_axis: int, rng: np.random.Generator) -> Artefacts:
    return Artefacts(
        phase_axis=phase_axis,
        pulsation=_draw(imaging.pulsation, rng),
        breathing=_draw(imaging.breathing, rng),
        ghost_step=_draw((0.08, 0.45), rng),
        motion=_draw(imaging.motion, rng),
        wrap=_draw((0.03, 0.12), rng) if rng.random() < imaging.wrap else 0.0,
        blur=_draw(imaging.blur, rng),
    )


def _grids(
    plane: Plane,
    spine: Spine,
    config: StackConfig,
    size: tuple[int, float, float],
    rng: np.random.Generator,
) -> Iterator[Grid]:
    """Where the stack's blocks lie: one parallel stack, or one block per disc along it."""
    slices = int(rng.integers(config.slices[0], config.slices[1] + 1))
    first, second = (math.radians(config.oblique) * rng.standard_normal() for _ in range(2))
    aside, ahead, above = (float(v) for v in rng.normal(0, (1.5, 5.0, 7.0)))
    angled = rng.random() < config.angled
    match plane:
        case Plane.SAGITTAL:
            frame = spine.aim.sagittal.turned(first).rolled(second).moved(aside, ahead, above)
            yield _sagittal(frame, size, slices)
        case Plane.AXIAL if angled:
            for disc in spine.aim.blocks:
                block = int(rng.integers(config.block[0], config.block[1] + 1))
                yield _axial(disc.frame.moved(aside, ahead - 18, 0), size, block)
        case Plane.AXIAL:
            frame = spine.aim.axial.pitched(first).rolled(0.5 * second).moved(aside, ahead, 0.5 * above)
            yield _axial(frame.moved(0, 0, (slices - 1) / 2 * size[2]), size, slices)


def _sagittal(frame: Frame, size: tuple[int, float, float], slices: int) -> Grid:
    """Rows run backwards, columns upwards, slices from left to right."""
    backwards = (-frame.anterior[0], -frame.anterior[1], -frame.anterior[2])
    return _centred(frame.center, (backwards, frame.up, frame.right), size, slices)


def _axial(frame: Frame, size: tuple[int, float, float], slices: int) -> Grid:
    """Rows run from right to left, columns forwards, slices upwards."""
    leftwards = (-frame.right[0], -frame.right[1], -frame.right[2])
    return _centred(frame.center, (leftwards, frame.anterior, frame.up), size, slices)


def _centred(
    middle: Vector,
    directions: tuple[Vector, Vector, Vector],
    size: tuple[int, float, float],
    slices: int,
) -> Grid:
    """A grid whose block has its middle at a point."""
    pixels, pixel, pitch = size
    shape, spacing = (pixels, pixels, slices), (pixel, pixel, pitch)
    affine = np.eye(4)
    for axis, (direction, step) in enumerate(zip(directions, spacing, strict=True)):
        affine[:3, axis] = [step * d for d in direction]
    half = [(n - 1) / 2 for n in shape]
    affine[:3, 3] = [m - sum(affine[row, axis] * half[axis] for axis in range(3)) for row, m in enumerate(middle)]
    # As the file stores it, so that boxes are measured on the very grid that a reader of the file sees.
    return Grid(shape, affine.astype(np.float32).astype(np.float64))
