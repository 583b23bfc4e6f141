"""What every converter of radiographs gives: a data set as published, and its studies one by one."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

from spinedet.core.errors import InputError
from spinedet.core.files import read_text
from spinedet.core.radiograph import PixelBox, RadiographStudy, Task
from spinedet.formats.annotated_dataset import ReadStudy, UnreadStudy, Unused
from spinedet.imaging.radiograph.raster import SUFFIXES

RadiographReading: TypeAlias = ReadStudy[RadiographStudy]
RadiographCase: TypeAlias = UnreadStudy[RadiographStudy]


@dataclass(frozen=True)
class RadiographDataset:
    """A data set as published: its task, and each study unread.

    Attributes:
        name: of the manifest, and of the centre unless the user names it. rule: what made labels of annotations.
        unused: annotations that belong to no study that is here. skipped: files that cannot be used, with the reason.
    """

    name: str
    task: Task
    cases: tuple[RadiographCase, ...]
    rule: Mapping[str, Any]
    unused: tuple[Unused, ...] = ()
    skipped: Mapping[str, str] = field(default_factory=dict)


def read_table(path: Path, needed: tuple[str, ...], header: bool = True) -> list[dict[str, str]]:
    """The rows of a CSV file by column name, separated by commas, semicolons or tabs.

    Raises:
        InputError: the file is absent, in another encoding, or lacks a needed column.
    """
    text = read_text(path)
    first = text.split("\n", 1)[0]
    separator = max(",;\t", key=first.count)
    reader = csv.DictReader(io.StringIO(text), delimiter=separator)
    names = [name.strip() for name in reader.fieldnames or ()]
    missing = [name for name in needed if name not in names]
    if missing:
        raise InputError(f"{path} has no column {missing[0]!r}; its columns are {', '.join(names) or 'none'}")
    reader.fieldnames = names
    return [{name: (value or "").strip() for name, value in row.items() if name in names} for row in reader]


def images_below(root: Path) -> Iterator[Path]:
    """Every PNG, TIFF and JPEG file below a folder, in the order of their names."""
    return (path for path in sorted(root.rglob("*")) if path.suffix.lower() in SUFFIXES and path.is_file())


def hull(points: list[tuple[float, float]], size: tuple[float, float] | None = None) -> PixelBox | None:
    """The box around points, stored pixels, within an image of this width and height; None when it is none."""
    x, y = zip(*points, strict=True)
    right, bottom = size or (float("inf"), float("inf"))
    x0, y0, x1, y1 = max(min(x), 0.0), max(min(y), 0.0), min(max(x), right), min(max(y), bottom)
    return (x0, y0, x1, y1) if x0 < x1 and y0 < y1 else None  # also of a NaN
