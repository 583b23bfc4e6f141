"""Radiographs: their views, records, and the manifest of a cohort (`spinedet-radiographs`)."""

from spinedet.core.radiograph.manifest import (
    phantom_note,
    read_radiograph_cohort,
    read_radiographs,
    write_radiographs,
)
from spinedet.core.radiograph.types import (
    OTHER,
    PixelBox,
    Place,
    Radiograph,
    RadiographManifest,
    RadiographStudy,
    Task,
)
from spinedet.core.radiograph.views import AP, LATERAL, VIEWS, ViewSpec

__all__ = [
    "AP",
    "LATERAL",
    "OTHER",
    "VIEWS",
    "PixelBox",
    "Place",
    "Radiograph",
    "RadiographManifest",
    "RadiographStudy",
    "Task",
    "ViewSpec",
    "phantom_note",
    "read_radiograph_cohort",
    "read_radiographs",
    "write_radiographs",
]
