"""What an audit finds, and beyond which limits it speaks up."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Severity(str, Enum):
    """How much a fault hurts.

    `error`: commands refuse the manifest, or numbers would be wrong. `unreadable`: the study would be skipped.
    `warning`: should be checked.
    """

    ERROR = "error"
    UNREADABLE = "unreadable"
    WARNING = "warning"


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault: its kind, what it was found in, and one sentence with the remedy.

    Attributes:
        code: the kind, as listed in docs/check.md. where: manifest, study, series or lesion, from the outside in.
    """

    code: str
    severity: Severity
    where: tuple[str, ...]
    message: str


@dataclass
class AuditLimits:
    """Beyond these the audit warns.

    Attributes:
        box_outside_mm: a box may reach so far beyond its image.
        smallest_edge_mm, largest_edge_mm: of a box.
        odd_size: a box's volume against the median of its plane and category, as a factor either way.
        odd_spacing: pixel size or slice pitch against the median of the plane, as a factor either way.
        outliers_from: series or boxes that a median is taken of, at least.
        max_pixel_mm, max_pitch_mm: coarser is unusual for spine MRI.
        max_tilt_degrees: of a sagittal series against the patient's axes.
        saturated: share of the voxels within the body that have the highest value.
        empty_slices: share of the slices that show nothing.
        side_mm: the middle of a box marked left or right may lie so far on the other side of the image's middle.
        level_mm: a lower disc may lie so far above a higher one.
        air: mean grey value in a box against the image's bright tissue, below which the box lies in air.
        same_box: IoU of two boxes of one category from which they are one.
        missing_plane: share of studies that have a plane, from which its absence in another is reported.
    """

    box_outside_mm: float = 5.0
    smallest_edge_mm: float = 1.0
    largest_edge_mm: float = 120.0
    odd_size: float = 8.0
    odd_spacing: float = 2.5
    outliers_from: int = 5
    max_pixel_mm: float = 2.0
    max_pitch_mm: float = 8.0
    max_tilt_degrees: float = 35.0
    saturated: float = 0.05
    empty_slices: float = 0.25
    side_mm: float = 5.0
    level_mm: float = 5.0
    air: float = 0.04
    same_box: float = 0.95
    missing_plane: float = 0.8
