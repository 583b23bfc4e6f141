"""One picture per series: its most informative slices, upright and in true proportion, with boxes where the mm say."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.patheffects import withStroke

from spinedet.core.colors import FINDING_COLOR, REFERENCE_COLOR
from spinedet.core.geometry import Array, EdgeBox, Grid
from spinedet.core.types import Box
from spinedet.imaging.planes import PlaneSpec, orient
from spinedet.imaging.volume import Volume, Voxels

_TEXT_COLOR = "#f2f2f2"
_MOST_TILES, _FEWEST_TILES = 5, 3
_TILE_HEIGHT, _TILE_WIDTH, _GAP, _CAPTION = 360, 420, 6, 22  # pixels
_DPI = 100
_WINDOW = (1.0, 99.3)  # percentiles of what is shown that become black and white
_BAR_LENGTHS_MM = (100, 50, 20, 10, 5)
_TEXT: dict[str, Any] = {
    "color": _TEXT_COLOR,
    "fontsize": 7,
    "path_effects": [withStroke(linewidth=1.5, foreground="black")],
}
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
    return _png(_figure(sheet, shown))


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


def _figure(sheet: _Sheet, shown: Sequence[int]) -> Figure:
    """Tiles side by side, every pixel counted, so that what is drawn is where it should be."""
    height_mm, width_mm = sheet.size_mm
    scale = min(_TILE_HEIGHT / height_mm, _TILE_WIDTH / width_mm)
    height, width = round(height_mm * scale), round(width_mm * scale)
    total = (len(shown) * (width + _GAP) + _GAP, height + _GAP + _CAPTION)
    figure = Figure(figsize=(total[0] / _DPI, total[1] / _DPI), dpi=_DPI, facecolor="black")
    window = np.percentile(sheet.array[list(shown)], _WINDOW).astype(np.float64)
    for place, index in enumerate(shown):
        left = _GAP + place * (width + _GAP)
        axes = figure.add_axes((left / total[0], _CAPTION / total[1], width / total[0], height / total[1]))
        _draw_tile(axes, sheet, index, window)
        caption = f"slice {index + 1} of {len(sheet.array)}"
        figure.text((left + width / 2) / total[0], 7 / total[1], caption, ha="center", va="bottom", **_TEXT)
    _draw_bar(figure.axes[0], sheet)
    _draw_legend(figure, sheet, total)
    return figure


def _draw_tile(axes: Axes, sheet: _Sheet, index: int, window: Array) -> None:
    """One slice in mm from its upper left outer corner, with everything on it."""
    height, width = sheet.size_mm
    black, white = window
    axes.imshow(sheet.array[index], "gray", vmin=black, vmax=max(white, black + 1e-6), extent=(0, width, height, 0))
    axes.set(xlim=(0, width), ylim=(height, 0), aspect="auto")
    axes.set_axis_off()
    _draw_boxes(axes, sheet, index)
    _draw_letters(axes, sheet.spec)


def _draw_boxes(axes: Axes, sheet: _Sheet, index: int) -> None:
    for box in sheet.reference:
        if _reaches(box, index):
            _draw_box(axes, box, sheet.grid, REFERENCE_COLOR)
    for box, mark in sheet.findings:
        if _reaches(box, index):
            _draw_box(axes, box, sheet.grid, FINDING_COLOR)
            _, middle, _ = (box.low + box.high) / 2 * sheet.grid.spacing
            right = box.high[2] * sheet.grid.spacing[2]
            words = " ".join(("", *mark.label.split(), f"{mark.score:.2f}"))
            axes.text(right, middle, words, va="center_baseline", clip_on=True, **(_TEXT | {"color": FINDING_COLOR}))


def _reaches(box: EdgeBox, index: int) -> bool:
    return bool(box.low[0] < index + 1 and box.high[0] > index)


def _draw_box(axes: Axes, box: EdgeBox, grid: Grid, color: str) -> None:
    _, top, left = box.low * grid.spacing
    _, height, width = (box.high - box.low) * grid.spacing
    axes.add_patch(Rectangle((left, top), width, height, fill=False, edgecolor=color, linewidth=1.0))


def _draw_letters(axes: Axes, spec: PlaneSpec) -> None:
    """Patient directions at the four sides."""
    _, down, right = spec.codes
    axes.text(0.02, 0.5, _OPPOSITE[right], transform=axes.transAxes, ha="left", va="center", **_TEXT)
    axes.text(0.98, 0.5, right, transform=axes.transAxes, ha="right", va="center", **_TEXT)
    axes.text(0.5, 0.99, _OPPOSITE[down], transform=axes.transAxes, ha="center", va="top", **_TEXT)
    axes.text(0.5, 0.01, down, transform=axes.transAxes, ha="center", va="bottom", **_TEXT)


def _draw_bar(axes: Axes, sheet: _Sheet) -> None:
    """A bar of known length at the lower left."""
    height, width = sheet.size_mm
    length = next((mm for mm in _BAR_LENGTHS_MM if mm <= 0.4 * width), _BAR_LENGTHS_MM[-1])
    left, base = 0.03 * width, 0.97 * height
    axes.plot([left, left + length], [base, base], color=_TEXT_COLOR, linewidth=2, solid_capstyle="butt")
    axes.text(left, base - 0.012 * height, f"{length} mm", va="bottom", **_TEXT)


def _draw_legend(figure: Figure, sheet: _Sheet, total: tuple[int, int]) -> None:
    kinds = (("reference", REFERENCE_COLOR, sheet.reference), ("finding", FINDING_COLOR, sheet.findings))
    words = [(word, color) for word, color, drawn in kinds if drawn]
    for row, (word, color) in enumerate(words):
        figure.text(_GAP / total[0], (12 - 10 * row) / total[1], word, color=color, fontsize=6.5, va="bottom")


def _png(figure: Figure) -> bytes:
    stream = BytesIO()
    # Not savefig: a user's matplotlibrc could crop or rescale the page there.
    FigureCanvasAgg(figure).print_png(stream, metadata={"Software": None})
    return stream.getvalue()
