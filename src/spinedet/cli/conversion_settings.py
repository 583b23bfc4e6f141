"""Settings of every conversion of a data set."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from omegaconf import MISSING

from spinedet.cli.settings import CommonConfig
from spinedet.core.errors import InputError
from spinedet.core.types import Split


@dataclass
class ConversionConfig(CommonConfig):
    """A data set, and how its manifest shall look.

    Attributes:
        source: the data set's format; its own settings are source.*. root: the folder (or file) that holds it.
        center: of all studies; as in the data set when null.
        split: of all studies: train, tune, test, `published` as in the data set, or null.
        paths: of the images in the manifest: relative to it, or absolute. Images are never copied.
        hashes: record each image's sha256. pictures: draw the boxes of this many studies.
    """

    source: Any = MISSING
    root: str = MISSING
    center: str | None = None
    split: str | None = None
    paths: str = "relative"
    hashes: bool = True
    pictures: int = 3

    def __post_init__(self) -> None:
        if self.split not in (None, "published", *(split.value for split in Split)):
            raise InputError(f"split={self.split}: use published, train, tune, test or null")
        if self.paths not in ("relative", "absolute"):
            raise InputError(f"paths={self.paths}: use relative or absolute")

    def changes(self, center: str, split: Split | None) -> dict[str, str | Split | None]:
        """Centre and split that a study gets, from those of the data set."""
        asked = split if self.split == "published" else Split(self.split) if self.split else None
        return {"split": asked, "center": self.center or center}
