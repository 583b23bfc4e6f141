"""Middle slices of SPIDER (van der Graaf et al., Sci Data 11:264, 2024): a T2 picture a patient, discs graded."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image, UnidentifiedImageError

from spinedet.core.anatomy import LEVELS, Plane, Region
from spinedet.core.errors import InputError
from spinedet.core.files import file_name_of
from spinedet.core.geometry import EdgeBox, Grid
from spinedet.core.types import Box, Effect, FiniteJson, Lesion, Negative, Origin, Series, Study
from spinedet.datasets.spider import GRADES, SpiderConfig
from spinedet.formats.annotated_dataset import Case, Dataset, Reading, Unused, reading_of
from spinedet.formats.csv_tables import Row, number, read_table
from spinedet.imaging.volume import Volume, write_volume

_EDGES = ("px_top", "px_bottom", "px_left", "px_right")
_GEOMETRY = ("mm_per_px_y", "mm_per_px_x")
_COLUMNS = ("patient", "disc", "level", *GRADES.values(), *_EDGES, *_GEOMETRY)
_SERIES = "t2"
# Boxes were made on pictures that may end within a disc.
_LEAST_SEEN = 0.5


@dataclass
class MidslicesConfig(SpiderConfig):
    """What of the graded discs becomes a lesion, as for SPIDER; only the T2 slices are read.

    Attributes:
        slice_mm: thickness that a slice is given, since the pictures do not record it.
    """

    name: str = "midslices"
    slice_mm: float = 4.0

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 < self.slice_mm < 20:
            raise InputError(f"source.slice_mm={self.slice_mm}: use a slice thickness in mm, such as 4")


@dataclass(frozen=True)
class _Patient:
    """One patient's rows of discs.csv, and where the slice is and will be."""

    id: str
    picture: Path
    volume: Path
    discs: Sequence[Row]

    @property
    def study(self) -> str:
        """The study's id, unlike that of the patient's stacks."""
        return f"SPIDER-{self.id}-middle"


def open_midslices(root: Path, links: Path, config: MidslicesConfig) -> Dataset:
    """The folder with `t2/<patient>.png` and `discs.csv`; the slices are written as volumes below `links`.

    Patients have the numbers that they have in SPIDER, so that no patient can be in two splits.

    Raises:
        InputError: the table is missing or has other columns, or there is no picture.
    """
    discs: dict[str, list[Row]] = defaultdict(list)
    for row in read_table(root / "discs.csv", _COLUMNS):
        discs[row["patient"]].append(row)
    patients = [
        _Patient(p, root / "t2" / f"{p}.png", links / file_name_of(p) / "t2.nii.gz", rows) for p, rows in discs.items()
    ]
    if not any(patient.picture.exists() for patient in patients):
        raise InputError(f"{root / 't2'} holds none of the pictures that discs.csv lists; root= is the folder of both")
    return Dataset(
        name="SPIDER middle slices",
        region=Region.LUMBAR,
        categories=config.categories,
        cases=tuple(Case(patient.study, partial(_read_patient, patient, config)) for patient in patients),
        rule=asdict(config) | {"box": "made by a disc finder, not by people: no test of localisation"},
    )


def _read_patient(patient: _Patient, config: MidslicesConfig) -> Reading:
    """One study of one slice.

    Raises:
        InputError: the picture cannot be read, or its pixel size is unknown.
    """
    grid = _write_slice(patient, config)
    lesions: list[Lesion] = []
    negatives: list[Negative] = []
    unused: list[Unused] = []
    for row in patient.discs:
        box, grades = _box(row, grid), _grades(row)
        where = f"discs.csv, patient {patient.id}, disc {row['disc']}"
        if grades is None:
            effect = Effect.EXCLUDED if box is None else Effect.IGNORED
            unused.append(Unused(where, "an edge or a grade is blank, or the box is outside", effect))
            lesions += [] if box is None else _lesions(row, box, {}, config.categories)
        elif box is None:
            # A disc that the slice hardly shows is no finding that is missing from it.
            blank = any(number(row[name]) is None for name in _EDGES)
            effect = Effect.EXCLUDED if blank and config.categories_of(grades) else Effect.NONE
            unused.append(Unused(where, "an edge or a grade is blank, or the box is outside", effect))
        elif found := config.categories_of(grades):
            lesions += _lesions(row, box, grades, found)
        else:
            negatives.append(Negative(series=_SERIES, level=_level(row), box=box, attributes=_attributes(row, grades)))
    study = Study(
        id=patient.study,
        patient=f"SPIDER-{patient.id}",
        center="SPIDER",
        attributes=_acquisition(patient.discs[0]),
        series=(Series(id=_SERIES, plane=Plane.SAGITTAL, path=patient.volume.absolute()),),
        lesions=tuple(lesions),
        negatives=tuple(negatives),
    )
    return reading_of(study, unused)


def _write_slice(patient: _Patient, config: MidslicesConfig) -> Grid:
    """The picture as a volume of one sagittal slice in the patient's midline, rows to the feet, columns to the back."""
    try:
        with Image.open(patient.picture) as picture:
            pixels = np.asarray(picture.convert("L"), dtype=np.float32)
    except (OSError, UnidentifiedImageError) as error:
        raise InputError(f"{patient.picture} cannot be read as a picture ({error}); copy it again") from None
    down, back = (number(patient.discs[0][name]) for name in _GEOMETRY)
    if not (down and back and down > 0 and back > 0):
        raise InputError(f"discs.csv, patient {patient.id}: mm_per_px_x and mm_per_px_y must be above 0; correct them")
    affine = np.zeros((4, 4))
    affine[0, 0], affine[2, 1], affine[1, 2], affine[3, 3] = config.slice_mm, -down, -back, 1
    grid = Grid((1, pixels.shape[0], pixels.shape[1]), affine)
    write_volume(patient.volume, Volume(np.ascontiguousarray(pixels[None]), grid))
    return grid


def _box(row: Row, grid: Grid) -> Box | None:
    """As thick as the slice, as far as it lies in it; None where less than half of it does, or an edge is blank."""
    edges = [number(row[name]) for name in _EDGES]
    top, bottom, left, right = (np.nan if edge is None else edge for edge in edges)
    if not (bottom > top and right > left):
        return None
    low, high = np.array([0.0, top, left]), np.array([1.0, bottom, right])
    seen = EdgeBox(low.clip(0, grid.shape), high.clip(0, grid.shape))
    share = np.prod((seen.high - seen.low) / (high - low))
    return grid.world(seen) if share >= _LEAST_SEEN else None


def _grades(row: Row) -> dict[str, int] | None:
    """The radiologist's gradings, or None where one is blank."""
    values = {name: number(row[name]) for name in GRADES.values()}
    known = {name: int(value) for name, value in values.items() if value is not None}
    return known if len(known) == len(values) else None


def _lesions(row: Row, box: Box, grades: Mapping[str, int], categories: Sequence[str]) -> Iterator[Lesion]:
    """The lesions of a disc; boxes to ignore where it has no grades."""
    for category in categories:
        yield Lesion(
            id=row["disc"] if len(categories) == 1 else f"{row['disc']}-{category}",
            series=_SERIES,
            category=category,
            level=_level(row),
            box=box,
            origin=Origin.POINT,
            ignore=not grades,
            attributes=_attributes(row, grades),
        )


def _level(row: Row) -> str | None:
    """The disc's name, or None where it is doubtful."""
    return row["level"] if row["level"] in LEVELS and not row.get("level_doubt") else None


def _attributes(row: Row, grades: Mapping[str, int]) -> dict[str, FiniteJson]:
    disc = number(row["disc"])
    return {"ivd_label": None if disc is None else int(disc), **grades}


def _acquisition(row: Row) -> dict[str, FiniteJson]:
    """Maker and field strength, where known."""
    field = number(row.get("tesla", ""))
    values: dict[str, FiniteJson] = {"vendor": row.get("vendor") or None, "field_strength": field}
    return {name: value for name, value in values.items() if value is not None}
