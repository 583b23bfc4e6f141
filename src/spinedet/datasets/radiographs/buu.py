"""BUU-LSPINE: frontal and lateral lumbar radiographs with corner points, for views and vertebrae."""

from __future__ import annotations

import csv
import io
import re
from collections import defaultdict
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from spinedet.core.errors import InputError
from spinedet.core.files import read_text
from spinedet.core.radiograph import AP, LATERAL, Place, Radiograph, RadiographStudy, Task, ViewSpec
from spinedet.core.types import Effect, FiniteJson
from spinedet.datasets.radiographs.dataset import (
    RadiographCase,
    RadiographDataset,
    RadiographReading,
    hull,
    images_below,
)
from spinedet.formats.annotated_dataset import Unused

_NAME = re.compile(r"(?P<patient>.+)_(?P<view>AP|LA)", re.IGNORECASE)
_PERSON = re.compile(r".*-(?P<sex>[FM])-(?P<age>\d{1,3})Y", re.IGNORECASE)
_BODIES = ("L1", "L2", "L3", "L4", "L5")


@dataclass(frozen=True, slots=True)
class _Layout:
    """How files of one view are named, and the edges that their points are on, top to bottom."""

    code: str
    spec: ViewSpec
    edges: tuple[str, ...]


_EDGES = tuple(f"{body} {edge}" for body in _BODIES for edge in ("upper", "lower"))
_LAYOUTS = (_Layout("AP", AP, _EDGES), _Layout("LA", LATERAL, (*_EDGES, "S1 upper")))


@dataclass
class BuuConfig:
    """BUU-LSPINE; the label of an image is its view, and vertebrae are places."""

    name: str = "buu"


def open_buu(root: Path, config: BuuConfig) -> RadiographDataset:
    """The data set under `root`: `ID_AP.jpg` and `ID_LA.jpg` with `ID_AP.csv` (10 lines) and `ID_LA.csv` (11).

    A line is x1, y1, x2, y2 of the two corners of an end plate, pixels, and a class, which is kept as it is.

    Raises:
        InputError: there is no such image.
    """
    studies: dict[str, list[tuple[_Layout, Path]]] = defaultdict(list)
    skipped = {}
    for path in images_below(root):
        found = _NAME.fullmatch(path.stem)
        layout = next((one for one in _LAYOUTS if found and one.code == found["view"].upper()), None)
        if found is None or layout is None:
            skipped[path.name] = "its name does not end with _AP or _LA"
        else:
            studies[found["patient"]].append((layout, path))
    if not studies:
        raise InputError(f"{root} holds no ID_AP.jpg or ID_LA.jpg of BUU-LSPINE; give its folder")
    views = (AP.name, LATERAL.name)
    task = Task(name="views", labels=views, views=views)
    cases = tuple(RadiographCase(name, partial(_read, name, files)) for name, files in studies.items())
    rule = {"label": "the view, by the file's name", "places": "hulls of the corner points of L1 to L5"}
    return RadiographDataset("buu-lspine", task, cases, rule, skipped=skipped)


def _read(name: str, files: list[tuple[_Layout, Path]]) -> RadiographReading:
    images, unused = [], []
    for layout, path in files:
        places, left = _places(path.with_suffix(".csv"), layout)
        view = layout.spec.name
        images.append(Radiograph(id=layout.code.lower(), view=view, path=path, label=view, places=places))
        unused += left
    person = _PERSON.match(name)
    attributes: dict[str, FiniteJson] = {"sex": person["sex"].upper(), "age": int(person["age"])} if person else {}
    study = RadiographStudy(id=name, patient=name, center="buu-lspine", attributes=attributes, images=tuple(images))
    return RadiographReading(study, tuple(unused))


def _places(path: Path, layout: _Layout) -> tuple[tuple[Place, ...], list[Unused]]:
    """Vertebrae with both end plates; the label of the image does not hang on them."""
    if not path.is_file():
        return (), [Unused(path.name, "no corner points", Effect.NONE)]
    rows = [row for row in csv.reader(io.StringIO(read_text(path))) if any(cell.strip() for cell in row)]
    if len(rows) != len(layout.edges):
        reason = f"{len(rows)} lines where {len(layout.edges)} are published"
        return (), [Unused(path.name, reason, Effect.NONE)]
    places, unused = [], []
    edges = dict(zip(layout.edges, rows, strict=True))
    for body in _BODIES:
        pair = (edges[f"{body} upper"], edges[f"{body} lower"])
        points = [point for row in pair for point in _points(row)]
        box = hull(points) if len(points) == 4 else None
        if box is None:
            unused.append(Unused(f"{path.name}, {body}", "its corner points are no vertebra", Effect.NONE))
            continue
        classes = [row[4].strip() for row in pair if len(row) > 4]
        attributes: dict[str, FiniteJson] = {"corners": [list(point) for point in points], "class": list(classes)}
        places.append(Place(name=body, box=box, attributes=attributes))
    return tuple(places), unused


def _points(row: list[str]) -> list[tuple[float, float]]:
    try:
        x0, y0, x1, y1 = (float(cell) for cell in row[:4])
    except ValueError:
        return []
    return [(x0, y0), (x1, y1)] if all(0 <= value < float("inf") for value in (x0, y0, x1, y1)) else []
