"""Whether an image is suitable for a detector of T2 spine series, as far as it can be checked before prediction."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from spinedet.core.anatomy import Plane, Region
from spinedet.core.types import FiniteJson
from spinedet.imaging.contrast import Contrast, mask_labels, measure_contrast
from spinedet.imaging.dicom import Block, weighting_in, weighting_of, words_in
from spinedet.imaging.planes import SPECS, orient
from spinedet.imaging.quality_checks import check_quality
from spinedet.imaging.resample import resample
from spinedet.imaging.settings import EligibilityLimits
from spinedet.imaging.suitability import InputCheck, Suitability, overall_suitability
from spinedet.imaging.volume import Volume, Voxels

_BRIGHT = 99.0  # percentile of an image that stands for its bright tissue
_BODY = 0.1  # of bright: above is tissue
_VOID = 0.05  # of bright: below is no signal
_COARSE_MM = (4.0, 3.0, 3.0)
# Log odds of T2 against T1 by the pixels: from here on T2, below T1, and below surely T1 (rates: docs/dicom.md).
LOOKS_T2, LOOKS_T1, SURELY_T1 = 1.0, 0.0, -2.0
# Log odds of fat-suppressed against plain T2.
LOOKS_FAT_SUPPRESSED = 1.0


@dataclass(frozen=True, slots=True)
class DeclaredMetadata:
    """What tags, a manifest or a file name declare of an image.

    Attributes:
        weighting, region: None when it is not declared. source: what declares it, for the reason.
    """

    weighting: str | None = None
    region: Region | None = None
    source: str = "nothing"


def declared_in_dicom(block: Block) -> DeclaredMetadata:
    """What the tags of a stack, or else its description, declare."""
    weighting = weighting_of(block.acquisition)
    return DeclaredMetadata(weighting.name, _region(" ".join(block.acquisition.words)), weighting.source)


def declared_in_name(name: str) -> DeclaredMetadata:
    """What an image file's name declares, in words such as T2, T1 or lumbar."""
    return DeclaredMetadata(weighting_in(name), _region(name), "file name")


def check_input(
    volume: Volume, plane: Plane, declared: DeclaredMetadata, region: Region, limits: EligibilityLimits
) -> tuple[InputCheck, ...]:
    """The results of all checks, for a detector trained on this region."""
    oriented = orient(volume, SPECS[plane])  # once for all: it copies, unless there is nothing to turn
    return (
        _weighting(oriented, plane, declared, region, limits),
        _about_region(declared, region),
        _coverage(oriented, plane, limits),
        _spacing(oriented, plane, limits),
        _signal(oriented, plane, limits),
        *check_quality(oriented, SPECS[plane].of(region), limits),
    )


def as_record(checks: tuple[InputCheck, ...]) -> dict[str, FiniteJson]:
    """The record of a series in `findings.json`: its overall suitability, and each question with its reason."""
    answers: dict[str, FiniteJson] = {
        one.question: {"standing": one.suitability.value, "reason": one.reason} for one in checks
    }
    return {"standing": overall_suitability(checks).value, "questions": answers}


def checks_of(record: Mapping[str, Any]) -> tuple[InputCheck, ...]:
    """The checks that `as_record` has written."""
    return tuple(
        InputCheck(question, Suitability(answer["standing"]), str(answer["reason"]))
        for question, answer in record.get("questions", {}).items()
    )


def _region(text: str) -> Region | None:
    found = [region for region in Region if region.value in words_in(text)]
    return found[0] if len(found) == 1 else None


def _weighting(
    volume: Volume, plane: Plane, declared: DeclaredMetadata, region: Region, limits: EligibilityLimits
) -> InputCheck:
    negative = _far_below_zero(volume.array)
    suitability = _above(negative, limits.negative)
    if suitability is not Suitability.OK:
        return InputCheck("weighting", suitability, f"{negative:.0%} of the voxels are far below zero, as in CT")
    return check_contrast(volume, plane, declared, region)


def _far_below_zero(array: Voxels) -> float:
    """The share of such voxels, against the bright ones."""
    if array.min() >= 0:  # spares most images a percentile of all their voxels
        return 0.0
    bright = max(float(np.percentile(array, _BRIGHT)), 1e-6)
    return float((array < -_BODY * bright).mean())


def check_contrast(volume: Volume, plane: Plane, declared: DeclaredMetadata, region: Region) -> InputCheck:
    """Whether an image is T2 by what is declared and by its pixels, of which either may be silent.

    The pixels show a segmentation mask in every plane, and T1 and fat suppression in sagittal series.
    """
    labels = mask_labels(volume)
    if labels is not None:
        reason = f"{labels} labels in uniform patches: a segmentation mask, not a scan"
        return InputCheck("weighting", Suitability.REJECTED, reason)
    measured = measure_contrast(volume, region) if SPECS[plane].shows_canal else None
    return InputCheck("weighting", *_contrast(declared, measured, region))


def _contrast(declared: DeclaredMetadata, measured: Contrast | None, region: Region) -> tuple[Suitability, str]:
    """T2 unless something is against it; rejected only when no T2 image of the measurement was so unlike T2."""
    named = f"{declared.weighting} by its {declared.source}" if declared.weighting else "not declared T2"
    if measured is None:
        return Suitability.OK if declared.weighting == "T2" else Suitability.DOUBTFUL, named
    if measured.t2 < LOOKS_T1:
        sure = measured.t2 < SURELY_T1 and declared.weighting != "T2" and region is Region.LUMBAR
        return Suitability.REJECTED if sure else Suitability.DOUBTFUL, f"{named}; it looks like T1 by its pixels"
    if measured.fat_suppressed > LOOKS_FAT_SUPPRESSED:
        return Suitability.DOUBTFUL, f"{named}; fat looks suppressed by its pixels"
    looks_t2 = measured.t2 >= LOOKS_T2
    if declared.weighting in ("T2", None) and (looks_t2 or declared.weighting):
        return Suitability.OK, f"{named}; it looks like T2 by its pixels" if looks_t2 else named
    return Suitability.DOUBTFUL, f"{named}; {'it looks like T2' if looks_t2 else 'unclear'} by its pixels"


def _about_region(declared: DeclaredMetadata, region: Region) -> InputCheck:
    if declared.region is None:
        return InputCheck("region", Suitability.OK, "not declared")
    if declared.region is region:
        return InputCheck("region", Suitability.OK, f"{region.value} by its {declared.source}")
    reason = f"{declared.region.value} by its {declared.source}; the detector was trained on {region.value} spines"
    return InputCheck("region", Suitability.DOUBTFUL, reason)


def _coverage(volume: Volume, plane: Plane, limits: EligibilityLimits) -> InputCheck:
    coverage, oriented = SPECS[plane].coverage, orient(volume, SPECS[plane])
    grid = oriented.grid
    value, slices = float(grid.extent[list(coverage.axes)].min()), grid.shape[0]
    bounds = limits.width_mm if SPECS[plane].stacked_head_to_foot else limits.length_mm
    empty = int((np.ptp(oriented.array.reshape(slices, -1), axis=1) == 0).sum())
    several = (_below(value, bounds), _below(slices, limits.slices), _above(empty / slices, limits.empty_slices))
    words = f"{value:.0f} mm {coverage.name}, {slices} slices" + (f", {empty} of them empty" if empty else "")
    return InputCheck("coverage", max(several, key=list(Suitability).index), words)


def _spacing(volume: Volume, plane: Plane, limits: EligibilityLimits) -> InputCheck:
    pitch, *pixel = orient(volume, SPECS[plane]).grid.spacing.tolist()
    suitability = max(_above(max(pixel), limits.pixel_mm), _above(pitch, limits.pitch_mm), key=list(Suitability).index)
    return InputCheck("spacing", suitability, f"pixels of {max(pixel):.2f} mm, slices {pitch:.1f} mm apart")


def _signal(volume: Volume, plane: Plane, limits: EligibilityLimits) -> InputCheck:
    void = largest_void_ml(volume, plane)
    words = f"the largest void within the body has {void:.0f} ml"
    suitability = _above(void, limits.void_ml)
    if suitability is not Suitability.OK:
        words += ": metal, an operated spine, gas or a cavity"
    return InputCheck("signal void", suitability, words)


def largest_void_ml(volume: Volume, plane: Plane) -> float:
    """Volume of the largest connected part without signal that tissue surrounds, in the half of the image at the back.

    Gas in bowel and windpipe lies in front of the spine; the air around the patient is not surrounded.
    """
    from scipy import ndimage  # only where it is used: `--help` would wait for it

    coarse = resample(orient(volume, SPECS[plane]), _COARSE_MM)
    bright = float(np.percentile(coarse.array, _BRIGHT))
    void = _surrounded(coarse.array, bright) & (coarse.array < _VOID * bright)
    axis = SPECS[plane].posterior_axis
    np.moveaxis(void, axis, 0)[: void.shape[axis] // 3] = False
    labels, count = ndimage.label(ndimage.binary_opening(void, iterations=1))
    if not count:
        return 0.0
    return float(np.bincount(labels.ravel())[1:].max() * np.prod(_COARSE_MM) / 1000)


def _surrounded(array: Voxels, bright: float) -> np.typing.NDArray[np.bool_]:
    """Holes of the body, slice by slice."""
    from scipy import ndimage  # only where it is used: `--help` would wait for it

    body = array > _BODY * bright
    return np.stack([ndimage.binary_fill_holes(ndimage.binary_closing(one, iterations=2)) & ~one for one in body])


def _above(value: float, bounds: tuple[float, float]) -> Suitability:
    return Suitability.REJECTED if value > bounds[1] else Suitability.DOUBTFUL if value > bounds[0] else Suitability.OK


def _below(value: float, bounds: tuple[float, float]) -> Suitability:
    return Suitability.REJECTED if value < bounds[1] else Suitability.DOUBTFUL if value < bounds[0] else Suitability.OK


def describe_concerns(checks: tuple[InputCheck, ...]) -> Iterator[str]:
    """One line for each answer that is not ok."""
    for one in checks:
        if one.suitability is not Suitability.OK:
            yield f"{one.question} {one.suitability.value}: {one.reason}"
