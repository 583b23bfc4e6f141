"""Hospitals: distributions over protocols, scanners, patients and annotation habits."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np

from spinedet.core.anatomy import Plane
from spinedet.core.geometry import Grid
from spinedet.simulation.anatomy import Array, Spine
from spinedet.simulation.degeneration import Wear
from spinedet.simulation.scanner import Scan
from spinedet.simulation.tissue import Sequence

Range: TypeAlias = tuple[float, float]


@dataclass
class StackConfig:
    """Ranges from which a series' geometry is drawn.

    Attributes:
        pixel: stored pixel, mm.
        field_of_view: mm.
        slices: how many.
        pitch: from slice to slice, mm.
        gap: share of the pitch between slices that is not excited.
        acquired: acquired pixel relative to the stored one, along rows and along columns.
    """

    pixel: Range = (0.55, 0.7)
    field_of_view: Range = (280.0, 280.0)
    slices: tuple[int, int] = (15, 15)
    pitch: Range = (4.0, 4.4)
    gap: Range = (0.08, 0.12)
    acquired: Range = (1.15, 1.5)


def _axial() -> StackConfig:
    return StackConfig(pixel=(0.55, 0.7), field_of_view=(180.0, 200.0), slices=(22, 25), pitch=(4.0, 4.5))


@dataclass
class CenterConfig:
    """One hospital.

    Attributes:
        name: as it appears in study ids.
        vendor: scanner maker written to the manifest.
        field_tesla: field strengths in use, one drawn per patient.
        tr_ms, te_ms: ranges of repetition and echo times.
        noise: noise deviation relative to CSF.
        coil_depth: where the coil's sensitivity has halved, mm.
        levelling: how far the scanner evens that out, 0 to 1.
        band: signal left by the anterior saturation band.
        fat_shift: chemical shift, mm.
        bias: depth of the remaining unevenness.
        white: stored value of CSF.
        healthy, shift, dark, equivocal, clear, faintest: see `degeneration.Wear`.
        margin: by how much the readers draw boxes too large, mm.
    """

    name: str = "A"
    vendor: str = "phantom"
    field_tesla: list[float] = field(default_factory=lambda: [1.5])
    tr_ms: Range = (3000.0, 4200.0)
    te_ms: Range = (95.0, 115.0)
    noise: Range = (0.010, 0.02)
    coil_depth: Range = (110.0, 150.0)
    levelling: Range = (0.3, 0.6)
    band: Range = (0.15, 0.5)
    fat_shift: Range = (0.3, 0.9)
    bias: Range = (0.05, 0.15)
    white: Range = (700.0, 1100.0)
    healthy: float = 0.22
    shift: float = 0.0
    dark: float = 0.05
    equivocal: float = 0.06
    clear: float = 0.0
    faintest: float = 1.4
    margin: float = 0.0
    sagittal: StackConfig = field(default_factory=StackConfig)
    axial: StackConfig = field(default_factory=_axial)

    @property
    def wear(self) -> Wear:
        """How worn this hospital's patients are."""
        return Wear(self.healthy, self.shift, self.dark, self.equivocal, self.clear, self.faintest)


def _center_a() -> CenterConfig:
    return CenterConfig()


def _center_b() -> CenterConfig:
    return CenterConfig(
        name="B",
        field_tesla=[3.0],
        tr_ms=(2600.0, 3400.0),
        te_ms=(78.0, 92.0),
        noise=(0.025, 0.045),
        coil_depth=(70.0, 95.0),
        levelling=(0.0, 0.25),
        band=(0.4, 1.0),
        bias=(0.2, 0.4),
        white=(350.0, 550.0),
        sagittal=StackConfig(pixel=(0.65, 0.8), pitch=(3.6, 4.0), acquired=(1.4, 1.8)),
        axial=StackConfig(
            pixel=(0.65, 0.8), field_of_view=(200.0, 220.0), slices=(22, 25), pitch=(4.0, 4.5), acquired=(1.4, 1.8)
        ),
    )


def _center_c() -> CenterConfig:
    return CenterConfig(
        name="C",
        field_tesla=[1.5],
        tr_ms=(3600.0, 5200.0),
        te_ms=(118.0, 135.0),
        noise=(0.02, 0.05),
        coil_depth=(150.0, 220.0),
        levelling=(0.7, 0.95),
        band=(0.08, 0.2),
        fat_shift=(0.8, 1.6),
        bias=(0.1, 0.3),
        white=(1300.0, 2200.0),
        sagittal=StackConfig(pixel=(0.75, 0.9), field_of_view=(300.0, 320.0), pitch=(4.4, 4.8), acquired=(1.5, 2.0)),
        axial=StackConfig(
            pixel=(0.75, 0.9), field_of_view=(180.0, 200.0), slices=(20, 24), pitch=(4.5, 5.0), acquired=(1.5, 2.0)
        ),
    )


CENTERS: dict[str, CenterConfig] = {center.name: center for center in (_center_a(), _center_b(), _center_c())}


@dataclass(frozen=True, slots=True)
class Stack:
    """One series to acquire: its name, plane, voxel grid and scanner settings."""

    id: str
    plane: Plane
    grid: Grid
    scan: Scan


def draw_protocol(
    center: CenterConfig, spine: Spine, coarseness: float, rng: np.random.Generator
) -> tuple[Stack, Stack]:
    """The sagittal and the axial series of one visit; `coarseness` multiplies the stored pixels."""
    sequence = Sequence(
        float(center.field_tesla[int(rng.integers(len(center.field_tesla)))]),
        round(_draw(center.tr_ms, rng), 1),
        round(_draw(center.te_ms, rng), 1),
    )
    stacks = []
    for name, plane, config in (("sag", Plane.SAGITTAL, center.sagittal), ("ax", Plane.AXIAL, center.axial)):
        pixel = _draw(config.pixel, rng) * coarseness
        pitch = round(_draw(config.pitch, rng), 2)
        pixels = round(_draw(config.field_of_view, rng) / pixel / 16) * 16
        slices = int(rng.integers(config.slices[0], config.slices[1] + 1))
        grid = _grid(plane, spine, (pixels, slices), (round(pixel, 4), pitch), rng)
        scan = _scan(center, config, sequence, (pixel, pitch), rng)
        stacks.append(Stack(name, plane, grid, scan))
    return stacks[0], stacks[1]


def _draw(limits: Range, rng: np.random.Generator) -> float:
    return float(rng.uniform(limits[0], limits[1]))


def _scan(
    center: CenterConfig, config: StackConfig, sequence: Sequence, spacing: Range, rng: np.random.Generator
) -> Scan:
    pixel, pitch = spacing
    rows, columns = _draw(config.acquired, rng), _draw(config.acquired, rng)
    return Scan(
        sequence=sequence,
        thickness=pitch * (1 - _draw(config.gap, rng)),
        resolution=(pixel * rows, pixel * columns),
        noise=_draw(center.noise, rng),
        coil_depth=_draw(center.coil_depth, rng),
        levelling=_draw(center.levelling, rng),
        band=_draw(center.band, rng),
        band_start=_draw((40.0, 62.0), rng),
        fat_shift=_draw(center.fat_shift, rng) / pixel,
        bias=_draw(center.bias, rng),
        bias_phase=(_draw((0, 2), rng), _draw((0, 2), rng), _draw((0, 2), rng)),
        white=_draw(center.white, rng),
    )


def _grid(plane: Plane, spine: Spine, counts: tuple[int, int], spacing: Range, rng: np.random.Generator) -> Grid:
    """Voxels of a stack: sagittal ones centred on L3, axial ones on the lowest discs and tilted with them."""
    pixels, slices = counts
    pixel, pitch = spacing
    if plane is Plane.SAGITTAL:
        middle = np.asarray(spine.disc("L3/L4").frame.center) + np.array(
            [rng.normal(0, 1.5), rng.normal(12, 5), rng.normal(4, 8)]
        )
        steps = np.array([[0, 0, pitch], [-pixel, 0, 0], [0, pixel, 0]])
        return _centred(middle, steps, (pixels, pixels, slices))
    tilt = round(math.radians(float(np.clip(rng.normal(4, 5), -8, 16))), 6)
    c, s = math.cos(tilt), math.sin(tilt)
    lowest = np.asarray(spine.bone("S1").frame.at(0, 0, 16))
    up = np.array([0.0, s, c])
    middle = (
        lowest
        + up * (slices * pitch / 2 - rng.uniform(10, 18))
        + np.array([rng.normal(0, 2), -18 + rng.normal(0, 5), 0])
    )
    steps = np.array([[-pixel, 0, 0], [0, pixel * c, pitch * s], [0, -pixel * s, pitch * c]])
    return _centred(middle, steps, (pixels, pixels, slices))


def _centred(middle: Array, steps: Array, shape: tuple[int, int, int]) -> Grid:
    """A grid whose block has its middle at a point; columns of `steps` are the voxel steps."""
    affine = np.eye(4)
    affine[:3, :3] = steps
    half = [(n - 1) / 2 for n in shape]
    affine[:3, 3] = [m - sum(steps[r][c] * half[c] for c in range(3)) for r, m in enumerate(middle.tolist())]
    return Grid(shape, affine.astype(np.float32).astype(np.float64))
