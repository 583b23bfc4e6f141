"""The step of prediction that names levels: each sagittal series by its own discs, then the whole study."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from spinedet.core.anatomy import Region
from spinedet.core.errors import InputError
from spinedet.core.types import FiniteJson, Vector, is_number
from spinedet.imaging.planes import SPECS
from spinedet.levels.naming import ManualAnchor, SeriesNaming, name_by_hand, name_series
from spinedet.levels.parameters import LevelParameters
from spinedet.levels.study import agree, with_levels
from spinedet.pipelines.prediction import SeriesPrediction, StudyPrediction

# Settings of a study that name a vertebra, and the vertebra.
MANUAL = {"l5": "L5", "c2": "C2"}


@dataclass(frozen=True)
class LevelAssigner:
    """Names the levels of a study's findings.

    Attributes:
        region: of the spine. parameters: of the detector's weights; None leaves levels unresolved.
        manual: a person's word for every study; that of a study's own `attributes` comes first.
    """

    region: Region
    parameters: LevelParameters | None
    manual: ManualAnchor | None = None

    def __call__(self, study: StudyPrediction) -> StudyPrediction:
        """The study with `level`, `ordinal` and `naming` of all candidates, and `naming` of its series.

        Raises:
            InputError: a point for L5 or C2 lies in none of the sagittal series.
        """
        manual = manual_of(study.attributes, f"study {study.id!r}, attributes") or self.manual
        sagittal = [one for one in study.series if SPECS[one.plane].caudal[0] > 0]  # slices that run along the spine
        found = [self._name(one) for one in sagittal]
        if manual is not None:
            found = _by_hand(manual, found, sagittal)
        naming = agree(found)
        named = tuple(replace(one, candidates=with_levels(one.candidates, naming)) for one in study.series)
        return replace(study, series=named, naming={key: one.record() for key, one in naming.series.items()})

    def _name(self, one: SeriesPrediction) -> SeriesNaming:
        return name_series(one.series, one.candidates, one.volume.array, one.grid, self.region, self.parameters)


def _by_hand(
    manual: ManualAnchor, namings: Sequence[SeriesNaming], series: Sequence[SeriesPrediction]
) -> list[SeriesNaming]:
    """A point names the series that show it; the others are named through them."""
    found, refused = [], []
    for naming, one in zip(namings, series, strict=True):
        try:
            found.append(name_by_hand(naming, manual, one.grid))
        except InputError as error:
            refused.append(error)
            found.append(naming.unresolved(f"{manual.vertebra} was set in another series"))
    if refused and len(refused) == len(namings):
        raise refused[0]
    return found


def manual_of(settings: Mapping[str, FiniteJson], where: str) -> ManualAnchor | None:
    """The point in L5 or C2 that settings name, a list of three numbers or `x,y,z` (RAS mm).

    Raises:
        InputError: both are named, or it is no point.
    """
    named = {name: settings[name] for name in MANUAL if settings.get(name) is not None}
    if len(named) > 1:
        raise InputError(f"{where}: l5 and c2 are both set; one names all levels, leave the other out")
    for name, value in named.items():
        return ManualAnchor(MANUAL[name], _point(value, f"{where}: {name}={value}"))
    return None


def _point(value: FiniteJson, where: str) -> Vector:
    parts: list[FiniteJson] = list(value.strip("[]()").split(",")) if isinstance(value, str) else []
    parts = list(value) if isinstance(value, list | tuple) else parts
    try:
        numbers = [float(part) for part in parts if is_number(part) or isinstance(part, str)]
    except ValueError:
        numbers = []
    if len(numbers) != 3 or len(parts) != 3 or not all(map(math.isfinite, numbers)):
        raise InputError(f"{where} is no point; give R, A and S in mm, such as 1.5,-32,110")
    return numbers[0], numbers[1], numbers[2]
