"""Radiographs as PNG, TIFF or JPEG files."""

from __future__ import annotations

import struct
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image, UnidentifiedImageError

from spinedet.core.errors import InputError
from spinedet.imaging.radiograph.records import Pixels, Polarity, StoredRadiograph
from spinedet.imaging.size_limits import check_pixels
from spinedet.imaging.suitability import InputCheck, Suitability

_FORMATS = ("PNG", "TIFF", "JPEG")
SUFFIXES = (".png", ".tif", ".tiff", ".jpg", ".jpeg")
# What Pillow raises on damaged files.
_FAULTS = (
    *(OSError, EOFError, ValueError, TypeError, LookupError, AttributeError, ArithmeticError, SyntaxError),
    *(MemoryError, RuntimeError, struct.error),
)
# Of TIFF.
_PHOTOMETRIC, _WHITE_IS_ZERO = 262, 0
_BITS, _KIND, _UNSIGNED = 258, 339, 1
# A pixel whose channels differ by more, of 255, is coloured: JPEG colours grey by less.
_COLOURED = 24
# From this share of coloured pixels on, an image is a picture of something; below, it carries coloured marks.
_PICTURE = 0.02
# Luminance, ITU-R BT.601.
_LUMINANCE = np.array([0.299, 0.587, 0.114], dtype=np.float32)


def read_raster(path: Path) -> StoredRadiograph:
    """Grey values of a PNG, TIFF or JPEG file, 8 or 16 bits.

    Raises:
        InputError: damaged, another format, several pages, black and white alone, turned by an EXIF tag, or not finite.
    """
    with _opened(path) as image:
        _refuse_pages(path, image)
        form = f"{image.format} {image.width} x {image.height}, mode {image.mode}"
        inverted = _stores_white_as_zero(image)
        values, doubts, steps = _grey(path, image)
    if not np.isfinite(values).all():
        raise InputError(f"{path} holds values that are no finite numbers; export it again")
    polarity = Polarity()
    if inverted:
        polarity = Polarity(False, "TIFF PhotometricInterpretation")
    top = float(np.iinfo(values.dtype).max) if values.dtype.kind in "iu" else float(values.max())
    return StoredRadiograph(
        grey=values.astype(np.float32),
        polarity=polarity,
        levels=len(np.unique(values)),
        lowest=values == 0,
        highest=values == top,
        doubts=doubts,
        steps=(form, *steps),
    )


@contextmanager
def _opened(path: Path) -> Iterator[Image.Image]:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of a large image, which is refused by its size below
            with Image.open(path, formats=_FORMATS) as image:
                check_pixels(image.width, image.height, str(path))
                yield image
    except InputError:
        raise
    except FileNotFoundError:
        raise InputError(f"{path} does not exist; check the path") from None
    except PermissionError:
        raise InputError(f"{path} cannot be read; check its permissions") from None
    except Image.DecompressionBombError as error:  # by the size in the header, before it is known here
        raise InputError(
            f"{path} has far too many pixels ({error}); its header is damaged, or reduce it first"
        ) from None
    except UnidentifiedImageError:
        raise InputError(
            f"{path} cannot be read (damaged, or pixels of a kind that is not read); copy it again, or export it with "
            "8 or 16 bits of grey"
        ) from None
    except _FAULTS as error:
        reason = str(error).split("\n")[0]
        raise InputError(
            f"{path} cannot be read ({reason}); it may be cut short or no radiograph, copy it again"
        ) from None


def _refuse_pages(path: Path, image: Image.Image) -> None:
    pages = getattr(image, "n_frames", 1)
    if pages > 1:
        raise InputError(f"{path} holds {pages} pages; save each radiograph as a file of its own")
    if image.mode == "1":
        raise InputError(f"{path} holds black and white alone, no grey values; export the radiograph again")
    if image.getexif().get(ExifTags.Base.Orientation, 1) != 1:
        raise InputError(f"{path} is turned by its EXIF tag; save it upright, without the tag")


def _stores_white_as_zero(image: Image.Image) -> bool:
    """Whether 0 is white in what Pillow gives: it inverts 8-bit images by itself and leaves deeper ones as they are."""
    tags = getattr(image, "tag_v2", None)
    return tags is not None and tags.get(_PHOTOMETRIC) == _WHITE_IS_ZERO and image.mode not in ("L", "P")


def _is_unsigned(image: Image.Image) -> bool:
    """Whether these are unsigned values of 32 bits, which Pillow gives as signed ones."""
    tags: Any = getattr(image, "tag_v2", None) or {}
    return image.mode == "I" and tags.get(_BITS) == (32,) and tags.get(_KIND, (_UNSIGNED,)) == (_UNSIGNED,)


def _grey(path: Path, image: Image.Image) -> tuple[NDArray[Any], tuple[InputCheck, ...], tuple[str, ...]]:
    """Grey values in the file's own depth, with what is doubtful about them and what was done."""
    if image.mode in ("L", "F", "I") or image.mode.startswith("I;16"):
        values = np.asarray(image)
        if _is_unsigned(image):
            values = values.view(np.uint32)
        if image.mode == "I" and values.min() >= 0 and values.max() <= np.iinfo(np.uint16).max:
            values = values.astype(np.uint16)
        return values, (), ()
    if image.mode in ("LA", "P", "PA", "RGB", "RGBA", "RGBX", "CMYK", "YCbCr"):
        channels = np.asarray(image.convert("RGB"))
        values, doubts = grey_of_colour(channels)
        return values, doubts, ("colour to luminance",)
    raise InputError(f"{path} has pixels of an unusual kind ({image.mode}); export it with 8 or 16 bits of grey")


def grey_of_colour(channels: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], tuple[InputCheck, ...]]:
    """Luminance of (row, column, 3) and whether so much is coloured that this is a picture of something else."""
    spread = channels.max(axis=-1).astype(np.int16) - channels.min(axis=-1)
    share = float((spread > _COLOURED).mean())
    grey: Pixels = channels.astype(np.float32) @ _LUMINANCE
    values = np.clip(np.rint(grey), 0, 255).astype(np.uint8)
    if share == 0:
        return values, ()
    if share >= _PICTURE:
        return values, (
            InputCheck("image", Suitability.REJECTED, f"{share:.0%} of the pixels are coloured, as in a photograph"),
        )
    return values, (InputCheck("image", Suitability.DOUBTFUL, "it carries coloured marks, as a screenshot does"),)
