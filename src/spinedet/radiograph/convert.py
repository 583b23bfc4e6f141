"""`python -m spinedet.radiograph.convert source=vindr root=DIR`: a public set, or a table, to radiographs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from omegaconf import MISSING

from spinedet.cli.app import register, run_as_script, run_command
from spinedet.cli.settings import CommonConfig
from spinedet.core.errors import InputError
from spinedet.core.types import Split
from spinedet.datasets.radiographs.registry import RADIOGRAPH_SOURCES


@dataclass
class RadiographConvertConfig(CommonConfig):
    """A data set of radiographs, and how its manifest shall look.

    Attributes:
        source: the data set's format; its own settings are source.*. root: the folder (or CSV file) that holds it.
        center: of all studies; as the data set says when null.
        split: of all studies: train, tune, test, `published` as the data set says, or null.
        paths: of the images in the manifest: relative to it, or absolute. Images are never copied.
        hashes: record each image's sha256. pictures: draw so many images with their boxes.
    """

    source: Any = MISSING
    root: str = MISSING
    center: str | None = None
    split: str | None = "published"
    paths: str = "relative"
    hashes: bool = True
    pictures: int = 3

    def __post_init__(self) -> None:
        if self.split not in (None, "published", *(split.value for split in Split)):
            raise InputError(f"split={self.split}: use published, train, tune, test or null")
        if self.paths not in ("relative", "absolute"):
            raise InputError(f"paths={self.paths}: use relative or absolute")


def main() -> None:
    """Entry point."""
    register(RadiographConvertConfig, "radiograph.convert", {"source": RADIOGRAPH_SOURCES})
    run_command("radiograph.convert", "spinedet.radiograph.commands.convert:convert")


if __name__ == "__main__":
    run_as_script("radiograph.convert")
