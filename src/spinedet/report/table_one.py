"""Who is in a cohort: Table 1 by split and centre, the flow from all studies to those used, and how tests differ."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby, product
from statistics import fmean, median, stdev

import numpy as np

from spinedet.core.anatomy import Plane
from spinedet.core.errors import InputError
from spinedet.core.geometry import Grid
from spinedet.core.leakage import refuse_leakage
from spinedet.core.types import Manifest, Series, Study
from spinedet.imaging.planes import slice_axis
from spinedet.imaging.volume import read_grid
from spinedet.report.number_format import DASH, plain

# What is described of a patient or scanner where the manifest states it.
CHOICES = ("sex", "vendor", "field_strength")


@dataclass(frozen=True, slots=True)
class Column:
    """The studies of one split and centre.

    Attributes:
        lesions: those to be ignored left out. age: mean and standard deviation in words.
        choices: shares by attribute in words. spacing: median and range in words, mm, by plane and direction.
        missing: studies that lack an attribute, by its name, and series whose spacing cannot be read.
    """

    split: str
    center: str
    patients: int
    studies: int
    series: int
    lesions: int
    age: str
    choices: dict[str, str]
    spacing: dict[str, str]
    missing: dict[str, int]


@dataclass(frozen=True, slots=True)
class Flow:
    """From all studies of a centre to those that are used."""

    center: str
    all: int
    excluded: dict[str, int]
    used: dict[str, int]


@dataclass(frozen=True, slots=True)
class Shift:
    """How a centre's tests differ from the development studies; None where it cannot be stated.

    Attributes:
        age: difference of the means in pooled standard deviations.
        sex, vendor, field_strength: total variation distance between the shares, 0 (alike) to 1 (nothing in common).
        lesions: difference of lesions per series.
    """

    center: str
    age: float | None
    sex: float | None
    vendor: float | None
    field_strength: float | None
    lesions: float | None


def table_one(manifest: Manifest) -> tuple[Column, ...]:
    """A column for each split and centre of the studies that are not excluded.

    Raises:
        InputError: a patient or an image is in two splits.
    """
    refuse_leakage(manifest.studies, f"manifest {manifest.name!r}")
    used = sorted((study for study in manifest.studies if study.excluded is None), key=_part)
    return tuple(_column(*part, list(studies)) for part, studies in groupby(used, key=_part))


def flow(manifest: Manifest) -> tuple[Flow, ...]:
    """Every centre's studies: how many there are, were excluded for which reason, and went into which split."""
    centers = sorted({study.center for study in manifest.studies})
    return tuple(_flow(center, [s for s in manifest.studies if s.center == center]) for center in centers)


def shift(manifest: Manifest) -> tuple[Shift, ...]:
    """Each centre's test studies against all studies to train and tune on."""
    used = [study for study in manifest.studies if study.excluded is None]
    developed = [study for study in used if _split(study) != "test"]
    tested = [study for study in used if _split(study) == "test"]
    centers = sorted({study.center for study in tested})
    return tuple(_shift(name, developed, [s for s in tested if s.center == name]) for name in centers)


def _part(study: Study) -> tuple[str, str]:
    return _split(study), study.center


def _split(study: Study) -> str:
    return study.split.value if study.split else "unsplit"


def _column(split: str, center: str, studies: Sequence[Study]) -> Column:
    ages = _numbers(studies, "age")
    grids = [(series.plane, _grid(series)) for study in studies for series in study.series]
    gaps = {name: len(studies) - len(_values(studies, name)) for name in ("age", *CHOICES)}
    gaps["spacing (series)"] = sum(grid is None for _, grid in grids)
    return Column(
        split=split,
        center=center,
        patients=len({study.patient for study in studies}),
        studies=len(studies),
        series=sum(len(study.series) for study in studies),
        lesions=sum(_lesions(study) for study in studies),
        age=f"{plain(fmean(ages), 1)} ({plain(_spread(ages), 1)})" if ages else DASH,
        choices={name: _in_words(_values(studies, name)) for name in CHOICES},
        spacing=_spacing([(plane, grid) for plane, grid in grids if grid is not None]),
        missing={name: gap for name, gap in gaps.items() if gap},
    )


def _grid(series: Series) -> Grid | None:
    """Where its voxels lie; None when its image cannot be read, as a description must not need the images."""
    try:
        return read_grid(series.path)
    except InputError:
        return None


def _spacing(grids: Sequence[tuple[Plane, Grid]]) -> dict[str, str]:
    """In words, of each plane's pixels (both edges of each) and slices (from centre to centre)."""
    words = {}
    for plane in Plane:
        mine = [(grid.spacing, slice_axis(grid)) for its, grid in grids if its is plane]
        words[f"{plane.value} pixel"] = _range([edge for edges, axis in mine for edge in np.delete(edges, axis)])
        words[f"{plane.value} slice"] = _range([edges[axis] for edges, axis in mine])
    return words


def _range(values: Sequence[float]) -> str:
    if not values:
        return DASH
    return f"{plain(median(values), 2)} ({plain(min(values), 2)}–{plain(max(values), 2)})"


def _lesions(study: Study) -> int:
    return sum(not lesion.ignore for lesion in study.lesions)


def _values(studies: Iterable[Study], name: str) -> list[str]:
    stated = (study.attributes.get(name) for study in studies)
    return [f"{value:g}" if isinstance(value, float) else str(value) for value in stated if value is not None]


def _numbers(studies: Iterable[Study], name: str) -> list[float]:
    stated = (study.attributes.get(name) for study in studies)
    return [float(value) for value in stated if isinstance(value, int | float)]


def _spread(values: Sequence[float]) -> float:
    return stdev(values) if len(values) > 1 else 0.0


def _in_words(values: Sequence[str]) -> str:
    counted = Counter(values).most_common()
    return ", ".join(f"{name} ×{count}" for name, count in counted) or DASH


def _flow(center: str, studies: Sequence[Study]) -> Flow:
    excluded = Counter(study.excluded for study in studies if study.excluded is not None)
    used = Counter(_split(study) for study in studies if study.excluded is None)
    return Flow(center, len(studies), dict(excluded), dict(used))


def _shift(center: str, developed: Sequence[Study], tested: Sequence[Study]) -> Shift:
    apart = {name: _distance(_values(developed, name), _values(tested, name)) for name in CHOICES}
    rates = [_rate(part) for part in (developed, tested)]
    lesions = None if rates[0] is None or rates[1] is None else rates[1] - rates[0]
    return Shift(center, _standardised(_numbers(developed, "age"), _numbers(tested, "age")), lesions=lesions, **apart)


def _rate(studies: Sequence[Study]) -> float | None:
    series = sum(len(study.series) for study in studies)
    return sum(map(_lesions, studies)) / series if series else None


def _standardised(first: Sequence[float], second: Sequence[float]) -> float | None:
    """Difference of the means, second minus first, in pooled standard deviations (Cohen's d)."""
    if len(first) < 2 or len(second) < 2:
        return None
    freedom = len(first) + len(second) - 2
    pooled = ((len(first) - 1) * stdev(first) ** 2 + (len(second) - 1) * stdev(second) ** 2) / freedom
    return (fmean(second) - fmean(first)) / pooled**0.5 if pooled else None


def _distance(first: Sequence[str], second: Sequence[str]) -> float | None:
    if not first or not second:
        return None
    names = {*first, *second}
    return sum(abs(first.count(name) / len(first) - second.count(name) / len(second)) for name in names) / 2


def table_rows(columns: Sequence[Column]) -> Iterator[tuple[str, list[str]]]:
    """Table 1 line by line: what stands in front, and a cell for each column."""
    for name in ("patients", "studies", "series", "lesions"):
        yield name, [str(getattr(column, name)) for column in columns]
    yield "age, years, mean (SD)", [column.age for column in columns]
    for name in CHOICES:
        yield name.replace("_", " "), [column.choices[name] for column in columns]
    for plane, direction in product(Plane, ("pixel", "slice")):
        name = f"{plane.value} {direction}"
        yield f"{name}, mm, median (range)", [column.spacing[name] for column in columns]
    yield "missing", [_in_order(column.missing) for column in columns]


def _in_order(gaps: dict[str, int]) -> str:
    return ", ".join(f"{name} {count}" for name, count in gaps.items()) or "none"
