"""One picture per series: its most informative slices, upright and in true proportion, with boxes where the mm say."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.metadata import distribution
from io import BytesIO

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from spinedet.core.colors import FINDING_COLOR, REFERENCE_COLOR
from spinedet.core.geometry import Array, EdgeBox, Grid
from spinedet.core.types import Box
from spinedet.imaging.planes import PlaneSpec, orient
from spinedet.imaging.volume import Volume, Voxels

_TEXT_COLOR = "#f2f2f2"
_MOST_TILES, _FEWEST_TILES = 5, 3
_TILE_HEIGHT, _TILE_WIDTH, _GAP, _CAPTION = 360, 420, 6, 22  # pixels
_FONT = 9.7  # pixels
_WINDOW = (1.0, 99.3)  # percentiles of what is shown that become black and white
_BAR_LENGTHS_MM = (100, 50, 20, 10, 5)
_OPPOSITE = {"R": "L", "L": "R", "A": "P", "P": "A", "S": "I", "I": "S"}


@dataclass(frozen=True, slots=True)
class Mark:
    """A finding to draw: its box, its score, and what to call it (a level or category; may be empty)."""

    box: Box
    score: float
    label: str = ""


@dataclass(frozen=True, eq=False)
class _Sheet:
    """A series ready to draw; boxes are on its voxel edges (slice, row, column)."""

    array: Voxels
    grid: Grid
    spec: PlaneSpec
    reference: tuple[EdgeBox, ...]
    findings: tuple[tuple[EdgeBox, Mark], ...]

    @property
    def size_mm(self) -> tuple[float, float]:
        """Height and width of a slice, mm."""
        return float(self.grid.extent[1]), float(self.grid.extent[2])


def draw_series(volume: Volume, spec: PlaneSpec, reference: Sequence[Box], findings: Sequence[Mark]) -> bytes:
    """A PNG of the slices through the boxes, or of the middle slices when there are none.

    Boxes are drawn at the edges of their hull in the series' own frame, on the slices that they reach into. The
    caller chooses the findings, as a rule those above the operating point.
    """
    oriented = orient(volume, spec)
    sheet = _Sheet(
        oriented.array,
        oriented.grid,
        spec,
        tuple(oriented.grid.edges(box) for box in reference),
        tuple((oriented.grid.edges(mark.box), mark) for mark in findings),
    )
    shown = telling_slices(len(oriented.array), [*sheet.reference, *(edges for edges, _ in sheet.findings)])
    return _png(_picture(sheet, shown))


def telling_slices(count: int, boxes: Sequence[EdgeBox]) -> list[int]:
    """At most five slice indices that show every box as near to its middle as they can, and mid slices to fill up."""
    chosen: list[int] = []
    closeness = np.array([_closeness(box, count) for box in boxes]).reshape(-1, count)
    while closeness.any() and len(chosen) < _MOST_TILES:
        best = int(np.argmax(closeness.sum(axis=0)))
        chosen.append(best)
        closeness = closeness[closeness[:, best] == 0]
    middle = sorted(range(count), key=lambda index: abs(index - (count - 1) / 2))
    spread = [middle[0], *(round((count - 1) * part) for part in (1 / 3, 2 / 3)), *middle]
    for index in dict.fromkeys(spread):
        if len(chosen) < min(_FEWEST_TILES, count) and index not in chosen:
            chosen.append(index)
    return sorted(chosen)


def _closeness(box: EdgeBox, count: int) -> Array:
    """For each slice: 0 when the box does not reach into it, up to 1 when it lies at the box's middle."""
    middle, reach = (box.low[0] + box.high[0]) / 2, (box.high[0] - box.low[0]) / 2 + 0.5
    return np.clip(1 - np.abs(np.arange(count) + 0.5 - middle) / reach, 0, None)


def _picture(sheet: _Sheet, shown: Sequence[int]) -> Image.Image:
    """Tiles side by side over captions, every pixel counted, so that what is drawn is where it should be."""
    tiles = _tiles(sheet, shown)
    width, height = tiles[0].size
    picture = Image.new("RGB", (len(shown) * (width + _GAP) + _GAP, height + _GAP + _CAPTION))
    draw = ImageDraw.Draw(picture)
    for place, (index, tile) in enumerate(zip(shown, tiles, strict=True)):
        left = _GAP + place * (width + _GAP)
        picture.paste(tile, (left, _GAP))
        caption = f"slice {index + 1} of {len(sheet.array)}"
        _write(draw, (left + width / 2, height + _GAP + 15), caption, "ms")
    kinds = (("reference", REFERENCE_COLOR, sheet.reference), ("finding", FINDING_COLOR, sheet.findings))
    words = [(word, color) for word, color, drawn in kinds if drawn]
    for row, (word, color) in enumerate(words):
        _write(draw, (_GAP, picture.height - 12 + 10 * row), word, "ls", color)
    return picture


def _tiles(sheet: _Sheet, shown: Sequence[int]) -> list[Image.Image]:
    """The slices, each with everything on it; the first has the bar."""
    height_mm, width_mm = sheet.size_mm
    scale = min(_TILE_HEIGHT / height_mm, _TILE_WIDTH / width_mm)
    size = round(width_mm * scale), round(height_mm * scale)
    window = np.percentile(sheet.array[list(shown)], _WINDOW).astype(np.float64)
    tiles = [_grey(sheet.array[index], window, size) for index in shown]
    for place, (index, tile) in enumerate(zip(shown, tiles, strict=True)):
        draw = ImageDraw.Draw(tile)
        _draw_boxes(draw, sheet, index, size)
        _draw_letters(draw, sheet.spec, size)
        if place == 0:
            _draw_bar(draw, size, scale)
    return tiles


def _grey(array: Voxels, window: Array, size: tuple[int, int]) -> Image.Image:
    """One slice, its outer edges at those of the tile."""
    black, white = window
    scaled = np.clip((array - black) * (255 / max(white - black, 1e-6)), 0, 255).astype(np.uint8)
    return Image.fromarray(scaled).resize(size, Image.Resampling.BICUBIC).convert("RGB")


def _draw_boxes(draw: ImageDraw.ImageDraw, sheet: _Sheet, index: int, size: tuple[int, int]) -> None:
    """Frames from one pixel outside a box's edges to one inside, and scores beside the findings."""
    scale = size[0] / sheet.size_mm[1]
    reference = [(box, REFERENCE_COLOR, "") for box in sheet.reference]
    findings = [(box, FINDING_COLOR, f"{mark.label} {mark.score:.2f}") for box, mark in sheet.findings]
    for box, color, words in (*reference, *findings):
        if box.low[0] < index + 1 and box.high[0] > index:
            _, top, left = box.low * sheet.grid.spacing * scale
            _, bottom, right = box.high * sheet.grid.spacing * scale
            draw.rectangle((round(left) - 1, round(top) - 1, round(right), round(bottom)), outline=color, width=2)
            label = " ".join(words.split())
            # Beside the box, or over it where the picture ends.
            start = min(right + 4, size[0] - _font().getlength(label) - 2)
            _write(draw, (start, (top + bottom) / 2), label, "lm", color)


def _draw_letters(draw: ImageDraw.ImageDraw, spec: PlaneSpec, size: tuple[int, int]) -> None:
    """Patient directions at the four sides."""
    width, height = size
    _, down, right = spec.codes
    _write(draw, (0.02 * width, 0.5 * height), _OPPOSITE[right], "lm")
    _write(draw, (0.98 * width, 0.5 * height), right, "rm")
    _write(draw, (0.5 * width, 0.01 * height), _OPPOSITE[down], "mt")
    _write(draw, (0.5 * width, 0.99 * height), down, "ms")


def _draw_bar(draw: ImageDraw.ImageDraw, size: tuple[int, int], scale: float) -> None:
    """A bar of known length at the lower left."""
    width, height = size
    length = next((mm for mm in _BAR_LENGTHS_MM if mm * scale <= 0.4 * width), _BAR_LENGTHS_MM[-1])
    left, base = round(0.03 * width), int(0.97 * height)
    draw.rectangle((left, base - 1, left + round(length * scale) - 1, base + 1), fill=_TEXT_COLOR)
    _write(draw, (left, base - 5), f"{length} mm", "ls")


def _write(
    draw: ImageDraw.ImageDraw, place: tuple[float, float], words: str, anchor: str, color: str = _TEXT_COLOR
) -> None:
    """Words with a dark rim, that can be read on any grey."""
    draw.text(place, words, color, _font(), anchor, stroke_width=1, stroke_fill="black")


@cache
def _font() -> ImageFont.FreeTypeFont:
    """DejaVu Sans, which matplotlib ships: found without the import of matplotlib, a quarter of a second."""
    file = distribution("matplotlib").locate_file("matplotlib/mpl-data/fonts/ttf/DejaVuSans.ttf")
    return ImageFont.truetype(str(file), _FONT)


def _png(picture: Image.Image) -> bytes:
    stream = BytesIO()
    picture.save(stream, "PNG", compress_level=3)  # of a scan both smaller and three times as fast as the usual 6
    return stream.getvalue()
