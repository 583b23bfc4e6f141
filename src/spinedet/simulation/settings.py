"""Settings of phantom cohorts, importable without SciPy."""

from __future__ import annotations

from dataclasses import dataclass, field

from spinedet.core.anatomy import Region


@dataclass
class GroupConfig:
    """Studies of one centre that play one part; a centre's studies are numbered on from group to group."""

    center: str = "A"
    split: str = "train"
    studies: int = 20


@dataclass
class CohortConfig:
    """A phantom cohort.

    Attributes:
        name: of the manifest.
        region: part of the spine.
        groups: which centre gives how many studies to which split.
        seed: of all random numbers.
        style: what a box covers: `disc`, the whole degenerated disc with the part of the canal that it invades, or
            `focal`, the protrusion or stenosis alone.
        classes: `one` category, degeneration, or the `types` apart.
        coarseness: multiplies the stored in-plane pixels: 1 is a hospital's matrix, more is quicker.
        coarsest: stored in-plane pixels beyond which `coarseness` does not go, mm.
        transitional: share of lumbar patients with a sixth lumbar or a sacralised fifth vertebra, 0 to 1; 12 % when
            null.
        positions: places through a slice at which the spine is drawn, 1 or 2; 1 is quicker and averages nothing.
    """

    name: str = "phantom"
    region: Region = Region.LUMBAR
    groups: list[GroupConfig] = field(default_factory=lambda: [GroupConfig()])
    seed: int = 0
    style: str = "disc"
    classes: str = "one"
    coarseness: float = 1.0
    coarsest: float = 0.95
    positions: int = 2
    transitional: float | None = None
