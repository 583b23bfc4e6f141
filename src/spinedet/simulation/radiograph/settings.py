"""Settings of cohorts of simulated radiographs, importable without SciPy."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass
class RadiographGroup:
    """Studies of one centre that play one part; a centre's studies are numbered on from group to group.

    Attributes:
        center: whose. split: train, tune or test. studies: how many.
        only: the one label that all of them have; balanced over the task's labels when null.
        first: number of its first study; the next one of its centre when null.
    """

    center: str = "A"
    split: str = "train"
    studies: int = 20
    only: str | None = None
    first: int | None = None


@dataclass
class RadiographCohort:
    """A cohort of simulated radiographs.

    Attributes:
        name: of the manifest.
        task: implants, scoliosis or fractures.
        groups: which centre gives how many studies to which split.
        seed: of all random numbers.
        pixels: height of the images.
        images: mean number of images of a view and patient where patients come more than once (fractures), or of a
            study where the lateral view may be missing (scoliosis: share of both views that exist).
        leak: chance that a lead letter lies where the label says: a confounder, 0 for none.
        file: png (16 bit) or dicom (DX).
        categories: of scoliosis that are the task's labels, in that order; the usual five when empty.
    """

    name: str = "phantom"
    task: str = "implants"
    groups: list[RadiographGroup] = field(default_factory=lambda: [RadiographGroup()])
    seed: int = 0
    pixels: int = 384
    images: float = 1.0
    leak: float = 0.0
    file: str = "png"
    categories: list[str] = field(default_factory=list)
