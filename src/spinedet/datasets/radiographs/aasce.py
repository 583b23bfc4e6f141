"""AASCE 2019 (SpineWeb 16): frontal radiographs with 17 vertebrae and three Cobb angles, as curved or straight."""

from __future__ import annotations

import csv
import hashlib
import io
import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from PIL import Image

from spinedet.core.errors import InputError
from spinedet.core.files import read_text
from spinedet.core.radiograph import AP, Place, Radiograph, RadiographStudy, Task
from spinedet.core.types import Effect, Split
from spinedet.datasets.radiographs.dataset import RadiographCase, RadiographDataset, RadiographReading, hull
from spinedet.formats.annotated_dataset import Unused

_PARTS = (("training", Split.TRAIN), ("test", Split.TEST))
_VERTEBRAE = (*(f"T{number}" for number in range(1, 13)), *(f"L{number}" for number in range(1, 6)))
_POINTS = 4 * len(_VERTEBRAE)
_LABELS = ("straight", "curved")


@dataclass
class AasceConfig:
    """AASCE 2019.

    Attributes:
        degrees: from this largest Cobb angle on, a spine is `curved`.
    """

    name: str = "aasce"
    degrees: float = 10.0


@dataclass(frozen=True, slots=True)
class _Row:
    """One line of the three tables."""

    path: Path
    split: Split
    landmarks: tuple[float, ...]
    angles: tuple[float, ...]

    @property
    def key(self) -> str:
        """Stands for the file's name, which holds dates."""
        return _digest(self.path.stem)

    @property
    def patient(self) -> str:
        """Of names that differ in their last two words, a series letter and the view, alone."""
        return _digest(" ".join(self.path.stem.split(" ")[:-2]) or self.path.stem)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode(errors="replace")).hexdigest()[:12]


def open_aasce(root: Path, config: AasceConfig) -> RadiographDataset:
    """The data set under `root`: `data/{training,test}` and `labels/{training,test}/{filenames,landmarks,angles}.csv`.

    A line of `landmarks` holds 68 x and then 68 y, as shares of width and height: of each vertebra, T1 to L5, upper
    left, upper right, lower left, lower right. A patient of both parts is tested and not trained.

    Raises:
        InputError: there are no such tables, or they differ in length.
    """
    if not (root / "labels").is_dir() and (root / "boostnet_labeldata").is_dir():
        root = root / "boostnet_labeldata"
    rows = [row for part, split in _PARTS for row in _rows(root, part, split)]
    if not rows:
        raise InputError(f"{root} holds no labels/training/filenames.csv of AASCE; give the folder of data and labels")
    task = Task(name="curve", labels=_LABELS, views=(AP.name,), positive=_LABELS[1])
    tested = {row.patient for row in rows if row.split is Split.TEST}
    cases = tuple(RadiographCase(row.key, partial(_read, row, tested, config.degrees)) for row in rows)
    rule = {
        "label": f"curved from a largest Cobb angle of {config.degrees:g} degrees on",
        "patient": "file names that differ in series letter and view alone; not published",
    }
    return RadiographDataset("aasce2019", task, cases, rule)


def _rows(root: Path, part: str, split: Split) -> Iterator[_Row]:
    folder = root / "labels" / part
    if not (folder / "filenames.csv").is_file():
        return
    names = [row[0].strip() for row in _table(folder / "filenames.csv")]
    landmarks, angles = (_table(folder / f"{table}.csv") for table in ("landmarks", "angles"))
    if not len(names) == len(landmarks) == len(angles):
        lengths = f"{len(names)} names, {len(landmarks)} lines of landmarks, {len(angles)} of angles"
        raise InputError(f"{folder} holds {lengths}; they must be as many, copy the tables again")
    for name, points, three in zip(names, landmarks, angles, strict=True):
        yield _Row(root / "data" / part / name, split, _numbers(points), _numbers(three))


def _table(path: Path) -> list[list[str]]:
    return [row for row in csv.reader(io.StringIO(read_text(path))) if any(cell.strip() for cell in row)]


def _numbers(cells: list[str]) -> tuple[float, ...]:
    """NaN for what is no number."""
    return tuple(_number(cell) for cell in cells)


def _number(cell: str) -> float:
    try:
        return float(cell)
    except ValueError:
        return math.nan


def _read(row: _Row, tested: set[str], degrees: float) -> RadiographReading:
    places, unused = _places(row)
    known = bool(row.angles) and all(map(math.isfinite, row.angles))
    excluded = None
    if not known:
        unused = (*unused, Unused("angles", "no Cobb angle that is a number", Effect.EXCLUDED))
        excluded = "an annotation cannot be used: no Cobb angle that is a number"
    elif row.split is Split.TRAIN and row.patient in tested:
        excluded = "images of this patient are in the test part"
    label = _LABELS[max(row.angles) >= degrees] if known else None
    image = Radiograph(id=AP.name, view=AP.name, path=row.path, places=places)
    # An excluded study is in no part, so that its patient stays in one.
    split = None if excluded else row.split
    patient = row.patient if not excluded else row.key
    study = RadiographStudy(
        id=row.key,
        patient=patient,
        center="aasce2019",
        split=split,
        attributes={"cobb": list(row.angles)} if known else {},
        label=label,
        images=(image,),
        excluded=excluded,
    )
    return RadiographReading(study, unused)


def _places(row: _Row) -> tuple[tuple[Place, ...], tuple[Unused, ...]]:
    """Vertebrae whose four corners are where they must be; the label does not hang on them."""
    if len(row.landmarks) != 2 * _POINTS:
        reason = f"{len(row.landmarks)} numbers where {2 * _POINTS} are published"
        return (), (Unused("landmarks", reason, Effect.NONE),)
    width, height = _size(row.path)
    points = [(x * width, y * height) for x, y in zip(row.landmarks[:_POINTS], row.landmarks[_POINTS:], strict=True)]
    places, unused = [], []
    for number, name in enumerate(_VERTEBRAE):
        corners = points[4 * number : 4 * number + 4]
        left, right = corners[::2], corners[1::2]
        upright = all(a[0] < b[0] for a, b in zip(left, right, strict=True)) and left[0][1] < left[1][1]
        box = hull(corners, (width, height)) if upright and right[0][1] < right[1][1] else None
        if box is None:
            unused.append(Unused(f"landmarks, {name}", "its corners are in a wrong order", Effect.NONE))
        else:
            places.append(Place(name=name, box=box))
    return tuple(places), tuple(unused)


def _size(path: Path) -> tuple[float, float]:
    try:
        with Image.open(path) as image:
            return float(image.width), float(image.height)
    except FileNotFoundError:
        raise InputError(f"{path.name} is in filenames.csv and not in the folder of images") from None
    except OSError as error:
        raise InputError(f"{path.name} cannot be read ({error}); copy it again") from None
