"""Whether an image is one that a detector of T2 spine series may be asked about, as far as can be told beforehand."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum

import numpy as np
from scipy import ndimage

from spinedet.core.anatomy import Plane, Region
from spinedet.core.types import FiniteJson
from spinedet.imaging.dicom import Block, weighting_in, weighting_of, words_in
from spinedet.imaging.planes import SPECS, orient
from spinedet.imaging.resample import resample
from spinedet.imaging.volume import Volume, Voxels

_BRIGHT = 99.0  # percentile of an image that stands for its bright tissue
_BODY = 0.1  # of bright: above is tissue
_VOID = 0.05  # of bright: below is no signal
_COARSE_MM = (4.0, 3.0, 3.0)
_SILENT = "nothing says that it is T2-weighted, and pixels alone cannot"


class Standing(str, Enum):
    """What came of a question, best first."""

    OK = "ok"
    DOUBTFUL = "doubtful"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Judgement:
    """One question with its answer and the reason."""

    question: str
    standing: Standing
    reason: str


@dataclass(frozen=True, slots=True)
class Said:
    """What accompanies an image says of it.

    Attributes:
        weighting, region: None when nothing is said. source: who says so, for the reason.
    """

    weighting: str | None = None
    region: Region | None = None
    source: str = "nothing"


@dataclass
class EligibilityLimits:
    """Beyond the first of a pair an image is doubtful, beyond the second it is refused; lengths in mm.

    Attributes:
        gate: refuse to read what is refused; false reads it all the same and says so.
        length_mm: from head to foot, of a sagittal series. width_mm: of an axial slice.
        pixel_mm: larger edge. pitch_mm: distance of neighbouring slices. slices: fewest.
        negative: share of voxels clearly below zero, which MR magnitudes never are.
        void_ml: largest volume without signal within the body, as metal or a cavity leaves it.
    """

    gate: bool = True
    length_mm: tuple[float, float] = (120.0, 60.0)
    width_mm: tuple[float, float] = (100.0, 50.0)
    pixel_mm: tuple[float, float] = (1.6, 4.0)
    pitch_mm: tuple[float, float] = (6.0, 12.0)
    slices: tuple[int, int] = (3, 2)
    negative: tuple[float, float] = (0.001, 0.02)
    void_ml: tuple[float, float] = (25.0, 400.0)


def said_by_dicom(block: Block) -> Said:
    """What the tags of a stack, or else its description, say."""
    weighting = weighting_of(block.acquisition)
    return Said(weighting.name, _region(" ".join(block.acquisition.words)), weighting.source)


def said_by_name(name: str) -> Said:
    """What an image file's own name says, in words such as T2, T1 or lumbar."""
    return Said(weighting_in(name), _region(name), "file name")


def judge(volume: Volume, plane: Plane, said: Said, region: Region, limits: EligibilityLimits) -> tuple[Judgement, ...]:
    """Answers to every question, about a detector that learned on this region."""
    return (
        _weighting(volume, said, limits),
        _about_region(said, region),
        _coverage(volume, plane, limits),
        _spacing(volume, plane, limits),
        _signal(volume, plane, limits),
    )


def worst(judgements: tuple[Judgement, ...]) -> Standing:
    """The least favourable standing."""
    return max((one.standing for one in judgements), key=list(Standing).index, default=Standing.OK)


def as_record(judgements: tuple[Judgement, ...]) -> dict[str, FiniteJson]:
    """What `findings.json` says of a series: its worst standing, and each question with its reason."""
    answers: dict[str, FiniteJson] = {
        one.question: {"standing": one.standing.value, "reason": one.reason} for one in judgements
    }
    return {"standing": worst(judgements).value, "questions": answers}


def _region(text: str) -> Region | None:
    found = [region for region in Region if region.value in words_in(text)]
    return found[0] if len(found) == 1 else None


def _weighting(volume: Volume, said: Said, limits: EligibilityLimits) -> Judgement:
    bright = max(float(np.percentile(volume.array, _BRIGHT)), 1e-6)
    negative = float((volume.array < -_BODY * bright).mean())
    standing = _above(negative, limits.negative)
    if standing is not Standing.OK:
        return Judgement("weighting", standing, f"{negative:.0%} of the voxels are far below zero, as in CT")
    if said.weighting is None:
        return Judgement("weighting", Standing.DOUBTFUL, _SILENT)
    standing = Standing.OK if said.weighting == "T2" else Standing.DOUBTFUL
    return Judgement("weighting", standing, f"{said.weighting} by its {said.source}")


def _about_region(said: Said, region: Region) -> Judgement:
    if said.region in (None, region):
        reason = "not said" if said.region is None else f"{region.value} by its {said.source}"
        return Judgement("region", Standing.OK, reason)
    reason = f"{said.region.value if said.region else ''} by its {said.source}; the detector learned on {region.value}"
    return Judgement("region", Standing.DOUBTFUL, f"{reason} spines")


def _coverage(volume: Volume, plane: Plane, limits: EligibilityLimits) -> Judgement:
    extent, slices = _extent(volume, plane)
    name, value, bounds = {
        Plane.SAGITTAL: ("from head to foot", extent[1], limits.length_mm),
        Plane.AXIAL: ("wide", min(extent[1:]), limits.width_mm),
    }[plane]
    standing = max(_below(value, bounds), _below(slices, limits.slices), key=list(Standing).index)
    return Judgement("coverage", standing, f"{value:.0f} mm {name}, {slices} slices")


def _extent(volume: Volume, plane: Plane) -> tuple[tuple[float, float, float], int]:
    """Extent along slice, row, column, mm, and the number of slices."""
    oriented = orient(volume, SPECS[plane])
    slices, rows, columns = oriented.grid.extent.tolist()
    return (slices, rows, columns), oriented.array.shape[0]


def _spacing(volume: Volume, plane: Plane, limits: EligibilityLimits) -> Judgement:
    pitch, *pixel = orient(volume, SPECS[plane]).grid.spacing.tolist()
    standing = max(_above(max(pixel), limits.pixel_mm), _above(pitch, limits.pitch_mm), key=list(Standing).index)
    return Judgement("spacing", standing, f"pixels of {max(pixel):.2f} mm, slices {pitch:.1f} mm apart")


def _signal(volume: Volume, plane: Plane, limits: EligibilityLimits) -> Judgement:
    void = largest_void_ml(volume, plane)
    words = f"the largest void within the body has {void:.0f} ml"
    standing = _above(void, limits.void_ml)
    if standing is not Standing.OK:
        words += ": metal, an operated spine, gas or a cavity"
    return Judgement("signal void", standing, words)


def largest_void_ml(volume: Volume, plane: Plane) -> float:
    """Volume of the largest connected part without signal that tissue surrounds, in the half of the image at the back.

    Gas in bowel and windpipe lies in front of the spine; the air around the patient is not surrounded.
    """
    coarse = resample(orient(volume, SPECS[plane]), _COARSE_MM)
    bright = float(np.percentile(coarse.array, _BRIGHT))
    void = _surrounded(coarse.array, bright) & (coarse.array < _VOID * bright)
    back = np.zeros_like(void)
    index = {Plane.SAGITTAL: np.s_[:, :, void.shape[2] // 3 :], Plane.AXIAL: np.s_[:, void.shape[1] // 3 :, :]}[plane]
    back[index] = void[index]
    labels, count = ndimage.label(ndimage.binary_opening(back, iterations=1))
    if not count:
        return 0.0
    return float(np.bincount(labels.ravel())[1:].max() * np.prod(_COARSE_MM) / 1000)


def _surrounded(array: Voxels, bright: float) -> np.typing.NDArray[np.bool_]:
    """Holes of the body, slice by slice."""
    body = array > _BODY * bright
    return np.stack([ndimage.binary_fill_holes(ndimage.binary_closing(one, iterations=2)) & ~one for one in body])


def _above(value: float, bounds: tuple[float, float]) -> Standing:
    return Standing.REFUSED if value > bounds[1] else Standing.DOUBTFUL if value > bounds[0] else Standing.OK


def _below(value: float, bounds: tuple[float, float]) -> Standing:
    return Standing.REFUSED if value < bounds[1] else Standing.DOUBTFUL if value < bounds[0] else Standing.OK


def words(judgements: tuple[Judgement, ...]) -> Iterator[str]:
    """One line for each answer that is not ok."""
    for one in judgements:
        if one.standing is not Standing.OK:
            yield f"{one.question} {one.standing.value}: {one.reason}"
