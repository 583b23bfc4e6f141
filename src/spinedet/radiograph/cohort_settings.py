"""Settings of commands that read cohorts of radiographs."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass
class RadiographData:
    """Which manifests are read; they are taken together, and must be of one task.

    Attributes:
        manifests: files of the format spinedet-radiographs.
    """

    manifests: list[str] = field(default_factory=list)


@dataclass
class RadiographAuditLimits:
    """Beyond these the audit warns.

    Attributes:
        odd_spacing: pixel size against the median of the centre and view, as a factor either way.
        outliers_from: images that a median is taken of, at least.
        missing_view: share of studies that have a view, from which its absence in another is reported.
        few_patients: a label with fewer patients in a split is reported.
        equal_squares: share of a centre's images that are squares of one size, from which they look resized.
        small_side: squares of more pixels are what detectors give.
    """

    odd_spacing: float = 2.0
    outliers_from: int = 5
    missing_view: float = 0.8
    few_patients: int = 5
    equal_squares: float = 0.8
    small_side: int = 1024
