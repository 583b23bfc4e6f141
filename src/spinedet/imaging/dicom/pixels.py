"""The voxels of one stack, in the scanner's units."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.pixels.utils import iter_pixels
from pydicom.uid import ImplicitVRLittleEndian

from spinedet.core.errors import InputError
from spinedet.core.geometry import Array
from spinedet.imaging.dicom.headers import DAMAGE, functional_groups, read_with_pixels
from spinedet.imaging.dicom.stacks import Block
from spinedet.imaging.padding import fill_padding, undeclared_padding
from spinedet.imaging.size_limits import check_voxels

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
    "PixelPaddingValue",
    "PixelPaddingRangeLimit",
    "SharedFunctionalGroupsSequence",
    "PerFrameFunctionalGroupsSequence",
    "ExtendedOffsetTable",
    "ExtendedOffsetTableLengths",
    "PixelData",
]


def read_block(block: Block) -> tuple[NDArray[np.float32], Array]:
    """Voxels (column, row, slice) after rescale slope and intercept, and their affine to RAS mm.

    Padding (PixelPaddingValue up to PixelPaddingRangeLimit, or the lowest number of a signed type) becomes background.

    Raises:
        InputError: the stack has a fault or is too large, or a file's pixels cannot be decoded.
    """
    grid = block.grid
    check_voxels(grid.shape, block.id)
    array = np.empty(grid.shape[::-1], dtype=np.float32)
    wanted: dict[str, list[tuple[int, int]]] = defaultdict(list)
    for place, piece in enumerate(block.slices):
        wanted[piece.file].append((piece.frame, place))
    for file, frames in wanted.items():
        frames.sort()
        images = _images(file, [frame for frame, _ in frames])
        for (_, place), image in zip(frames, images, strict=True):
            array[place] = image
    padded = np.isnan(array)
    if padded.any():
        if padded.all():
            raise InputError(f"{block.id}: every pixel is padding (PixelPaddingValue); export the series again")
        fill_padding(array, padded)
    return array.T, grid.affine


def _images(file: str, frames: list[int]) -> Iterator[NDArray[np.float32]]:
    """Grey values (row, column) of these frames of a file; padding is NaN."""
    try:
        image = read_with_pixels(file, PIXEL_TAGS)
        # What a file without the preamble of part 10 is written in, by default.
        image.file_meta.setdefault("TransferSyntaxUID", ImplicitVRLittleEndian)
        one = int(image.get("NumberOfFrames") or 1) == 1
        pixels = iter([image.pixel_array]) if one else iter_pixels(image, indices=frames)
        for frame, values in zip(frames, pixels, strict=True):
            slope, intercept = _rescale(image, frame)
            grey = values.astype(np.float32).reshape(image.Rows, image.Columns) * slope + intercept
            grey[padding_mask(image, values).reshape(grey.shape)] = np.nan
            yield grey
    except (*DAMAGE, RuntimeError) as error:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise InputError(f"{file}: no pixels can be read ({reason}); export it again, uncompressed") from None


def _rescale(image: Dataset, frame: int) -> tuple[np.float32, np.float32]:
    """Slope and intercept; a slope of 0, which some writers leave for none, counts as 1."""
    sources = [*functional_groups(image, frame), image]
    source = next((one for one in sources if "RescaleSlope" in one), image)
    return np.float32(source.get("RescaleSlope") or 1), np.float32(source.get("RescaleIntercept") or 0)


def padding_mask(image: Dataset, values: NDArray[Any]) -> NDArray[np.bool_]:
    """Where stored values are those that the file reserves for what was not acquired, or the lowest of their type."""
    if image.get("PixelPaddingValue") is None:
        undeclared = undeclared_padding(values)
        return np.zeros(values.shape, dtype=bool) if undeclared is None else undeclared
    limit = image.get("PixelPaddingRangeLimit")
    ends = [int(image.PixelPaddingValue), int(image.PixelPaddingValue if limit is None else limit)]
    # Writers give a signed value as unsigned and the reverse, or one wider than the bits that are stored.
    padded = np.zeros(values.shape, dtype=bool)
    for bits in {int(image.BitsAllocated), int(image.BitsStored)}:
        low, high = sorted(_as_stored(end, bits, bool(image.PixelRepresentation)) for end in ends)
        padded |= (values >= low) & (values <= high)
    return padded


def _as_stored(value: int, bits: int, signed: bool) -> int:
    """The lowest bits of a value read in two's complement, or without a sign."""
    low = value & ((1 << bits) - 1)
    return low - (1 << bits) if signed and low >> (bits - 1) else low
