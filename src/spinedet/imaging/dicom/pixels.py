"""The voxels of one stack, in the scanner's units."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.pixels.utils import iter_pixels
from pydicom.uid import ImplicitVRLittleEndian

from spinedet.core.errors import InputError
from spinedet.core.geometry import Array
from spinedet.imaging.dicom.headers import functional_groups
from spinedet.imaging.dicom.stacks import Block

PIXEL_TAGS = [
    "Rows",
    "Columns",
    "SamplesPerPixel",
    "PhotometricInterpretation",
    "NumberOfFrames",
    "BitsAllocated",
    "BitsStored",
    "HighBit",
    "PixelRepresentation",
    "RescaleSlope",
    "RescaleIntercept",
    "SharedFunctionalGroupsSequence",
    "PerFrameFunctionalGroupsSequence",
    "ExtendedOffsetTable",
    "ExtendedOffsetTableLengths",
    "PixelData",
]
_FAULTS = (OSError, EOFError, ValueError, RuntimeError, AttributeError, NotImplementedError, KeyError, TypeError)


def read_block(block: Block) -> tuple[NDArray[np.float32], Array]:
    """Voxels (column, row, slice) after rescale slope and intercept, and their affine to RAS mm.

    Raises:
        InputError: the stack has a fault, or a file's pixels cannot be decoded.
    """
    grid = block.grid
    array = np.empty(grid.shape[::-1], dtype=np.float32)
    wanted: dict[str, list[tuple[int, int]]] = defaultdict(list)
    for place, piece in enumerate(block.slices):
        wanted[piece.file].append((piece.frame, place))
    for file, frames in wanted.items():
        frames.sort()
        images = _images(file, [frame for frame, _ in frames])
        for (_, place), image in zip(frames, images, strict=True):
            array[place] = image
    return array.T, grid.affine


def _images(file: str, frames: list[int]) -> Iterator[NDArray[np.float32]]:
    """Grey values (row, column) of these frames of a file."""
    try:
        image = dcmread(file, specific_tags=PIXEL_TAGS, force=True)
        # What a file without the preamble of part 10 is written in, by default.
        image.file_meta.setdefault("TransferSyntaxUID", ImplicitVRLittleEndian)
        one = int(image.get("NumberOfFrames") or 1) == 1
        pixels = iter([image.pixel_array]) if one else iter_pixels(image, indices=frames)
        for frame, values in zip(frames, pixels, strict=True):
            slope, intercept = _rescale(image, frame)
            yield values.astype(np.float32).reshape(image.Rows, image.Columns) * slope + intercept
    except _FAULTS as error:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise InputError(f"{file}: no pixels can be read ({reason}); export it again, uncompressed") from None


def _rescale(image: Dataset, frame: int) -> tuple[np.float32, np.float32]:
    """Slope and intercept; a slope of 0, which some writers leave for none, counts as 1."""
    sources = [*functional_groups(image, frame), image]
    source = next((one for one in sources if "RescaleSlope" in one), image)
    return np.float32(source.get("RescaleSlope") or 1), np.float32(source.get("RescaleIntercept") or 0)
