"""`python -m spinedet.export manifest=MANIFEST to=coco`: a manifest in the form that another tool reads."""

from __future__ import annotations

from dataclasses import dataclass, field

from omegaconf import MISSING

from spinedet.cli.app import register, run_as_script, run_command
from spinedet.cli.settings import CommonConfig
from spinedet.core.anatomy import Plane
from spinedet.core.errors import InputError
from spinedet.formats.export_targets import DESTINATIONS


@dataclass
class ExportConfig(CommonConfig):
    """A manifest, and for whom.

    Attributes:
        manifest: the file. to: coco, slicer, monai or nndetection.
        planes: of the series that go out; all when empty. weightings: of these series.
        oblique: series that are not along the patient's axes are skipped by formats without oblique boxes, or go out
            with the hulls of their boxes: skip or hull.
    """

    manifest: str = MISSING
    to: str = MISSING
    planes: list[str] = field(default_factory=list)
    weightings: list[str] = field(default_factory=lambda: ["T2"])
    oblique: str = "skip"

    def __post_init__(self) -> None:
        if self.to not in ("???", *DESTINATIONS):
            raise InputError(f"to={self.to}: use one of {', '.join(DESTINATIONS)}")
        if set(self.planes) - {plane.value for plane in Plane}:
            raise InputError(f"planes={self.planes}: use sagittal, axial or both")
        if self.oblique not in ("skip", "hull"):
            raise InputError(f"oblique={self.oblique}: use skip or hull")


def main() -> None:
    """Entry point."""
    register(ExportConfig, "export")
    run_command("export", "spinedet.commands.export:export")


if __name__ == "__main__":
    run_as_script("export")
