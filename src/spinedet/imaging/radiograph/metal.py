"""Metal on a radiograph: bright regions with sharp rims, and the crop around the largest group of them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from spinedet.imaging.radiograph.records import Box, Mask, Pixels, RadiographImage

# The image is searched at about this length.
_LENGTH = 512
# Metal is at least so bright, likely and certainly, and so much brighter than what surrounds it, of the range of grey
# values. What either finds on simulated radiographs: docs/radiographs.md, "Metal".
_LIKELY, _CERTAIN, _ABOVE = 0.6, 0.8, 0.15
# In front of the pelvis, white already, metal has little room to be brighter: this share of it is enough. There it is
# told from bone at a level of its own, at which the two do not run together.
_OF_ROOM, _WHITE = 0.65, 0.92
# Metal ends within a pixel or two: from this step on, of the range or of the room, at half of its rim.
_SHARP, _SHARP_OF_ROOM = 0.08, 0.35
# Pieces smaller than this share of the image are noise; a group that is smaller is a clip or a letter.
_SPECK, _SMALLEST = 4e-5, 4e-4
# Pieces nearer than this share of the width belong together.
_TOGETHER = 0.08
# The outer part of the exposed field, where lead letters and markers lie, and what they count there.
_OUTER, _OUTER_WEIGHT = 0.15, 0.2
# The crop: of this length, or of this share of the width where mm are not known.
CROP_MM, CROP_SHARE = 220.0, 0.55


@dataclass(frozen=True, slots=True)
class MetalGroup:
    """Pieces of metal that lie together.

    Attributes:
        box: around them, pixels. share: of the image that they cover; edges of dense bone count too where contrast is
            high. certain: the share of what is as bright as metal alone. score: for the choice between groups.
    """

    box: Box
    share: float
    certain: float
    score: float


def metal_groups(image: RadiographImage) -> tuple[MetalGroup, ...]:
    """Groups of metal, the likeliest hardware first; none where nothing bright has sharp rims."""
    small, factor = _reduced(image)
    return _groups(image, _pieces(small, _LIKELY), _pieces(small, _CERTAIN), factor)


def hardware_groups(image: RadiographImage) -> tuple[MetalGroup, ...]:
    """Where hardware may be, the likeliest first: groups of metal, or else what is whiter than the white around it."""
    found = metal_groups(image)
    return found if found and found[0].score >= _SMALLEST else groups_in_white(image) or found


def groups_in_white(image: RadiographImage) -> tuple[MetalGroup, ...]:
    """What is whiter than the white around it: hardware in front of the pelvis on laterals, and often bone.

    `certain` is 0 throughout.
    """
    small, factor = _reduced(image)
    pieces = _pieces(small, _LIKELY, _OF_ROOM) | _pieces(small, _WHITE, _OF_ROOM)
    return _groups(image, pieces, np.zeros_like(pieces), factor)


def _reduced(image: RadiographImage) -> tuple[Pixels, int]:
    """Every so many pixels of an image, and how many."""
    factor = max(1, round(max(image.pixels.shape) / _LENGTH))
    return image.pixels[::factor, ::factor], factor


def _groups(image: RadiographImage, pieces: Mask, certain: Mask, factor: int) -> tuple[MetalGroup, ...]:
    """Pieces that lie together; both masks are of every `factor`-th pixel."""
    if not pieces.any():
        return ()
    reach = max(1, round(_TOGETHER * pieces.shape[1] / 2))
    groups, _ = ndimage.label(ndimage.binary_dilation(pieces, iterations=reach))
    found = []
    for number, place in enumerate(ndimage.find_objects(groups), start=1):
        inside = pieces[place] & (groups[place] == number)
        share = float(inside.sum()) / pieces.size
        if share < _SMALLEST:
            continue
        rows, columns = np.nonzero(inside)
        top, left = place[0].start, place[1].start
        box = _scaled((left + columns.min(), top + rows.min(), left + columns.max() + 1, top + rows.max() + 1), factor)
        sure = float((certain[place] & (groups[place] == number)).sum()) / pieces.size
        found.append(MetalGroup(box, share, sure, share * _weight(box, image.field.box)))
    return tuple(sorted(found, key=lambda one: one.score, reverse=True))


def metal_crop(image: RadiographImage) -> Box | None:
    """A square around the likeliest hardware, within the image, in its pixels; None without metal."""
    groups = hardware_groups(image)
    return crop_around(image, groups[0].box) if groups else None


def crop_around(image: RadiographImage, hardware: Box) -> Box:
    """The square of `metal_crop` around the box of the hardware."""
    x0, y0, x1, y1 = hardware
    rows, columns = image.pixels.shape
    wanted = CROP_MM / image.spacing.mm if image.spacing else CROP_SHARE * columns
    length = min(max(wanted, x1 - x0, y1 - y0), float(rows), float(columns))
    left = min(max((x0 + x1 - length) / 2, 0.0), columns - length)
    top = min(max((y0 + y1 - length) / 2, 0.0), rows - length)
    return left, top, left + length, top + length


def _pieces(pixels: Pixels, least: float, of_room: float | None = None) -> Mask:
    """Regions of at least this brightness that stand out from their surroundings behind a sharp rim.

    With `of_room`, such a share of what is left up to white is enough to stand out.
    """
    around = ndimage.uniform_filter(pixels, max(3, min(pixels.shape) // 10))
    room = 1 - around
    above = _ABOVE if of_room is None else np.minimum(_ABOVE, of_room * room)
    rise = _SHARP if of_room is None else np.minimum(_SHARP, _SHARP_OF_ROOM * room)
    bright = (pixels >= least) & (pixels - around >= above)
    step = np.hypot(ndimage.sobel(pixels, 0), ndimage.sobel(pixels, 1)) / 8
    steep = ndimage.maximum_filter(step, 3) >= rise
    labels, count = ndimage.label(bright)
    if count == 0:
        return bright
    rim = bright & ~ndimage.binary_erosion(bright)
    numbers = np.arange(1, count + 1)
    sharp = ndimage.mean(steep.astype(float), np.where(rim, labels, 0), numbers)
    sizes = np.bincount(labels.ravel(), minlength=count + 1)[1:]
    kept = numbers[(np.nan_to_num(sharp) >= 0.5) & (sizes >= max(3, _SPECK * pixels.size))]
    return np.isin(labels, kept)


def _scaled(box: tuple[int, int, int, int], factor: int) -> Box:
    x0, y0, x1, y1 = (float(edge * factor) for edge in box)
    return x0, y0, x1, y1


def _weight(box: Box, field: Box) -> float:
    """Less for what lies in the outer part of the field on either side, or at its upper and lower end."""
    middle = ((box[0] + box[2]) / 2, (box[1] + box[3]) / 2)
    for value, low, high in ((middle[0], field[0], field[2]), (middle[1], field[1], field[3])):
        place = (value - low) / max(high - low, 1.0)
        if not _OUTER <= place <= 1 - _OUTER:
            return _OUTER_WEIGHT
    return 1.0
