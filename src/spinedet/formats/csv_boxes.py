"""A CSV table of boxes: one row per box, or per image without any."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TypeVar

from spinedet.core.anatomy import Plane
from spinedet.core.errors import InputError
from spinedet.core.types import Origin, Split
from spinedet.formats.annotated_dataset import Dataset, Unused, told_apart
from spinedet.formats.annotated_images import (
    AnnotatedImage,
    Annotation,
    cases_of,
    categories_in,
    known_region,
    stem_of,
)
from spinedet.formats.box_frames import box_from, known_frame
from spinedet.formats.csv_columns import Row, number, read_table

_PLACE = ("x", "y", "z")
_SIZE = ("width", "height", "depth")
_OPTIONAL = ("study", "series", "patient", "center", "split", "plane", "weighting", "level", "ignore")
_T = TypeVar("_T")


@dataclass
class CsvConfig:
    """How the numbers of the table are meant.

    Attributes:
        frame: ras or lps (mm), or voxel (edges along the image's stored axes, half-open).
        anchor: what x, y, z are: the box's `low` corner or its `center`.
        region: of the spine.
    """

    name: str = "csv"
    frame: str = "ras"
    anchor: str = "center"
    region: str = "lumbar"

    def __post_init__(self) -> None:
        known_frame(self.frame)
        known_region(self.region)
        if self.anchor not in ("low", "center"):
            raise InputError(f"source.anchor={self.anchor}: use low or center")


def open_csv(root: Path, config: CsvConfig) -> Dataset:
    """A table with the columns image, category, x, y, z, width, height, depth, and any of study, series, patient,
    center, split, plane, weighting, level and ignore; further columns become attributes.

    Images are relative to the table. A row without a category names an image on which nothing was found.

    Raises:
        InputError: no such table, or a column is missing.
    """
    rows: dict[Path, list[tuple[int, Row]]] = defaultdict(list)
    for line, row in enumerate(read_table(root, ["image", "category", *_PLACE, *_SIZE]), start=2):
        rows[root.parent / row["image"]].append((line, row))
    images = [_image(path, group, config) for path, group in rows.items()]
    return Dataset(
        name=root.stem,
        region=known_region(config.region),
        categories=categories_in(images),
        cases=cases_of(images, Origin.MANUAL),
        rule=asdict(config),
    )


def _image(path: Path, rows: list[tuple[int, Row]], config: CsvConfig) -> AnnotatedImage:
    annotations, unused = told_apart(_annotation(f"line {n}", row, config) for n, row in rows if row["category"])
    first = rows[0][1]
    study = first.get("study") or stem_of(path)
    return AnnotatedImage(
        path=path,
        study=study,
        series=first.get("series") or stem_of(path),
        patient=first.get("patient") or study,
        center=first.get("center") or "own",
        annotations=annotations,
        split=_known(Split, first.get("split"), f"line {rows[0][0]}, split"),
        plane=_known(Plane, first.get("plane"), f"line {rows[0][0]}, plane"),
        weighting=first.get("weighting") or "T2",
        unused=unused,
    )


def _annotation(where: str, row: Row, config: CsvConfig) -> Annotation | Unused:
    """The box of a row, or why it is none."""
    place, size = ([number(row[name]) for name in names] for names in (_PLACE, _SIZE))
    if None in place or None in size:
        return Unused(where, "x, y, z, width, height and depth must be numbers")
    low, lengths = [float(value or 0) for value in place], [float(value or 0) for value in size]
    if config.anchor == "center":
        low = [middle - length / 2 for middle, length in zip(low, lengths, strict=True)]
    try:
        box = box_from(low, lengths, config.frame)
    except ValueError as error:
        return Unused(where, str(error))
    known = {"image", "category", *_PLACE, *_SIZE, *_OPTIONAL}
    attributes = {name: value for name, value in row.items() if value and name not in known}
    ignore = row.get("ignore", "").lower() in ("1", "true", "yes")
    return Annotation(where, row["category"], box, row.get("level") or None, ignore, attributes)


def _known(kind: Callable[[str], _T], text: str | None, where: str) -> _T | None:
    if not text:
        return None
    try:
        return kind(text)
    except ValueError:
        raise InputError(f"{where}: {text!r} is not one of its values; see docs/data.md") from None
