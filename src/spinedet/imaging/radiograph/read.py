"""A radiograph file to grey values in [0, 1], bone white, in one order of steps, each of them recorded."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from spinedet.core.errors import InputError
from spinedet.core.files import sha256
from spinedet.imaging.dicom.radiograph_views import flips
from spinedet.imaging.dicom.radiographs import read_dicom_radiograph
from spinedet.imaging.radiograph.exposed_field import find_field, mask_of
from spinedet.imaging.radiograph.polarity import CERTAIN, body_contrast
from spinedet.imaging.radiograph.raster import read_raster
from spinedet.imaging.radiograph.records import (
    ExposedField,
    Mask,
    Pixels,
    RadiographImage,
    Spacing,
    SpacingSource,
    StoredRadiograph,
    whole_field,
)
from spinedet.imaging.suitability import InputCheck, Suitability

# How PNG, TIFF (either byte order, also with 64-bit offsets) and JPEG files begin.
_RASTER = (b"\x89PNG", b"II*\x00", b"MM\x00*", b"II+\x00", b"MM\x00+", b"\xff\xd8\xff")
_PREAMBLE = 128
# Percentiles of the exposed field between which grey values are spread.
WINDOW = (0.5, 99.5)
# Percentiles are told from about so many pixels.
_SAMPLES = 1 << 18
# Pixels of another size, mm, are in another unit or damaged: detectors have .05 to .2, whole spines on few pixels 5.
_PIXEL_MM = (0.02, 10.0)
# A field that covers less of the image is no radiograph's.
_LEAST_FIELD = 0.02


@dataclass(frozen=True, slots=True)
class Declared:
    """What a manifest says of a file, which goes before what the file says.

    Attributes:
        mm: of a pixel. sha256: of the file that is meant.
    """

    mm: float | None = None
    sha256: str | None = None


def read_radiograph(path: Path, declared: Declared | None = None) -> RadiographImage:
    """Read one radiograph: modality table, VOI table or window, polarity, exposed field, window of the field.

    Outside the exposed field pixels are black. The image is never resampled.

    Raises:
        InputError: no file, not the one that is meant, damaged, several frames or pages, no grey values, or of one grey
            throughout.
    """
    declared = declared or Declared()
    _refuse_other_file(path, declared)
    stored = _stored(path)
    if declared.mm is not None:
        stored = replace(stored, spacing=Spacing(declared.mm, declared.mm, SpacingSource.MANIFEST))
    return prepare(stored, str(path))


def _refuse_other_file(path: Path, declared: Declared) -> None:
    try:
        if path.is_dir():
            raise InputError(f"{path} is a folder; give the file of one radiograph")
        if not path.is_file():
            raise InputError(f"{path} does not exist; check the path")
        if declared.sha256 is not None and declared.sha256 != sha256(path):
            raise InputError(
                f"{path} is another file than the manifest means (by its sha256); restore it, or hash it again"
            )
    except OSError as error:  # such as a folder that may not be searched, or a name that is too long
        raise InputError(f"{path} cannot be read ({error.strerror}); check path and permissions") from None


def _stored(path: Path) -> StoredRadiograph:
    """By the first bytes of the file, whatever its name says."""
    try:
        with path.open("rb") as stream:
            start = stream.read(_PREAMBLE + 4)
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror}); check its permissions") from None
    if not start:
        raise InputError(f"{path} is empty; copy it again")
    if start[_PREAMBLE:] == b"DICM":
        return read_dicom_radiograph(path)
    if start.startswith(_RASTER):
        return read_raster(path)
    # DICOM without the preamble of part 10 begins with the group of its first tag, 0002 or 0008.
    bare = start[:1] in (b"\x02", b"\x08") and start[1:2] == b"\x00"
    if bare or path.suffix.lower() in (".dcm", ".dicom"):
        return read_dicom_radiograph(path)
    raise InputError(f"{path} is no radiograph that spinedet reads (DICOM, PNG, TIFF or JPEG)")


def prepare(stored: StoredRadiograph, where: str) -> RadiographImage:
    """The image that a stored radiograph gives.

    Raises:
        InputError: all its pixels are of one grey.
    """
    if float(stored.grey.min()) == float(stored.grey.max()):
        raise InputError(f"{where}: all pixels are of one grey; nothing was exposed or exported, export it again")
    search = find_field(stored.grey)
    field, exposed = _field(stored, search.field)
    white, polarity_step, polarity_doubts = _polarity(stored, exposed)
    pixels, window = _windowed(stored.grey, exposed, white)
    across, down = flips(stored.orientation, stored.view.name)
    turned = pixels[:: -1 if down else 1, :: -1 if across else 1]
    spacing, spacing_doubts = _usable(stored.spacing)
    doubts = (*stored.doubts, *spacing_doubts, *polarity_doubts, *_exposures(search.exposures))
    steps = (*stored.steps, polarity_step, _field_step(field), window, *_flip_steps(across, down))
    return RadiographImage(
        pixels=np.ascontiguousarray(turned),
        spacing=spacing,
        view=stored.view,
        field=_flipped(field, stored.grey.shape, across, down),
        flipped=(across, down),
        checks=(*doubts, *_content(stored, exposed)),
        steps=steps,
    )


def _usable(spacing: Spacing | None) -> tuple[Spacing | None, tuple[InputCheck, ...]]:
    """A pixel size that can be right; None with a doubt for another one."""
    if spacing is None or all(_PIXEL_MM[0] <= mm <= _PIXEL_MM[1] for mm in (spacing.rows, spacing.columns)):
        return spacing, ()
    reason = f"pixels of {spacing.rows:g} x {spacing.columns:g} mm cannot be right, and are taken as not known"
    return None, (InputCheck("pixel size", Suitability.DOUBTFUL, reason),)


def _field(stored: StoredRadiograph, by_pixels: ExposedField) -> tuple[ExposedField, Mask]:
    """By the tags where they give one, else by the pixels; padding is never exposed."""
    shape = stored.grey.shape
    exposed = np.ones(shape, dtype=bool)
    for one in stored.fields:
        exposed &= mask_of(one, shape)
    field = stored.fields[0] if len(stored.fields) == 1 else None
    if len(stored.fields) > 1:
        smallest = min(stored.fields, key=lambda one: (one.box[2] - one.box[0]) * (one.box[3] - one.box[1]))
        field = replace(smallest, source="collimator and shutter tags")
    if field is None or exposed.mean() < _LEAST_FIELD:
        field, exposed = by_pixels, mask_of(by_pixels, shape)
    if stored.padded is not None:
        exposed &= ~stored.padded
    if exposed.mean() < _LEAST_FIELD:
        return whole_field(shape), np.ones(shape, dtype=bool)
    return field, exposed


def _polarity(stored: StoredRadiograph, exposed: Mask) -> tuple[bool, str, tuple[InputCheck, ...]]:
    """Whether bone is white in the stored values; what was done about it, and what is doubtful.

    What tags declare is followed. Pixels decide where the tags contradict themselves or nothing is declared, and are
    else only compared.
    """
    contrast = body_contrast(stored.grey, exposed)
    seen = None if abs(contrast) < CERTAIN else contrast > 0
    declared, source = stored.polarity.bone_white, stored.polarity.source
    if declared is None or stored.polarity.contradicted:
        white = seen if seen is not None else True if declared is None else declared
        told = "contradicting tags" if stored.polarity.contradicted else "no declared polarity"
        by = "the pixels" if seen is not None else "no evidence in the pixels"
        doubtful = seen is None or (declared is None and not white)
        reason = f"{told}; bone is {'white' if white else 'black'} as stored, by {by}"
    else:
        white, doubtful = declared, seen is not None and seen != declared
        by = source
        reason = f"{source} says that bone is {'white' if white else 'black'} as stored, the pixels look otherwise"
    step = f"polarity: {'kept' if white else 'inverted'}, by {by}"
    return white, step, (InputCheck("polarity", Suitability.DOUBTFUL, reason),) if doubtful else ()


def _windowed(grey: Pixels, exposed: Mask, white: bool) -> tuple[Pixels, str]:
    """The middle 99 % of the exposed grey values spread over [0, 1]; black outside."""
    used = grey[exposed]
    low, high = np.percentile(used[:: max(1, used.size // _SAMPLES)], WINDOW)
    if not high > low:
        low, high = float(used.min()), float(used.max())
    scaled = np.clip((grey - np.float32(low)) / np.float32(max(high - low, 1e-12)), 0, 1)
    pixels = scaled if white else 1 - scaled
    pixels[~exposed] = 0
    return pixels.astype(np.float32, copy=False), f"window: {low:.6g} to {high:.6g} of the exposed field"


def _field_step(field: ExposedField) -> str:
    if field.is_whole:
        return "exposed field: the whole image"
    turned = f", turned by {field.turned:g} degrees" if field.turned else ""
    return f"exposed field: {' '.join(f'{edge:.0f}' for edge in field.box)} by {field.source}{turned}"


def _flip_steps(across: bool, down: bool) -> tuple[str, ...]:
    named = (("left to right", across), ("upside down", down))
    return tuple(f"flipped {how}, by PatientOrientation" for how, done in named if done)


def _flipped(field: ExposedField, shape: tuple[int, ...], across: bool, down: bool) -> ExposedField:
    if not (across or down):
        return field
    corners = tuple((shape[1] - x if across else x, shape[0] - y if down else y) for x, y in field.corners)
    return replace(field, corners=corners, turned=field.turned if across == down else -field.turned)


def _exposures(count: int) -> tuple[InputCheck, ...]:
    if count < 2:
        return ()
    return (InputCheck("exposures", Suitability.REJECTED, f"{count} exposures on one image; save each as its own"),)


# A radiograph has more grey values, and fewer of its pixels at the ends of the range.
_FEWEST_LEVELS = (8, 48)
_MOST_WHITE, _MOST_CLIPPED = 0.25, 0.8
# The shorter side, pixels: doubtful below.
_SHORT_SIDE = 256


def _content(stored: StoredRadiograph, exposed: Mask) -> tuple[InputCheck, ...]:
    """Whether there are enough pixels, grey values and unclipped pixels for an assessment."""
    found = []
    rejected, doubtful = _FEWEST_LEVELS
    if stored.levels < doubtful:
        how = Suitability.REJECTED if stored.levels < rejected else Suitability.DOUBTFUL
        found.append(InputCheck("grey values", how, f"only {stored.levels} different grey values"))
    low, high = (0.0 if at_end is None else float(at_end[exposed].mean()) for at_end in (stored.lowest, stored.highest))
    if low + high > _MOST_CLIPPED:
        reason = f"{low + high:.0%} of the exposed pixels are at the ends of the range"
        found.append(InputCheck("clipping", Suitability.REJECTED, reason))
    elif (high if stored.polarity.bone_white is not False else low) > _MOST_WHITE:
        found.append(
            InputCheck("clipping", Suitability.DOUBTFUL, "a quarter of the exposed pixels or more is clipped to white")
        )
    side = min(stored.grey.shape)
    if side < _SHORT_SIDE:
        how = Suitability.REJECTED if side < _SHORT_SIDE // 4 else Suitability.DOUBTFUL
        found.append(InputCheck("size", how, f"the shorter side has {side} pixels, fewer than {_SHORT_SIDE}"))
    return tuple(found)
