"""One patient's visit: both series in memory with what a reader marked on them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spinedet.core.types import FiniteJson, Lesion
from spinedet.simulation.centers import CenterConfig, Stack, draw_protocol
from spinedet.simulation.lumbar_patient import draw_lumbar
from spinedet.simulation.scanner import acquire
from spinedet.simulation.scene import Scene
from spinedet.simulation.truth import lesions_of


@dataclass(frozen=True, slots=True, eq=False)
class DrawnStudy:
    """A phantom study: its patient, and per series the stack, the voxels (i, j, k) int16 and the lesions."""

    scene: Scene
    stacks: tuple[Stack, ...]
    images: tuple[NDArray[np.int16], ...]
    lesions: tuple[Lesion, ...]

    @property
    def attributes(self) -> dict[str, FiniteJson]:
        """What a manifest tells about the patient and the scanner."""
        patient, sequence = self.scene.spine.patient, self.stacks[0].scan.sequence
        return {
            "sex": patient.sex,
            "age": patient.age,
            "field_strength": sequence.field_tesla,
            "repetition_time": sequence.tr_ms,
            "echo_time": sequence.te_ms,
        }


def stream(seed: int, center: str, index: int) -> np.random.Generator:
    """The random numbers of one study: its own, whatever else is drawn before or beside it."""
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence([seed, index, *center.encode()])))


def draw_study(
    center: CenterConfig, index: int, seed: int = 0, *, style: str = "disc", coarseness: float = 1.0
) -> DrawnStudy:
    """Draw one study in memory.

    Args:
        center: whose study.
        index: its number in that centre.
        seed: of the cohort.
        style: what a box covers, `disc` or `focal`.
        coarseness: multiplies the stored in-plane pixel.
    """
    body, visit, noise = stream(seed, center.name, index).spawn(3)
    scene = draw_lumbar(center.wear, body)
    stacks = draw_protocol(center, scene.spine, coarseness, visit)
    images = tuple(acquire(scene, stack.grid, stack.scan, noise) for stack in stacks)
    return DrawnStudy(scene, stacks, images, marked(scene, stacks, style, center.margin))


def marked(scene: Scene, stacks: Sequence[Stack], style: str, margin: float) -> tuple[Lesion, ...]:
    """All lesions of a study, series by series."""
    return tuple(lesion for stack in stacks for lesion in lesions_of(scene, stack, style, margin))
