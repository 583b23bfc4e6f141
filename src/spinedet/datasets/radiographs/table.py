"""A CSV table of paths and labels, one row an image, as a manifest of radiographs."""

from __future__ import annotations

import math
import os
from collections import defaultdict
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from spinedet.core.errors import InputError
from spinedet.core.files import repeated
from spinedet.core.radiograph import OTHER, VIEWS, Radiograph, RadiographStudy, Task
from spinedet.core.types import Effect, FiniteJson, Split
from spinedet.datasets.radiographs.dataset import RadiographCase, RadiographDataset, RadiographReading, read_table
from spinedet.formats.annotated_dataset import Unused

_KNOWN = ("path", "patient", "label", "study", "image", "view", "split", "center", "mm", "excluded")


@dataclass
class TableConfig:
    """A CSV file: path, patient, and, as you know them, label, study, image, view, split, center, mm, excluded.

    Attributes:
        task: name of the task. labels: in the order of reports; those of the table, sorted, when empty.
        views: that are read. positive: the finding of a task with two labels.
    """

    name: str = "table"
    task: str = "labels"
    labels: list[str] = field(default_factory=list)
    views: list[str] = field(default_factory=lambda: list(VIEWS))
    positive: str | None = None


def open_table(root: Path, config: TableConfig) -> RadiographDataset:
    """The table at `root`; paths are relative to its folder, and other columns become attributes.

    An empty label is not known; `other` is known to be none of the labels.

    Raises:
        InputError: no such file, no column path or patient, or fewer than two labels.
    """
    if root.is_dir():
        raise InputError(f"root={root} is a folder; give the CSV file")
    rows = read_table(root, ("path", "patient"))
    labels = tuple(config.labels) or tuple(sorted({row["label"] for row in rows if row.get("label")} - {OTHER}))
    if len(labels) < 2:
        raise InputError(f"{root} holds {len(labels)} labels; a task has two or more, name them by source.labels=[a,b]")
    task = _task(config, labels)
    studies: dict[str, list[tuple[int, dict[str, str]]]] = defaultdict(list)
    skipped = {}
    for number, row in enumerate(rows, start=2):
        if not row["path"] or not row["patient"]:
            skipped[f"line {number}"] = "no path or no patient"
            continue
        studies[row.get("study") or row["patient"]].append((number, row))
    folder = root.parent.resolve()
    cases = tuple(RadiographCase(name, partial(_read, name, own, folder, task)) for name, own in studies.items())
    return RadiographDataset(root.stem, task, cases, {"table": root.name, "labels": list(labels)}, skipped=skipped)


def _task(config: TableConfig, labels: tuple[str, ...]) -> Task:
    try:
        return Task(name=config.task, labels=labels, views=tuple(config.views), positive=config.positive)
    except ValueError as error:
        reason = str(error).splitlines()[-2].strip().removeprefix("Value error, ").split(" [type")[0]
        raise InputError(f"the task cannot be used: {reason}") from None


def _read(name: str, rows: list[tuple[int, dict[str, str]]], folder: Path, task: Task) -> RadiographReading:
    images, unused = [], []
    for number, row in rows:
        image, left = _image(number, row, folder, task)
        images.append(image)
        unused += left
    if twice := repeated(image.id for image in images):
        raise InputError(f"image {twice[0]!r} appears more than once in the study; give each row its own")
    first = rows[0][1]
    for number, row in rows[1:]:
        for column in ("patient", "center", "split"):
            if row.get(column, "") != first.get(column, ""):
                raise InputError(f"line {number}: another {column} than in line {rows[0][0]} of the same study")
    if (split := first.get("split") or None) not in (None, *(one.value for one in Split)):
        raise InputError(f"line {rows[0][0]}: unknown split {split!r}; use train, tune, test or leave it empty")
    attributes: dict[str, FiniteJson] = {
        column: value for column, value in first.items() if column not in _KNOWN and value
    }
    study = RadiographStudy(
        id=name,
        patient=first["patient"],
        center=first.get("center") or "table",
        split=Split(split) if split else None,
        attributes=attributes,
        images=tuple(images),
    )
    return RadiographReading(study, tuple(unused))


def _image(number: int, row: dict[str, str], folder: Path, task: Task) -> tuple[Radiograph, list[Unused]]:
    """One row; what it says and cannot be used excludes it, so that it never counts as something else."""
    where, unused = f"line {number}", []
    view = row.get("view", "").lower() or None
    if view is not None and view not in VIEWS:
        unused.append(Unused(where, f"unknown view {view!r}; the views are {', '.join(VIEWS)}", Effect.EXCLUDED))
        view = None
    elif view is not None and view not in task.views:
        unused.append(Unused(where, f"a {view} view, which the task does not have", Effect.EXCLUDED))
    label = row.get("label") or None
    try:
        label = task.label_of(label, view)
    except ValueError as error:
        unused.append(Unused(where, str(error), Effect.EXCLUDED))
        label = None
    mm = _mm(row.get("mm", ""))
    if row.get("mm") and mm is None:
        unused.append(Unused(where, f"mm is {row['mm']!r}, which is no length of a pixel", Effect.NONE))
    lost = next((each.reason for each in unused if each.effect is Effect.EXCLUDED), None)
    image = Radiograph(
        id=row.get("image") or where.replace(" ", "-"),
        view=view,
        path=Path(os.path.normpath(folder / row["path"])),
        mm=mm,
        label=label,
        excluded=f"an annotation cannot be used: {lost}" if lost else row.get("excluded") or None,
    )
    return image, unused


def _mm(written: str) -> float | None:
    try:
        value = float(written)
    except ValueError:
        return None
    return value if math.isfinite(value) and value > 0 else None
