"""A CSV table of boxes: one row per box, or per image without any."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TypeVar

from spinedet.core.anatomy import CATEGORIES, Plane
from spinedet.core.errors import InputError
from spinedet.core.grades import numeric_grades
from spinedet.core.types import Effect, Origin, Split
from spinedet.formats.annotated_dataset import Dataset, Unused, separate
from spinedet.formats.annotated_images import (
    AnnotatedImage,
    Annotation,
    cases_of,
    categories_in,
    default_names,
    known_region,
    stem_of,
)
from spinedet.formats.box_frames import box_from, known_frame
from spinedet.formats.csv_tables import SURPLUS, Row, number, read_rows

_PLACE = ("x", "y", "z")
_SIZE = ("width", "height", "depth")
# Columns with one value in all rows of an image.
_SHARED = ("study", "series", "patient", "center", "split", "plane", "weighting")
_FLAGS = {"": False, "0": False, "no": False, "false": False, "1": True, "yes": True, "true": True}
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

    Images are relative to the table. A row without a category and a box names an image on which nothing was found.

    Raises:
        InputError: no such table, or a column is missing.
    """
    rows: dict[Path, list[tuple[int, Row]]] = defaultdict(list)
    for line, row in read_rows(root, ["image", "category", *_PLACE, *_SIZE]):
        if not row["image"]:
            raise InputError(f"{root}, line {line}: the image is missing; name its file")
        rows[root.parent / row["image"]].append((line, row))
    studies = default_names([path for path, group in rows.items() if not _value(group, "study")])
    images = [_image(path, group, studies.get(path, ""), config) for path, group in rows.items()]
    return Dataset(
        name=root.stem,
        region=known_region(config.region),
        categories=categories_in(images) or (CATEGORIES[0].name,),
        cases=cases_of(images, Origin.MANUAL),
        rule=asdict(config),
    )


def _value(rows: list[tuple[int, Row]], column: str) -> str:
    """The value of a column that is the same for all rows of an image; blank cells repeat the others."""
    return next((value for _, row in rows if (value := row.get(column, ""))), "")


def _image(path: Path, rows: list[tuple[int, Row]], default_study: str, config: CsvConfig) -> AnnotatedImage:
    shared = {name: _value(rows, name) for name in _SHARED}
    annotations, unused = separate(made for n, row in rows for made in _annotations(f"line {n}", row, shared, config))
    study = shared["study"] or default_study
    return AnnotatedImage(
        path=path,
        study=study,
        series=shared["series"] or stem_of(path),
        patient=shared["patient"] or study,
        center=shared["center"] or "own",
        annotations=annotations,
        split=_known(Split, shared["split"], f"line {rows[0][0]}, split"),
        plane=_known(Plane, shared["plane"], f"line {rows[0][0]}, plane"),
        weighting=shared["weighting"] or "T2",
        unused=unused,
    )


def _annotations(where: str, row: Row, shared: Mapping[str, str], config: CsvConfig) -> Iterator[Annotation | Unused]:
    """The box of a row and what of it cannot be used; nothing where the row records no finding."""
    contradicted = [name for name in _SHARED if row.get(name) and row[name] != shared[name]]
    blank = not any(row[name] for name in ("category", *_PLACE, *_SIZE))
    if SURPLUS in row:
        yield Unused(where, f"more cells than columns ({row[SURPLUS]!r}); write decimal points, or quote commas")
    elif contradicted:
        yield Unused(where, f"another {contradicted[0]} than in the first row of its image")
    elif not blank and not row["category"]:
        yield Unused(where, "a box without a category")
    elif not blank:
        yield from _box(where, row, config)


def _box(where: str, row: Row, config: CsvConfig) -> Iterator[Annotation | Unused]:
    place, size = ([number(row[name]) for name in names] for names in (_PLACE, _SIZE))
    if None in place or None in size:
        yield Unused(where, "x, y, z, width, height and depth must be numbers, with a decimal point")
        return
    low, lengths = [float(value or 0) for value in place], [float(value or 0) for value in size]
    if config.anchor == "center":
        low = [middle - length / 2 for middle, length in zip(low, lengths, strict=True)]
    try:
        box = box_from(low, lengths, config.frame)
    except ValueError as error:
        yield Unused(where, str(error))
        return
    ignore = _FLAGS.get(row.get("ignore", "").lower())
    if ignore is None:
        yield Unused(where, f"ignore is {row['ignore']!r}; write yes or no", Effect.IGNORED)
    known = {"image", "category", *_PLACE, *_SIZE, *_SHARED, "level", "ignore"}
    attributes = numeric_grades({name: value for name, value in row.items() if value and name not in known})
    severity = attributes.get("severity")
    if isinstance(severity, str):
        yield Unused(where, f"severity is {severity!r}, no number; it is kept as text", Effect.NONE)
    yield Annotation(where, row["category"], box, row.get("level") or None, ignore is not False, attributes)


def _known(kind: Callable[[str], _T], text: str, where: str) -> _T | None:
    if not text:
        return None
    try:
        return kind(text)
    except ValueError:
        raise InputError(f"{where}: {text!r} is not one of its values; see docs/data.md") from None
