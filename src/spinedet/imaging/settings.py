"""Settings of augmentation, series selection and eligibility, importable without torch, SciPy or pydicom."""

from __future__ import annotations

from dataclasses import dataclass, field

from spinedet.core.errors import InputError

# A cubic B-spline whose coefficients stay below this share of its knots' distance moves two points against each other
# by about half of their distance at most, so the map is one-to-one; it is up to 1/2.046 (Choi and Lee, Graphical Models
# 2000;62:411-427).
LARGEST_BEND = 0.25


@dataclass
class AugmentConfig:
    """How far one example may stray; a `..._probability` of 0 switches its variation off.

    Strengths are limits of a uniform draw around "no change"; those named `log_` are drawn as exponents, so that
    half and double are equally likely. Intensities are in units of the normalised image's deviation.

    Attributes:
        flip_probability: of a left-right mirror image.
        affine_probability: of a rotation, scaling, shear and shift in the slice plane.
        rotation_degrees: largest rotation.
        log_scale: largest exponent of the scale.
        log_anisotropy: largest exponent by which one axis is stretched against the other.
        shear: largest shear.
        translation_mm: largest shift.
        elastic_probability: of a smooth bend of the slice plane.
        contrast_probability: of a change of gamma, contrast and brightness.
        log_gamma: largest exponent of gamma.
        log_contrast: largest exponent of the contrast.
        brightness: largest offset.
        bias_probability: of a smooth coil profile.
        bias_log_gain: largest exponent of its gain.
        noise_probability: of added Gaussian noise.
        noise_deviation: its largest standard deviation.
        blur_probability: of a lower resolution.
        blur_factor: largest factor by which pixels grow.
        slice_drop_probability: of a missing slice.
        slice_gain_probability: of a gain that differs between slices.
        slice_log_gain: largest exponent of that gain.
        elastic_mm, elastic_spacing_mm: how far the knots of a smooth bend of the plane stray, and how far apart they
            are. Every slice bends alike: a patient who lies otherwise moves as a body, and slices do not slip.
        slab_probability, slab_slices: how often a stack becomes a slab of some of its slices, at most so many, and a
            single slice one of equal slices, so that stacks, slabs and slices are one kind of image.
    """

    flip_probability: float = 0.5
    affine_probability: float = 0.9
    rotation_degrees: float = 12.0
    log_scale: float = 0.18
    log_anisotropy: float = 0.06
    shear: float = 0.06
    translation_mm: float = 12.0
    elastic_probability: float = 0.0
    elastic_mm: float = 8.0
    elastic_spacing_mm: float = 48.0
    contrast_probability: float = 0.7
    log_gamma: float = 0.35
    log_contrast: float = 0.25
    brightness: float = 0.2
    bias_probability: float = 0.5
    bias_log_gain: float = 0.25
    noise_probability: float = 0.6
    noise_deviation: float = 0.25
    blur_probability: float = 0.3
    blur_factor: float = 2.0
    slice_drop_probability: float = 0.15
    slice_gain_probability: float = 0.3
    slice_log_gain: float = 0.12
    slab_probability: float = 0.0
    slab_slices: int = 6

    def __post_init__(self) -> None:
        if self.slab_slices < 1:
            raise InputError(f"augment.slab_slices={self.slab_slices} must be at least 1")
        if not 0 <= self.elastic_mm <= LARGEST_BEND * self.elastic_spacing_mm:
            raise InputError(
                f"augment.elastic_mm={self.elastic_mm} must be from 0 to a quarter of augment.elastic_spacing_mm="
                f"{self.elastic_spacing_mm}, or the image would fold over itself"
            )


@dataclass
class SelectionRules:
    """How series are selected from DICOM studies.

    Attributes:
        series: SeriesInstanceUIDs, or ids such as `series-4` or `series-7-block-2` of the printed table; when given,
            these and no others are used, whatever their tags say.
        salt: secret text under which patient and study identifiers are hashed; a new one at every run when null.
        min_sagittal_slices, min_axial_slices: fewer are a localiser or a part.
        max_pixel_mm, max_pitch_mm: coarser is a localiser.
        min_length_mm: extent from head to foot of a sagittal series. min_width_mm: of an axial slice.
    """

    series: list[str] = field(default_factory=list)
    salt: str | None = None
    min_sagittal_slices: int = 5
    min_axial_slices: int = 3
    max_pixel_mm: float = 2.0
    max_pitch_mm: float = 10.0
    min_length_mm: float = 100.0
    min_width_mm: float = 80.0


@dataclass
class EligibilityLimits:
    """Beyond the first of a pair an image is doubtful, beyond the second it is rejected; lengths in mm.

    Limits of noise, sharpness, motion, contrast and shading lie between real scans as they are and degraded copies
    (`benchmarks/experiments/input_quality.py`, docs/dicom.md); beyond them an image is doubtful.

    Attributes:
        gate: skip what is rejected; false reads it all the same and says so.
        length_mm: from head to foot, of a sagittal series. width_mm: of an axial slice.
        pixel_mm: larger edge. pitch_mm: distance of neighbouring slices. slices: fewest.
        negative: share of voxels clearly below zero, which MR magnitudes never are.
        empty_slices: share of slices that hold one value.
        void_ml: largest volume without signal within the body, as metal or a cavity leaves it.
        noise: largest standard deviation in a square of 1.6 mm, as a share of the contrast of tissue.
        sharpness: least log ratio of fine structures to coarse ones.
        ghosts: largest recurrence of the edges from row to row at one distance, times their evenness.
        smear: largest evenness of the edges from column to column.
        contrast: largest standard deviation of log grey values against their neighbourhood.
        shading: largest spread of the log brightness along the spine.
    """

    gate: bool = True
    length_mm: tuple[float, float] = (120.0, 60.0)
    width_mm: tuple[float, float] = (100.0, 50.0)
    pixel_mm: tuple[float, float] = (1.6, 4.0)
    pitch_mm: tuple[float, float] = (6.0, 12.0)
    slices: tuple[int, int] = (3, 2)
    negative: tuple[float, float] = (0.001, 0.02)
    empty_slices: tuple[float, float] = (0.2, 0.8)
    void_ml: tuple[float, float] = (25.0, 400.0)
    noise: float = 0.1
    sharpness: float = -1.1
    ghosts: float = 0.036
    smear: float = 0.55
    contrast: float = 0.8
    shading: float = 0.4


@dataclass(frozen=True)
class Degradation:
    """A way in which images get worse, and how far it is taken.

    Attributes:
        unit: of the strengths. strengths: rising; 0 is the image as it is and not among them.
    """

    unit: str
    strengths: tuple[float, ...]


# Strengths that reach from what passes as good to what a technician would repeat.
DEGRADATIONS = {
    "noise": Degradation("standard deviation, share of the bright signal", (0.05, 0.1, 0.2)),
    "bias_field": Degradation("log gain at the knots of a smooth field", (0.25, 0.5, 1.0)),
    "blur": Degradation("standard deviation, mm in the plane", (0.5, 1.0, 2.0)),
    "spacing": Degradation("times coarser pixels", (1.5, 2.0, 3.0)),
    "missing_slices": Degradation("share of slices replaced by the one before", (0.1, 0.25, 0.5)),
    "motion": Degradation("standard deviation of shifts between shots, mm", (0.5, 1.0, 2.0)),
    "contrast": Degradation("gamma", (1.3, 1.7, 2.5)),
}
