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
# Metal ends within a pixel or two: from this step on, of the range, at half of its rim.
_SHARP = 0.08
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
    factor = max(1, round(max(image.pixels.shape) / _LENGTH))
    small = image.pixels[::factor, ::factor]
    pieces = _pieces(small, _LIKELY)
    if not pieces.any():
        return ()
    certain = _pieces(small, _CERTAIN)
    reach = max(1, round(_TOGETHER * small.shape[1] / 2))
    groups, _ = ndimage.label(ndimage.binary_dilation(pieces, iterations=reach))
    found = []
    for number, place in enumerate(ndimage.find_objects(groups), start=1):
        inside = pieces[place] & (groups[place] == number)
        share = float(inside.sum()) / small.size
        if share < _SMALLEST:
            continue
        rows, columns = np.nonzero(inside)
        top, left = place[0].start, place[1].start
        box = _scaled((left + columns.min(), top + rows.min(), left + columns.max() + 1, top + rows.max() + 1), factor)
        sure = float((certain[place] & (groups[place] == number)).sum()) / small.size
        found.append(MetalGroup(box, share, sure, share * _weight(box, image.field.box)))
    return tuple(sorted(found, key=lambda one: one.score, reverse=True))


def metal_crop(image: RadiographImage) -> Box | None:
    """A square around the likeliest hardware, within the image, in its pixels; None without metal."""
    groups = metal_groups(image)
    if not groups:
        return None
    x0, y0, x1, y1 = groups[0].box
    rows, columns = image.pixels.shape
    wanted = CROP_MM / image.spacing.mm if image.spacing else CROP_SHARE * columns
    length = min(max(wanted, x1 - x0, y1 - y0), float(rows), float(columns))
    left = min(max((x0 + x1 - length) / 2, 0.0), columns - length)
    top = min(max((y0 + y1 - length) / 2, 0.0), rows - length)
    return left, top, left + length, top + length


def _pieces(pixels: Pixels, least: float) -> Mask:
    """Regions of at least this brightness that stand out from their surroundings behind a sharp rim."""
    around = ndimage.uniform_filter(pixels, max(3, min(pixels.shape) // 10))
    bright = (pixels >= least) & (pixels - around >= _ABOVE)
    step = np.hypot(ndimage.sobel(pixels, 0), ndimage.sobel(pixels, 1)) / 8
    labels, count = ndimage.label(bright)
    if count == 0:
        return bright
    rim = bright & ~ndimage.binary_erosion(bright)
    numbers = np.arange(1, count + 1)
    sharp = ndimage.mean((ndimage.maximum_filter(step, 3) >= _SHARP).astype(float), np.where(rim, labels, 0), numbers)
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
