"""Hospitals: distributions over protocols, scanners, patients and annotation habits."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TypeAlias

from spinedet.core.anatomy import Region
from spinedet.simulation.anatomy.degeneration import DegenerationSettings
from spinedet.simulation.annotators import AnnotationHabits

Range: TypeAlias = tuple[float, float]


@dataclass
class StackConfig:
    """Ranges from which a series' geometry is drawn.

    Attributes:
        pixel: stored pixel, mm; null takes the protocol's.
        field_of_view: mm.
        slices: how many.
        pitch: from slice to slice, mm; null takes the protocol's.
        acquired: acquired pixel relative to the stored one, along the readout and along the phase encoding.
        swap: chance that the phase is encoded along the rows instead of the columns.
        oblique: deviation of the stack's tilt and turn, degrees.
        angled: chance that the stack is a block of `block` slices per disc, each parallel to it.
        block: slices of such a block.
    """

    pixel: Range | None = None
    field_of_view: Range = (280.0, 280.0)
    slices: tuple[int, int] = (15, 15)
    pitch: Range | None = None
    acquired: Range = (1.1, 1.5)
    swap: float = 0.1
    oblique: float = 1.0
    angled: float = 0.0
    block: tuple[int, int] = (4, 6)


@dataclass
class ImagingConfig:
    """Ranges of what the scanners of a centre do to the signal.

    Attributes:
        vendor, field_tesla, kind: which of the real protocols are in use; null means any.
        te_factor, tr_factor: multiply the protocol's times.
        noise: deviation of the noise in each channel relative to CSF at the coil's best place.
        coil_depth: where the coil's sensitivity has halved, mm.
        levelling: how far the scanner evens that out, 0 to 1.
        band: signal left by the anterior saturation band, 1 is no band; band_start: where it begins before the
            rear walls of the bodies, mm.
        bias: depth of the remaining unevenness.
        white: stored value of CSF.
        blur: low-pass along the phase encoding by the echo train, 0 (none) to 1.
        pulsation, breathing, motion: strength of the ghosts of CSF and of the belly, and of the patient's restlessness.
        wrap: chance that the body folds over along the phase encoding.
        tint: deviation of each tissue's brightness (log scale) from its physics: 0 for real scanners.
        gamma: exponent on the stored values.
        fat_suppressed: chance that the sagittal series is fat-suppressed, by STIR or by a spectral pulse.
    """

    vendor: str | None = "SIEMENS"
    field_tesla: float | None = 1.5
    kind: str | None = "2D"
    te_factor: Range = (0.95, 1.05)
    tr_factor: Range = (0.95, 1.1)
    noise: Range = (0.008, 0.018)
    coil_depth: Range = (110.0, 160.0)
    levelling: Range = (0.3, 0.7)
    band: Range = (0.1, 0.4)
    band_start: Range = (42.0, 60.0)
    bias: Range = (0.03, 0.12)
    white: Range = (700.0, 1100.0)
    blur: Range = (0.0, 0.3)
    pulsation: Range = (0.0, 0.04)
    breathing: Range = (0.0, 0.05)
    motion: Range = (0.0, 0.2)
    wrap: float = 0.05
    tint: float = 0.0
    gamma: Range = (1.0, 1.0)
    fat_suppressed: float = 0.0


def _axial() -> StackConfig:
    return StackConfig(
        pixel=(0.5, 0.65),
        field_of_view=(180.0, 200.0),
        slices=(22, 25),
        pitch=(4.0, 4.5),
        swap=0.5,
        oblique=3.0,
    )


@dataclass
class CenterConfig:
    """One hospital: `name` begins the ids of its studies."""

    name: str = "A"
    region: Region = Region.LUMBAR
    imaging: ImagingConfig = field(default_factory=ImagingConfig)
    sagittal: StackConfig = field(default_factory=StackConfig)
    axial: StackConfig = field(default_factory=_axial)
    wear: DegenerationSettings = field(default_factory=DegenerationSettings)
    habits: AnnotationHabits = field(default_factory=AnnotationHabits)


def _center_a() -> CenterConfig:
    """1.5 T, well maintained; as SPIDER's largest contributor."""
    return CenterConfig(wear=DegenerationSettings(healthy=0.2, clear=1.0, faintest=2.2))


def _center_b() -> CenterConfig:
    """3 T: thin slices, noisy, strong fall-off of an uncorrected coil, degenerated patients."""
    return CenterConfig(
        name="B",
        imaging=ImagingConfig(
            vendor="PHILIPS",
            field_tesla=3.0,
            noise=(0.02, 0.04),
            coil_depth=(75.0, 110.0),
            levelling=(0.0, 0.4),
            band=(0.3, 1.0),
            bias=(0.15, 0.35),
            white=(350.0, 600.0),
            blur=(0.2, 0.6),
            pulsation=(0.02, 0.08),
            breathing=(0.02, 0.12),
            motion=(0.1, 0.6),
        ),
        sagittal=StackConfig(pixel=None, slices=(15, 17), acquired=(1.2, 1.8), oblique=1.5),
        axial=replace(
            _axial(),
            pixel=(0.55, 0.75),
            field_of_view=(190.0, 220.0),
            acquired=(1.3, 1.8),
            oblique=5.0,
        ),
        wear=DegenerationSettings(healthy=0.15, shift=0.1, clear=0.6, faintest=1.6),
        habits=AnnotationHabits(margin=1.0, jitter=1.0),
    )


def _center_c() -> CenterConfig:
    """1.5 T of another maker: short echo times, thick slices, fully levelled images, blocks along the discs."""
    return CenterConfig(
        name="C",
        imaging=ImagingConfig(
            vendor="PHILIPS",
            field_tesla=1.5,
            noise=(0.015, 0.04),
            coil_depth=(150.0, 240.0),
            levelling=(0.8, 1.0),
            band=(0.05, 0.2),
            bias=(0.1, 0.25),
            white=(1300.0, 2400.0),
            blur=(0.3, 0.8),
            pulsation=(0.02, 0.10),
            motion=(0.1, 0.7),
        ),
        sagittal=StackConfig(
            field_of_view=(300.0, 320.0),
            slices=(13, 15),
            acquired=(1.4, 2.0),
            oblique=2.0,
        ),
        axial=replace(
            _axial(),
            pixel=(0.6, 0.85),
            slices=(20, 24),
            pitch=(4.4, 5.0),
            acquired=(1.4, 2.0),
            oblique=6.0,
            angled=0.0,
        ),
        wear=DegenerationSettings(healthy=0.3, shift=-0.2, clear=0.6, faintest=1.6),
        habits=AnnotationHabits(margin=0.5, jitter=0.8),
    )


def _center_d() -> CenterConfig:
    """Necks at 1.5 T: smaller pixels and thinner slices."""
    return CenterConfig(
        name="D",
        region=Region.CERVICAL,
        imaging=ImagingConfig(
            te_factor=(0.85, 1.0),
            noise=(0.014, 0.035),
            coil_depth=(70.0, 110.0),
            band_start=(30.0, 40.0),
            pulsation=(0.02, 0.08),
        ),
        sagittal=StackConfig(
            pixel=(0.5, 0.7),
            field_of_view=(230.0, 260.0),
            slices=(13, 15),
            pitch=(3.0, 3.6),
            acquired=(1.0, 1.3),
        ),
        axial=StackConfig(
            pixel=(0.45, 0.65),
            field_of_view=(160.0, 190.0),
            slices=(22, 30),
            pitch=(3.0, 3.6),
            swap=0.7,
            oblique=4.0,
        ),
        wear=DegenerationSettings(healthy=0.2, clear=0.6, faintest=1.8),
    )


def _randomised() -> CenterConfig:
    """No hospital: contrast, geometry, protocol and artefacts far wider than any, for training alone.

    The idea is that of SynthSeg (Billot et al., Med Image Anal 86:102789, 2023): what varies beyond reason in training
    cannot be relied on.
    """
    return CenterConfig(
        name="R",
        imaging=ImagingConfig(
            vendor=None,
            field_tesla=None,
            kind=None,
            te_factor=(0.75, 1.25),
            tr_factor=(0.8, 1.5),
            noise=(0.004, 0.06),
            coil_depth=(60.0, 400.0),
            levelling=(0.0, 1.0),
            band=(0.02, 1.0),
            band_start=(36.0, 80.0),
            bias=(0.0, 0.5),
            white=(150.0, 3000.0),
            blur=(0.0, 1.0),
            pulsation=(0.0, 0.15),
            breathing=(0.0, 0.15),
            motion=(0.0, 1.0),
            wrap=0.15,
            tint=0.16,
            gamma=(0.75, 1.3),
        ),
        sagittal=StackConfig(
            pixel=(0.4, 1.1), field_of_view=(240.0, 380.0), slices=(9, 22), acquired=(1.0, 2.2), swap=0.4, oblique=4.0
        ),
        axial=StackConfig(
            pixel=(0.4, 1.0), field_of_view=(150.0, 260.0), slices=(12, 30), pitch=(3.0, 6.0), acquired=(1.0, 2.2),
            swap=0.5, oblique=10.0,
        ),
        wear=DegenerationSettings(healthy=0.15, dark=0.1, clear=0.2, faintest=1.2),
    )  # fmt: skip


def _fat_suppressed() -> CenterConfig:
    """The randomised centre with fat-suppressed sagittal series, for training alone."""
    wide = _randomised()
    return replace(wide, name="F", imaging=replace(wide.imaging, kind="2D", fat_suppressed=1.0))


def _hospital(name: str, like: CenterConfig, habits: AnnotationHabits) -> CenterConfig:
    """A centre with the scanner of another, patients as degenerated as SPIDER's, and its own annotators."""
    return replace(like, name=name, wear=DegenerationSettings(shift=like.wear.shift), habits=habits)


# A to D are plain enough for a demonstration in minutes; I to IV are as hard as hospitals are; R and F are for
# training only.
CENTERS: dict[str, CenterConfig] = {
    center.name: center
    for center in (
        _center_a(),
        _center_b(),
        _center_c(),
        _center_d(),
        _hospital("I", _center_a(), AnnotationHabits(jitter=0.6, misses=0.02, raters=2)),
        _hospital("II", _center_b(), AnnotationHabits(margin=1.0, jitter=1.0, misses=0.05)),
        _hospital("III", _center_c(), AnnotationHabits(margin=-0.5, jitter=0.8, misses=0.05)),
        _hospital("IV", _center_d(), AnnotationHabits(jitter=0.6, misses=0.02, raters=2)),
        _randomised(),
        _fat_suppressed(),
    )
}
