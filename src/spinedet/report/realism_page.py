"""How phantoms look beside real scans: pictures side by side, contrast, noise, sharpness, histograms, prevalence."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from spinedet import __version__
from spinedet.core.anatomy import Plane
from spinedet.core.files import write_text
from spinedet.imaging.planes import SPECS, orient
from spinedet.imaging.volume import Volume
from spinedet.report.html import render
from spinedet.simulation.anatomy.spine import Vector
from spinedet.simulation.gradings import Marginal
from spinedet.simulation.realism import ScanMeasures

_PER_ROW = 4
_TILE = 3.1  # inches
_CROP = {Plane.SAGITTAL: 250.0, Plane.AXIAL: 170.0}  # mm


@dataclass(frozen=True, eq=False)
class Exhibit:
    """One scan to show and measure.

    Attributes:
        group: phantom centre, or the data set of a real scan.
        name: caption of its picture.
        place: RAS mm of the spine's middle: the slice through it is shown.
        measures: of the scan; None when it is only shown.
        real: a patient, not a phantom.
    """

    group: str
    name: str
    plane: Plane
    volume: Volume
    place: Vector
    measures: ScanMeasures | None
    real: bool


@dataclass(frozen=True, slots=True)
class Line:
    """A row of the table: a measure of one group of scans, against the range of all real ones."""

    measure: str
    group: str
    low: float
    middle: float
    high: float
    real_low: float | None
    real_high: float | None

    @property
    def verdict(self) -> str:
        """Whether the group's median lies where real scans lie."""
        if self.real_low is None or self.real_high is None:
            return "no real scan to compare with"
        if self.middle < self.real_low:
            return "below the real scans"
        return "above the real scans" if self.middle > self.real_high else "inside"


def write_realism(folder: Path, region: str, exhibits: Sequence[Exhibit], marginals: Sequence[Marginal]) -> Path:
    """Write `realism.html` and its pictures.

    Args:
        folder: where to.
        region: of the spine, for the headline.
        exhibits: phantoms and real scans; without real ones the page says so.
        marginals: prevalence against the real table; may be empty.
    """
    pictures = []
    for plane in Plane:
        shown = [exhibit for exhibit in exhibits if exhibit.plane is plane]
        if shown:
            name = f"realism-{region}-{plane.value}.png"
            (folder / name).write_bytes(draw_rows(shown, plane))
            pictures.append((plane.value, name))
    histogram = f"realism-{region}-histograms.png"
    (folder / histogram).write_bytes(draw_histograms(exhibits))
    page = folder / "realism.html"
    write_text(
        page,
        render(
            "realism.html",
            title=f"Phantoms beside real scans, {region} spine",
            notes=() if any(e.real for e in exhibits) else ("No real scans were at hand: set SPINEDET_REAL_DATA.",),
            pictures=pictures,
            histogram=histogram,
            lines=list(compare(exhibits)),
            marginals=marginals,
            version=__version__,
        ),
    )
    return page


def compare(exhibits: Sequence[Exhibit]) -> Iterator[Line]:
    """Every measure of every phantom group against the range of all real scans."""
    real = [e.measures for e in exhibits if e.real and e.measures]
    groups = dict.fromkeys(e.group for e in exhibits if not e.real)
    names = list(dict.fromkeys(name for e in exhibits if e.measures for name in e.measures.ratios))
    for measure in [*names, "noise", "sharpness"]:
        seen = [value for measures in real if (value := _value(measures, measure)) is not None]
        for group in groups:
            measured = [e.measures for e in exhibits if e.group == group and e.measures]
            values = [value for measures in measured if (value := _value(measures, measure)) is not None]
            if values:
                limits = (min(seen), max(seen)) if seen else (None, None)
                yield Line(measure, group, min(values), float(np.median(values)), max(values), *limits)


def _value(measures: ScanMeasures, measure: str) -> float | None:
    value = {"noise": measures.noise, "sharpness": measures.sharpness}.get(measure, measures.ratios.get(measure))
    return value if value is not None and np.isfinite(value) else None


def draw_rows(exhibits: Sequence[Exhibit], plane: Plane) -> bytes:
    """A PNG: rows of phantoms, then rows of real scans, all on one scale in mm."""
    ordered = [*(e for e in exhibits if not e.real), *(e for e in exhibits if e.real)]
    rows: list[list[Exhibit]] = []
    for exhibit in ordered:
        if not rows or len(rows[-1]) == _PER_ROW or rows[-1][-1].real != exhibit.real:
            rows.append([])
        rows[-1].append(exhibit)
    figure = Figure(figsize=(_TILE * _PER_ROW, (_TILE + 0.25) * len(rows)), facecolor="black", layout="constrained")
    for number, row in enumerate(rows):
        for place, exhibit in enumerate(row):
            axes = figure.add_subplot(len(rows), _PER_ROW, number * _PER_ROW + place + 1)
            _draw_tile(axes, exhibit, _CROP[plane])
    return _png(figure)


def _draw_tile(axes: Axes, exhibit: Exhibit, crop: float) -> None:
    """The slice through the exhibit's place, upright, `crop` mm around it."""
    oriented = orient(exhibit.volume, SPECS[exhibit.plane])
    grid = oriented.grid
    at = np.linalg.solve(grid.affine[:3, :3], np.asarray(exhibit.place) - grid.affine[:3, 3])
    index = int(np.clip(np.rint(at[0]), 0, grid.shape[0] - 1))
    picture = oriented.array[index]
    height, width = grid.extent[1], grid.extent[2]
    axes.imshow(
        picture,
        cmap="gray",
        extent=(0, width, height, 0),
        vmin=0,
        vmax=float(np.percentile(picture, 99.5)),
        interpolation="lanczos",
    )
    middle = at[1:] * grid.spacing[1:]
    axes.set_ylim(min(middle[0] + crop / 2, height), max(middle[0] - crop / 2, 0))
    axes.set_xlim(max(middle[1] - crop / 2, 0), min(middle[1] + crop / 2, width))
    axes.set_axis_off()
    color = "#ff9d1e" if exhibit.real else "#38c6ff"
    axes.set_title(f"{'real' if exhibit.real else 'phantom'}: {exhibit.name}", color=color, fontsize=8)


def draw_histograms(exhibits: Sequence[Exhibit]) -> bytes:
    """A PNG: brightness around the spine relative to CSF, each group's mean."""
    figure = Figure(figsize=(7.5, 3.2), layout="constrained")
    axes = figure.add_subplot()
    for group, real in dict.fromkeys((e.group, e.real) for e in exhibits if e.measures):
        bins = np.array([e.measures.histogram for e in exhibits if e.group == group and e.measures])
        style = {"color": "black", "linewidth": 1.6} if real else {"linewidth": 1.1}
        middle = 0.05 + 0.1 * np.arange(bins.shape[1])
        axes.plot(middle, bins.mean(axis=0), label=f"{group} ({'real' if real else 'phantom'})", **style)
    axes.set_xlabel("brightness relative to CSF")
    axes.set_ylabel("share of pixels around the spine")
    axes.legend(fontsize=7, frameon=False)
    return _png(figure)


def _png(figure: Figure) -> bytes:
    buffer = BytesIO()
    FigureCanvasAgg(figure)
    figure.savefig(buffer, format="png", dpi=80, facecolor=figure.get_facecolor())
    return buffer.getvalue()
