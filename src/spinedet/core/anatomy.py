"""Spinal levels, regions, planes and finding categories: the one table of names."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum
from itertools import pairwise

from spinedet.core.errors import InputError

# From head to tail. L6 is the sixth lumbar vertebra of transitional anatomy; spines without it skip from L5 to S1.
VERTEBRAE: tuple[str, ...] = (
    *(f"C{n}" for n in range(1, 8)),
    *(f"T{n}" for n in range(1, 13)),
    *(f"L{n}" for n in range(1, 7)),
    "S1",
    "S2",
)
DISCS: tuple[str, ...] = (
    *(f"{upper}/{lower}" for upper, lower in pairwise(VERTEBRAE) if upper != "C1"),
    "L5/S1",
)
LEVELS: frozenset[str] = frozenset(VERTEBRAE) | frozenset(DISCS)
_DISC = re.compile(r"([CTL])(\d{1,2})\s*[-_/\u2010-\u2015 ]?\s*([CTLS]?)(\d{1,2})")


class Region(str, Enum):
    """The part of the spine that a study shows."""

    LUMBAR = "lumbar"
    CERVICAL = "cervical"


class Plane(str, Enum):
    """The orientation in which a series was sliced."""

    SAGITTAL = "sagittal"
    AXIAL = "axial"


@dataclass(frozen=True, slots=True)
class Category:
    """A kind of finding: the name that manifests carry and what it stands for."""

    name: str
    meaning: str


CATEGORIES: tuple[Category, ...] = (
    Category("degeneration", "any degenerative finding of a disc or the canal at its level"),
    Category("bulge", "disc tissue beyond the vertebral edges over more than 25 % of the circumference"),
    Category("protrusion", "focal herniation, base wider than its reach"),
    Category("extrusion", "focal herniation, reach wider than its base, or continuity lost"),
    Category("central_stenosis", "narrowing of the spinal canal"),
    Category("foraminal_stenosis", "narrowing of a neural foramen"),
    Category("spondylolisthesis", "slip of one vertebral body on the next"),
    Category("modic", "Modic change of the end plates"),
    Category("schmorl", "intravertebral disc herniation (Schmorl's node)"),
)


def level_rank(level: str) -> float:
    """Position of a level from head to tail; a disc lies half-way below its upper vertebra.

    Raises:
        InputError: the level is in no table of names.
    """
    if level not in LEVELS:
        raise InputError(f"unknown spinal level {level!r}; write discs as 'L4/L5' and vertebrae as 'L4'")
    upper, _, lower = level.partition("/")
    return VERTEBRAE.index(upper) + (0.5 if lower else 0.0)


def parse_level(text: str) -> str | None:
    """The level that tables and labels write as `L4-L5`, `l4_l5`, `L4/5`, `L45`, `D12/L1` or `L4`; None if unknown."""
    name = re.sub(r"D(?=\d)", "T", text.strip().upper())
    if name in LEVELS:
        return name
    found = _DISC.fullmatch(name)
    if found is None:
        return None
    disc = f"{found[1]}{int(found[2])}/{found[3] or found[1]}{int(found[4])}"
    return disc if disc in LEVELS else None
