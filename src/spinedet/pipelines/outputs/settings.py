"""Settings of outputs, importable without their libraries."""

from __future__ import annotations

from dataclasses import dataclass

from spinedet.core.errors import InputError

GEOMETRIES = ("slices", "volume")


@dataclass
class ReportSettings:
    """What goes into a DICOM report.

    Attributes:
        geometry: boxes as rectangles on each slice (slices), or as surfaces in patient space (volume).
        min_score: findings from this score on are in it; those above the operating point when null.
        fused: write a second document, with the findings of all series in patient space as surfaces.
        images: write key images as well: pictures with the boxes drawn in, and a selection of the slices.
    """

    geometry: str = "slices"
    min_score: float | None = None
    fused: bool = False
    images: bool = False

    def __post_init__(self) -> None:
        if self.geometry not in GEOMETRIES:
            raise InputError(f"sr.geometry={self.geometry}: use {' or '.join(GEOMETRIES)}")


@dataclass
class FhirSettings:
    """What goes into FHIR resources.

    Attributes:
        min_score: findings from this score on are in them; those above the operating point when null.
        identified: write a second file, in `dicom/`, that names patient, examination and series.
    """

    min_score: float | None = None
    identified: bool = False
