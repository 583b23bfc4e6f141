"""Small pictures of radiographs, with reference boxes."""

from __future__ import annotations

from collections.abc import Sequence
from io import BytesIO

import numpy as np
from PIL import Image, ImageDraw

from spinedet.imaging.radiograph.records import Box, RadiographImage

_OUTLINE = 255
# Fewer grey values make the files half as large; nobody tells them apart at this size.
_GREYS = 64


def thumbnail(image: RadiographImage, boxes: Sequence[Box], length: int) -> bytes:
    """PNG of at most `length` pixels, the aspect kept; boxes are in stored pixels."""
    rows, columns = image.pixels.shape
    factor = min(1.0, length / max(rows, columns))
    size = max(1, round(columns * factor)), max(1, round(rows * factor))
    levels = (np.rint(image.pixels * (_GREYS - 1)) * (255 / (_GREYS - 1))).astype(np.uint8)
    picture = Image.fromarray(levels).resize(size, Image.Resampling.BOX, reducing_gap=2.0)
    draw = ImageDraw.Draw(picture)
    for box in boxes:
        draw.rectangle([edge * factor for edge in image.flip_box(box)], outline=_OUTLINE)
    stream = BytesIO()
    picture.save(stream, "PNG", optimize=True)
    return stream.getvalue()
