"""VinDr-SpineXR: boxes of thirteen findings on DICOM radiographs, as the presence of one finding on each image."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from spinedet.core.errors import InputError
from spinedet.core.radiograph import PixelBox, Radiograph, RadiographStudy, Task
from spinedet.core.types import Effect, Split
from spinedet.datasets.radiographs.dataset import RadiographCase, RadiographDataset, RadiographReading, read_table
from spinedet.formats.annotated_dataset import Unused
from spinedet.imaging.dicom.radiographs import read_declared_view
from spinedet.imaging.radiograph.records import DeclaredView

_COLUMNS = ("image_id", "study_id", "lesion_type", "xmin", "ymin", "xmax", "ymax")
_PARTS = (("train", Split.TRAIN), ("test", Split.TEST))
_NOTHING = "no finding"
_FOLDERS = ("annotations", "annotation", ".")


@dataclass
class VindrConfig:
    """VinDr-SpineXR 1.0.0.

    Attributes:
        finding: the lesion type whose presence is the label, as the data set writes it.
    """

    name: str = "vindr"
    finding: str = "Surgical implant"


@dataclass(frozen=True, slots=True)
class _Row:
    image: str
    lesion: str
    box: PixelBox | None
    boxed: bool


def open_vindr(root: Path, config: VindrConfig) -> RadiographDataset:
    """The data set under `root`, which holds `annotations/{train,test}.csv` and `{train,test}_images/IMAGE.dicom`.

    The data set names no patients: each study is taken to be one.

    Raises:
        InputError: no annotations, a column is missing, or no image has the finding.
    """
    finding = config.finding.strip().casefold()
    task = Task(
        name=finding,
        labels=(f"no {finding}", finding),
        views=("ap", "lateral"),
        positive=finding,
    )
    cases: list[RadiographCase] = []
    types: set[str] = set()
    for part, split in _PARTS:
        table = next(
            (root / folder / f"{part}.csv" for folder in _FOLDERS if (root / folder / f"{part}.csv").is_file()), None
        )
        if table is None:
            continue
        studies: dict[str, list[_Row]] = defaultdict(list)
        for row in read_table(table, _COLUMNS):
            types.add(row["lesion_type"].casefold())
            studies[row["study_id"]].append(_row(row))
        folder = root / f"{part}_images"
        cases += [
            RadiographCase(name, partial(_read, name, rows, folder, split, task)) for name, rows in studies.items()
        ]
    if not cases:
        raise InputError(f"{root} holds no annotations/train.csv or test.csv of VinDr-SpineXR; give its folder")
    if finding not in types:
        raise InputError(f"no image has {config.finding!r}; the findings are {', '.join(sorted(types - {''}))}")
    rule = {"finding": finding, "patient": "the study, as patients are not published", "view": "DICOM tags"}
    return RadiographDataset("vindr-spinexr", task, tuple(cases), rule)


def _row(row: dict[str, str]) -> _Row:
    written = [row[name] for name in ("xmin", "ymin", "xmax", "ymax")]
    return _Row(row["image_id"], row["lesion_type"].strip().casefold(), _box(written), any(written))


def _box(written: Sequence[str]) -> PixelBox | None:
    try:
        x0, y0, x1, y1 = (float(value) for value in written)
    except ValueError:
        return None
    x0, y0 = max(x0, 0.0), max(y0, 0.0)
    good = all(map(math.isfinite, (x0, y0, x1, y1))) and x0 < x1 and y0 < y1
    return (x0, y0, x1, y1) if good else None


def _read(name: str, rows: list[_Row], folder: Path, split: Split, task: Task) -> RadiographReading:
    by_image: dict[str, list[_Row]] = defaultdict(list)
    for row in rows:
        by_image[row.image].append(row)
    images, unused = [], []
    for image, own in by_image.items():
        made, left = _image(image, own, folder / f"{image}.dicom", task)
        images.append(made)
        unused += left
    study = RadiographStudy(id=name, patient=name, center="vindr-spinexr", split=split, images=tuple(images))
    return RadiographReading(study, tuple(unused))


def _image(name: str, rows: list[_Row], path: Path, task: Task) -> tuple[Radiograph, list[Unused]]:
    """A row without a lesion type may be the finding, so that its image has no label; a box alone may be left out."""
    finding = task.positive or ""
    nameless = [row for row in rows if not row.lesion]
    found = [row for row in rows if row.lesion == finding]
    view, unreadable = _view(path)
    unused = [Unused(name, "a row without a lesion type", Effect.EXCLUDED) for _ in nameless]
    unused += [
        Unused(name, f"the box of {row.lesion!r} cannot be used", Effect.NONE)
        for row in rows
        if row.lesion not in ("", _NOTHING) and row.box is None
    ]
    if found and any(row.lesion == _NOTHING for row in rows):
        unused.append(Unused(name, f"{finding!r} and 'no finding' on one image", Effect.EXCLUDED))
    lost = next((each.reason for each in unused if each.effect is Effect.EXCLUDED), None)
    reasons = (
        unreadable,
        f"an annotation cannot be used: {lost}" if lost else None,
        f"{view.source}: {view.foreign}" if view.foreign else None,
    )
    return (
        Radiograph(
            id=name,
            view=view.name,
            path=path,
            label=None if lost else task.labels[bool(found)],
            truth=tuple(row.box for row in found if row.box),
            excluded=next(filter(None, reasons), None),
        ),
        unused,
    )


def _view(path: Path) -> tuple[DeclaredView, str | None]:
    """The view by the tags, or why the file cannot be read, so that the other images of its study go on."""
    try:
        return read_declared_view(path), None
    except InputError as error:
        return DeclaredView(), str(error)
