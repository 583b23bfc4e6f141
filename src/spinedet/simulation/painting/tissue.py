"""What tissues send back: proton densities, relaxation times and the turbo-spin-echo signal."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class Tissue:
    """Protons of one tissue: water with its relaxation times at 1.5 T and 3 T, and the share that is fat.

    Attributes:
        kind: tissues of one kind look alike whatever their state.
        density: protons that give signal, relative to CSF.
        t1_ms: longitudinal relaxation time of the water at 1.5 T and at 3 T.
        t2_ms: transverse relaxation time of the water at 1.5 T and at 3 T.
        fat: fraction of the protons that is fat, with fat's own relaxation times.
    """

    kind: str
    density: float
    t1_ms: tuple[float, float]
    t2_ms: tuple[float, float]
    fat: float = 0.0


@dataclass(frozen=True, slots=True)
class Sequence:
    """The knobs of a T2-weighted turbo spin echo that decide its contrast.

    `fat_t2_ms` is the apparent T2 of fat: trains of refocusing pulses remove its J-coupling, the more the longer they
    are (Henkelman et al., JMRI 2:533, 1992). Fat is suppressed by an inversion before the train at whose time fat's
    magnetisation is zero (STIR; Bydder and Young, JCAT 9:659, 1985), or by a spectral pulse that
    leaves `fat_left` of it.
    """

    field_tesla: float
    tr_ms: float
    te_ms: float
    fat_t2_ms: float = 150.0
    stir: bool = False
    fat_left: float = 1.0


@dataclass(frozen=True, slots=True)
class Signal:
    """Magnetisation at the echo, water and fat apart because fat is displaced along the readout."""

    water: float
    fat: float


# Marrow, kidney, fat's T1: de Bazelaire et al., Radiology 230:652 (2004). Cord, blood, muscle: Stanisz et al., MRM
# 54:507 (2005). CSF: Spijkerman et al., MAGMA 31:415 (2018). Discs: Marinelli et al., Spine 34:520 (2009). Bone's
# cortex and ligament give nearly nothing at clinical echo times (Du and Bydder, NMR Biomed 26:489, 2013).
CSF = Tissue("csf", 1.0, (4000, 4300), (1800, 1600))
CORD = Tissue("cord", 0.82, (745, 993), (74, 72))
ROOT = Tissue("cord", 0.85, (900, 1080), (85, 82))
BRAIN = Tissue("cord", 0.80, (900, 1200), (85, 80))
MARROW = Tissue("marrow", 0.80, (650, 780), (52, 50), fat=0.45)
CORTEX = Tissue("cortex", 0.10, (250, 280), (12, 10))
LIGAMENT = Tissue("cortex", 0.35, (600, 700), (22, 20))
ANNULUS = Tissue("annulus", 0.62, (850, 950), (55, 52))
NUCLEUS = Tissue("nucleus", 0.86, (1100, 1250), (125, 115))
MUSCLE = Tissue("muscle", 0.86, (1008, 1412), (44, 42))
FAT = Tissue("fat", 0.90, (300, 370), (70, 70), fat=0.97)
SCLEROSIS = Tissue("cortex", 0.35, (600, 700), (25, 23), fat=0.1)
SKIN = Tissue("muscle", 0.60, (800, 900), (30, 28))
BOWEL = Tissue("bowel", 0.80, (850, 1000), (60, 55))
HAEMANGIOMA = Tissue("marrow", 0.85, (900, 1000), (95, 90), fat=0.5)
KIDNEY = Tissue("kidney", 0.85, (966, 1142), (87, 76))
FLUID = Tissue("csf", 0.95, (2500, 2800), (450, 400))
BLOOD = Tissue("blood", 0.04, (1440, 1900), (200, 150))  # flowing: nearly all of it has left the slice at the echo
AIR = Tissue("air", 0.0, (1000, 1000), (1, 1))

KINDS = tuple(
    dict.fromkeys(
        t.kind
        for t in (
            CSF,
            CORD,
            MARROW,
            CORTEX,
            ANNULUS,
            NUCLEUS,
            MUSCLE,
            FAT,
            BOWEL,
            KIDNEY,
            BLOOD,
        )
    )
)

_FAT_T1_MS = (300.0, 370.0)


def with_t2(tissue: Tissue, factor: float) -> Tissue:
    """The same tissue with its T2 scaled at every field."""
    short, long = tissue.t2_ms
    return replace(tissue, t2_ms=(short * factor, long * factor))


def echo(tissue: Tissue, sequence: Sequence) -> Signal:
    """Signal of a spin echo, PD (1 - exp(-TR/T1)) exp(-TE/T2), for water and fat apart.

    After an inversion the bracket is |1 - 2 exp(-TI/T1) + exp(-TR/T1)|.
    """
    water = _spin_echo(tissue.t1_ms, tissue.t2_ms, sequence)
    fat = _spin_echo(_FAT_T1_MS, (sequence.fat_t2_ms, sequence.fat_t2_ms), sequence) * sequence.fat_left
    # Six digits: a last-bit difference between mathematics libraries must not reach the files.
    return Signal(
        round(tissue.density * (1 - tissue.fat) * water, 6),
        round(tissue.density * tissue.fat * fat, 6),
    )


def _spin_echo(t1_ms: tuple[float, float], t2_ms: tuple[float, float], sequence: Sequence) -> float:
    t1, t2 = (_at_field(times, sequence.field_tesla) for times in (t1_ms, t2_ms))
    recovered = 1 - math.exp(-sequence.tr_ms / t1)
    if sequence.stir:
        null = _inversion_time(sequence)
        recovered = abs(1 - 2 * math.exp(-null / t1) + math.exp(-sequence.tr_ms / t1))
    return recovered * math.exp(-sequence.te_ms / t2)


def _inversion_time(sequence: Sequence) -> float:
    """The time after an inversion at which fat's longitudinal magnetisation is zero, ms."""
    t1 = _at_field(_FAT_T1_MS, sequence.field_tesla)
    return t1 * math.log(2 / (1 + math.exp(-sequence.tr_ms / t1)))


def _at_field(times_ms: tuple[float, float], field_tesla: float) -> float:
    """Linear between 1.5 T and 3 T, constant beyond."""
    share = min(max((field_tesla - 1.5) / 1.5, 0.0), 1.0)
    return times_ms[0] + share * (times_ms[1] - times_ms[0])
