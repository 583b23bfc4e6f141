"""What every export takes: the scans of a manifest one by one, and how their images reach another tool's folder."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from spinedet.core.files import file_name_of
from spinedet.core.geometry import Grid
from spinedet.core.types import Lesion, Manifest, Series, Study
from spinedet.imaging.image_files import SUFFIXES
from spinedet.imaging.volume import Volume, write_volume

NIFTI = ".nii.gz"


@dataclass(frozen=True, eq=False)
class OutgoingScan:
    """One series with its image in memory and its lesions."""

    study: Study
    series: Series
    volume: Volume
    lesions: tuple[Lesion, ...]

    @property
    def grid(self) -> Grid:
        """Where the image's voxels lie."""
        return self.volume.grid

    @property
    def where(self) -> str:
        """Study and series, for messages."""
        return f"{self.study.id}/{self.series.id}"

    @property
    def file_name(self) -> str:
        """Study and series as one word that every file system and nnDetection take; it has no full stop."""
        return file_name_of(self.study.id.replace(".", "_"), self.series.id.replace(".", "_"))


@dataclass(frozen=True)
class Outgoing:
    """A manifest on its way out.

    Attributes:
        folder: the export's own.
        scans: read lazily, once.
        hull: whether boxes of oblique series may go into formats without oblique boxes as their hulls.
    """

    manifest: Manifest
    folder: Path
    scans: Iterable[OutgoingScan]
    hull: bool = False


def link_image(scan: OutgoingScan, folder: Path, name: str) -> Path:
    """The scan's image in `folder`: a link to its file, or a NIfTI file where it is a DICOM series."""
    image = scan.series.path
    suffix = next((s for s in SUFFIXES if image.name.lower().endswith(s)), "")
    if not image.is_file() or not suffix:
        return save_nifti(scan, folder, name)
    folder.mkdir(parents=True, exist_ok=True)
    link = folder / f"{name}{suffix}"
    link.symlink_to(os.path.relpath(image.resolve(), folder.resolve()))
    return link


def save_nifti(scan: OutgoingScan, folder: Path, name: str) -> Path:
    """The scan's image in `folder` as compressed NIfTI: a link where it is that already."""
    if scan.series.path.is_file() and scan.series.path.name.endswith(NIFTI):
        return link_image(scan, folder, name)
    path = folder / f"{name}{NIFTI}"
    write_volume(path, scan.volume)
    return path


def relative(path: Path, folder: Path) -> str:
    """A path as a file in `folder` shall name it."""
    return Path(os.path.relpath(path.parent.resolve() / path.name, folder.resolve())).as_posix()
