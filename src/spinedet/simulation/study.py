"""A phantom study: both series in memory with their annotations."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spinedet.core.anatomy import Region
from spinedet.core.true_discs import KEY, TrueDisc, transitional
from spinedet.core.types import FiniteJson, Lesion, Negative
from spinedet.simulation.anatomy.cervical_patient import draw_cervical
from spinedet.simulation.anatomy.lumbar import TRANSITIONAL
from spinedet.simulation.anatomy.lumbar_patient import draw_lumbar
from spinedet.simulation.anatomy.patient import Scene
from spinedet.simulation.centers import CenterConfig
from spinedet.simulation.reference_standard import Convention, discs_of, lesions_of, negatives_of
from spinedet.simulation.scanner.acquisition import acquire
from spinedet.simulation.scanner.protocol import Sampling, Stack, draw_stacks


@dataclass(frozen=True, slots=True, eq=False)
class DrawnStudy:
    """A phantom study: its patient, all discs, and per series the stack, the voxels (i, j, k) int16, lesions and sound
    discs.
    """

    scene: Scene
    stacks: tuple[Stack, ...]
    images: tuple[NDArray[np.int16], ...]
    lesions: tuple[Lesion, ...]
    negatives: tuple[Negative, ...] = ()
    discs: tuple[TrueDisc, ...] = ()

    @property
    def vertebrae(self) -> frozenset[str]:
        """Names of all that are drawn."""
        return frozenset(bone.name for bone in self.scene.spine.vertebrae)

    @property
    def attributes(self) -> dict[str, FiniteJson]:
        """The manifest's attributes of the patient and the scanner."""
        patient, sequence = self.scene.spine.patient, self.stacks[0].scan.sequence
        suppressed = "STIR" if sequence.stir else "spectral" if sequence.fat_left < 1 else None
        contrast: dict[str, FiniteJson] = {"fat_suppression": suppressed} if suppressed else {}
        return {
            "sex": patient.sex,
            "age": patient.age,
            "vendor": self.stacks[0].scan.vendor,
            "field_strength": sequence.field_tesla,
            "repetition_time": sequence.tr_ms,
            "echo_time": sequence.te_ms,
            **contrast,
            **({"transitional": transitional(self.discs)} if "L5" in self.vertebrae else {}),
            KEY: [disc.record() for disc in self.discs],
        }


def _draw_patient(center: CenterConfig, transitional: float | None, rng: np.random.Generator) -> Scene:
    if center.region is Region.CERVICAL:
        return draw_cervical(center.wear, rng)
    return draw_lumbar(center.wear, rng, TRANSITIONAL if transitional is None else transitional)


def random_stream(seed: int, center: str, index: int) -> np.random.Generator:
    """The random numbers of one study: its own, whatever else is drawn before or beside it."""
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence([seed, index, *center.encode()])))


def draw_study(
    center: CenterConfig,
    index: int,
    seed: int = 0,
    *,
    convention: Convention | None = None,
    sampling: Sampling | None = None,
    transitional: float | None = None,
) -> DrawnStudy:
    """Draw one study in memory.

    Args:
        center: whose study.
        index: its number in that centre.
        seed: of the cohort.
        convention: what boxes mean; the whole degenerated disc by default.
        sampling: how coarse the pictures are; a hospital's own pixels by default.
        transitional: share of lumbar patients with a sixth lumbar or a sacralised fifth vertebra; 12 % by default.
    """
    # The annotators and the noise have streams of their own: changing a habit leaves the pictures as they are.
    body, visit, noise, reading = random_stream(seed, center.name, index).spawn(4)
    scene = _draw_patient(center, transitional, body)
    stacks = draw_stacks(center, scene.spine, sampling or Sampling(), visit)
    images = tuple(acquire(scene, stack.grid, stack.scan, noise) for stack in stacks)
    meaning = convention or Convention()
    lesions = tuple(lesion for stack in stacks for lesion in lesions_of(scene, stack, meaning, center.habits, reading))
    negatives = tuple(negative for stack in stacks for negative in negatives_of(scene, stack, meaning))
    return DrawnStudy(scene, stacks, images, lesions, negatives, discs_of(scene, stacks))
