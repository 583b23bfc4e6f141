"""Whether a series is too noisy, blurred, moved, stretched in contrast or shaded for a detector."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from spinedet.imaging.planes import PlaneSpec
from spinedet.imaging.quality import ImageQuality, measure_quality
from spinedet.imaging.settings import EligibilityLimits
from spinedet.imaging.suitability import InputCheck, Suitability
from spinedet.imaging.volume import Volume

QUESTIONS = ("noise", "sharpness", "motion", "grey values", "shading")


@dataclass(frozen=True, slots=True)
class _Finding:
    """What was measured, and what is wrong with it and what to do; None when nothing is."""

    measured: str
    complaint: str | None


def check_quality(volume: Volume, spec: PlaneSpec, limits: EligibilityLimits) -> Iterator[InputCheck]:
    """One result for each of `QUESTIONS`: ok or doubtful, never rejected, as a person may see what a number cannot.

    Args:
        spec: of the volume's plane and the detector's region.
    """
    quality = measure_quality(volume, spec)
    if quality is None:
        yield from (InputCheck(question, Suitability.OK, "not measured: too little tissue") for question in QUESTIONS)
        return
    noise, sharpness = _noise(quality, limits), _sharpness(quality, limits)
    found = (
        noise,
        sharpness,
        _motion(quality, limits, measurable=noise.complaint is None and sharpness.complaint is None),
        _grey_values(quality, limits),
        _shading(quality, spec, limits),
    )
    for question, one in zip(QUESTIONS, found, strict=True):
        suitability = Suitability.DOUBTFUL if one.complaint else Suitability.OK
        yield InputCheck(question, suitability, "; ".join(filter(None, (one.measured, one.complaint))))


def _noise(quality: ImageQuality, limits: EligibilityLimits) -> _Finding:
    wrong = "too noisy; use a series with more signal or repeat it"
    return _Finding(f"noise of {quality.noise:.0%} of the contrast", wrong if quality.noise > limits.noise else None)


def _sharpness(quality: ImageQuality, limits: EligibilityLimits) -> _Finding:
    wrong = "blurred, or enlarged from coarse pixels; use the original images or repeat the series"
    return _Finding(f"sharpness {quality.sharpness:.2f}", wrong if quality.sharpness < limits.sharpness else None)


def _motion(quality: ImageQuality, limits: EligibilityLimits, measurable: bool) -> _Finding:
    """Noise and blur even out edges too, so that motion is seen in their absence only."""
    measured = f"ghosts {quality.ghosts:.3f}, smear {quality.smear:.2f}"
    if not measurable or (quality.ghosts <= limits.ghosts and quality.smear <= limits.smear):
        return _Finding(measured, None)
    return _Finding(measured, "ghosts or smearing, as the patient's motion leaves them; repeat the series")


def _grey_values(quality: ImageQuality, limits: EligibilityLimits) -> _Finding:
    wrong = "a gamma or a narrow window makes tissue too dark beside the brightest; export the original grey values"
    return _Finding(f"local contrast {quality.contrast:.2f}", wrong if quality.contrast > limits.contrast else None)


def _shading(quality: ImageQuality, spec: PlaneSpec, limits: EligibilityLimits) -> _Finding:
    """Not for slices across the body: that brightness falls off from the coil at the back is usual."""
    if spec.stacked_head_to_foot:
        return _Finding("not measured in this plane", None)
    wrong = "uneven brightness along the spine; correct it (N4, the scanner's normalisation) or check the coil"
    return _Finding(f"shading {quality.shading:.2f}", wrong if quality.shading > limits.shading else None)
