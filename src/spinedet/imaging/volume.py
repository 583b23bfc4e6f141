"""One image volume in RAS millimetres, from whatever file holds it."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from spinedet.core.anatomy import Plane
from spinedet.core.errors import InputError
from spinedet.core.folder_walk import list_files
from spinedet.core.geometry import Array, Grid
from spinedet.imaging.dicom import Block, StudySelection, index_folder, only_block, read_block, select_series
from spinedet.imaging.dicom.records import Pseudonyms
from spinedet.imaging.image_files import SUFFIXES, read_file, read_header
from spinedet.imaging.settings import SelectionRules
from spinedet.imaging.size_limits import check_extent

Voxels: TypeAlias = NDArray[np.float32]
# So many are named when nothing in a folder can be used.
_MOST_REJECTIONS = 5


@dataclass(frozen=True, eq=False)
class Volume:
    """Voxels `array`, float32 (i, j, k), and where they lie."""

    array: Voxels
    grid: Grid

    def __post_init__(self) -> None:
        if self.array.shape != self.grid.shape or self.array.dtype != np.float32:
            raise ValueError(f"array {self.array.dtype} {self.array.shape} does not fit a grid of {self.grid.shape}")


@dataclass(frozen=True, eq=False)
class ImageSource:
    """Something that reads as one volume: an image file, or one stack of DICOM slices.

    `id` is free of the patient: the file's name as the user gave it, or `series-` and the DICOM series number, with a
    suffix where a series holds several stacks.

    Attributes:
        study: `study`, or `study-` and a salted hash where a folder holds several; for a file its id.
        plane: of a DICOM stack, which may be tilted further than its geometry alone would allow.
    """

    id: str
    path: Path
    study: str
    plane: Plane | None = None
    block: Block | None = None

    def read(self) -> Volume:
        """The volume.

        Raises:
            InputError: as `read_volume`.
        """
        if self.block is None:
            return _checked(*read_file(self.path), str(self.path))
        if self.block.fault:
            raise InputError(f"{self.path}, {self.id}: {self.block.fault}")
        return _checked(*read_block(self.block), f"{self.path}, {self.id}")


@dataclass(frozen=True, eq=False)
class ImageIndex:
    """What a path holds: images to read, and for each DICOM study the decision on every stack.

    Attributes:
        left_out: path and reason of links and folders that were not followed.
    """

    images: tuple[ImageSource, ...]
    choices: tuple[StudySelection, ...] = ()
    left_out: dict[Path, str] = field(default_factory=dict)


def read_volume(path: Path) -> Volume:
    """Read a NIfTI, MHA, MHD or NRRD file, or a folder that holds one DICOM series of one stack.

    Raises:
        InputError: the image is missing, damaged, not one scalar 3D volume of finite, varying values, or does not
            say how it lies in the patient; the message names the path and the remedy.
    """
    if not path.exists():
        raise InputError(f"{path} does not exist; check the path")
    block = only_block(path) if path.is_dir() else None
    return ImageSource(block.id if block else path.name, path, "study", block=block).read()


def read_grid(path: Path) -> Grid:
    """Where the voxels of `read_volume` lie, from headers alone.

    Raises:
        InputError: as `read_volume`, as far as headers show it.
    """
    if not path.exists():
        raise InputError(f"{path} does not exist; check the path")
    return only_block(path).grid if path.is_dir() else _placed(*read_header(path), str(path))


def find_images(path: Path) -> tuple[ImageSource, ...]:
    """The images of `index_images`, chosen by the usual rules."""
    return index_images(path).images


def index_images(path: Path, rules: SelectionRules | None = None) -> ImageIndex:
    """What a path holds: itself when it is an image file, else a folder's image files and chosen DICOM series.

    Nothing but headers is read; a source that is no usable volume raises when read.

    Raises:
        InputError: there is no such path, no image in it, no DICOM series that is fit to be read, or `rules` name a
            series that is not there.
    """
    rules = rules or SelectionRules()
    if not path.is_dir():
        if not path.exists():
            raise InputError(f"{path} does not exist; check the path")
        name = _name(path, path.parent)
        return ImageIndex((ImageSource(name, path, name),))
    listing = list_files(path)
    listing.warn()
    files = [file for file in listing.files if file.name.lower().endswith(SUFFIXES)]
    found = [ImageSource(_name(file, path), file, _name(file, path)) for file in files]
    choices = _choices(path, rules, listing.files)
    for choice in choices:
        study = "study" if len(choices) == 1 else f"study-{choice.study.key}"
        found += [ImageSource(block.id, path, study, plane, block) for plane, block in choice.blocks]
    if not found and not choices:
        raise InputError(f"{path} holds no image; give an image file ({', '.join(SUFFIXES)}) or a DICOM folder")
    if not found:
        raise InputError(f"{path} holds no T2 sagittal or axial series: {_rejections(choices)}; name one with series=")
    return ImageIndex(tuple(found), choices, listing.left_out)


def _choices(folder: Path, rules: SelectionRules, files: Sequence[Path]) -> tuple[StudySelection, ...]:
    pseudonyms = Pseudonyms.of_salt(rules.salt)
    studies = index_folder(folder, pseudonyms, files=files)
    choices = tuple(select_series(study, rules, pseudonyms) for study in studies)
    if rules.series and choices and not any(choice.blocks for choice in choices):
        there = sorted({decision.series for choice in choices for decision in choice.decisions})
        raise InputError(f"series={rules.series} is not in {folder}; it holds {', '.join(there)}")
    return choices


def _rejections(choices: tuple[StudySelection, ...]) -> str:
    decisions = [decision for choice in choices for decision in choice.decisions]
    return "; ".join(f"{decision.series}, {decision.reasons[-1]}" for decision in decisions[:_MOST_REJECTIONS])


def write_volume(path: Path, volume: Volume) -> None:
    """Write NIfTI atomically: int16 when that loses nothing, else float32."""
    import nibabel as nib  # only where it is used: `--help` would wait for it

    array, limits = volume.array, np.iinfo(np.int16)
    whole = limits.min <= array.min() and array.max() <= limits.max and bool((array == np.round(array)).all())
    image = nib.Nifti1Image(array.astype(np.int16) if whole else array, volume.grid.affine)
    image.header.set_xyzt_units("mm")
    image.set_qform(volume.grid.affine, code="scanner")
    image.set_sform(volume.grid.affine, code="scanner")
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=".") as folder:
        temporary = Path(folder) / path.name
        nib.save(image, temporary)
        os.replace(temporary, path)


def _name(file: Path, root: Path) -> str:
    relative = file.relative_to(root)
    suffix = next((s for s in SUFFIXES if file.name.lower().endswith(s)), "")
    return "-".join((*relative.parts[:-1], file.name[: len(file.name) - len(suffix)]))


def _checked(array: Voxels, affine: Array, where: str) -> Volume:
    """The door for every format: one 3D volume of finite, varying values on a usable grid."""
    # One slice is a volume, a line of voxels is none.
    if array.ndim != 3 or sorted(array.shape)[1] < 2:
        raise InputError(
            f"{where} holds no 3D volume (its shape is {array.shape}); give one volume of slices, "
            "one channel and one time point"
        )
    # One number suffices: a sum over NaN or infinity is not finite, and needs no second array.
    if not np.isfinite(array.sum(dtype=np.float64)):
        raise InputError(f"{where} holds NaN or infinite voxels; write the image again with finite values")
    if array.min() == array.max():
        raise InputError(f"{where} is constant (every voxel is {array.flat[0]:g}); it shows nothing, export it again")
    return Volume(array, _placed((array.shape[0], array.shape[1], array.shape[2]), affine, where))


def _placed(shape: tuple[int, int, int], affine: Array, where: str) -> Grid:
    try:
        grid = Grid(shape, affine)
    except InputError as error:
        raise InputError(f"{where}: {error}; convert the image again from its DICOM files") from None
    check_extent(grid, where)
    return grid
