"""`python -m spinedet.radiograph.convert source=vindr root=DIR`: a public set, or a table, to radiographs."""

from __future__ import annotations

from dataclasses import dataclass

from spinedet.cli.app import register, run_as_script, run_command
from spinedet.cli.conversion_settings import ConversionConfig
from spinedet.datasets.radiographs.registry import RADIOGRAPH_SOURCES


@dataclass
class RadiographConvertConfig(ConversionConfig):
    """A data set of radiographs, and how its manifest shall look.

    Attributes:
        pictures: draw so many images with their boxes.
    """

    split: str | None = "published"


def main() -> None:
    """Entry point."""
    register(RadiographConvertConfig, "radiograph.convert", {"source": RADIOGRAPH_SOURCES})
    run_command("radiograph.convert", "spinedet.radiograph.commands.convert:convert")


if __name__ == "__main__":
    run_as_script("radiograph.convert")
