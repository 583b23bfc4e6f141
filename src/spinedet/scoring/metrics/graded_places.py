"""How findings rank and grade all assessed places: lesions and negatives."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spinedet.core.geometry import iou
from spinedet.core.grades import SCALES
from spinedet.core.types import Box, Finding, Findings, FiniteJson, Manifest, Study
from spinedet.scoring.matching.overlaps import Floats, Ints
from spinedet.scoring.metrics.froc_pr import ratio
from spinedet.scoring.metrics.severity_agreement import Grading

FOUND, AUC = "places found", "grading auc"
_BATCH, _LEAST_IOU = 100, 0.1


@dataclass(frozen=True, eq=False)
class GradedPlaces:
    """Every assessed place with the finding of the highest score on it.

    Attributes:
        lesion: (n,) 1 for a lesion, 0 for a negative, NaN where it is to be ignored.
        score: (n,) of the finding, 0 where there is none.
        reference, predicted: (n,) by scale: the grade of the place, and that of the finding; NaN where there is none.
        patient: (n,) row among `patients`, the ids in order.
    """

    lesion: Floats
    score: Floats
    reference: Mapping[str, Floats]
    predicted: Mapping[str, Floats]
    patient: Ints
    patients: tuple[str, ...]

    @property
    def members(self) -> Ints:
        """Rows of the patients."""
        return np.arange(len(self.patients))

    @property
    def batch(self) -> int:
        """How many replicates to take at once."""
        return _BATCH

    def measure(self, weights: Floats) -> dict[str, Floats]:
        """Share of places found, grading AUC and agreement of the grades, (B,), for patient weights (P, B)."""
        each = weights[self.patient]
        assessed = ~np.isnan(self.lesion)
        numbers = {
            FOUND: ratio((each * (self.score > 0)[:, None]).sum(0), each.sum(0)),
            AUC: area(self.score[assessed], self.lesion[assessed] == 1, each[assessed]),
        }
        for name, predicted in self.predicted.items():
            numbers |= self._agreement(name, predicted, weights)
        return numbers

    def _agreement(self, name: str, predicted: Floats, weights: Floats) -> dict[str, Floats]:
        reference, scale = self.reference[name], SCALES[name]
        both = ~np.isnan(predicted + reference)
        if not both.any():
            return {}
        if scale.steps == 1:
            return {f"{name} auc": area(predicted[both], reference[both] > scale.lowest, weights[self.patient[both]])}
        graded = Grading(predicted[both], reference[both], self.patient[both], len(self.patients)).measure(weights)
        numbers = {f"{name} {key.removeprefix('severity ')}": value for key, value in graded.items()}
        near = np.abs(np.floor(predicted[both] + 0.5) - reference[both]) <= 1
        within = ratio((weights[self.patient[both]] * near[:, None]).sum(0), weights[self.patient[both]].sum(0))
        return numbers | {f"{name} within one": within}


def area(score: Floats, positive: NDArray[np.bool_], weights: Floats) -> Floats:
    """Area under the ROC curve (Mann-Whitney, ties a half), (B,), for weights (n, B); NaN with one class alone."""
    order = np.argsort(score, kind="stable")
    ranked, each, sign = score[order], weights[order], positive[order, None]
    first = np.flatnonzero(np.r_[True, ranked[1:] != ranked[:-1]]) if len(ranked) else np.zeros(0, int)
    if not len(first):
        return np.full(weights.shape[1], np.nan)
    above, below = (np.add.reduceat(each * mask, first, axis=0) for mask in (sign, ~sign))
    under = np.cumsum(below, axis=0) - below / 2
    return ratio((above * under).sum(0), above.sum(0) * below.sum(0))


def graded_places(manifest: Manifest, findings: Findings, least_iou: float = _LEAST_IOU) -> GradedPlaces:
    """All assessed places of the studies that were read, each with the highest-scoring finding that overlaps it most.

    Args:
        least_iou: from which a finding counts as on a place. Lesions of one box are one place.
    """
    found = {study.id: study.findings for study in findings.studies}
    patients = tuple(sorted({study.patient for study in manifest.studies if study.id in found}))
    rows = {patient: row for row, patient in enumerate(patients)}
    places = [
        (rows[study.patient], place, finding)
        for study in manifest.studies
        if study.id in found
        for place, finding in _best(study, found[study.id], least_iou)
    ]
    best = [finding for _, _, finding in places]
    return GradedPlaces(
        lesion=np.array([place.lesion for _, place, _ in places]),
        score=np.array([0.0 if finding is None else finding.score for finding in best]),
        reference={n: np.array([scale.of(place.attributes) for _, place, _ in places]) for n, scale in SCALES.items()},
        predicted={n: np.array([_predicted(finding, n) for finding in best]) for n in SCALES},
        patient=np.array([row for row, _, _ in places], dtype=np.int64),
        patients=patients,
    )


@dataclass(frozen=True)
class Place:
    """One assessed place: `lesion` is 1, 0, or NaN where it is to be ignored; `attributes` hold its grades; its `level`
    is None where the manifest names none.
    """

    series: str
    box: Box
    lesion: float
    attributes: Mapping[str, FiniteJson]
    level: str | None = None


def places_of(study: Study) -> list[Place]:
    """The places of a study's lesions and negatives; lesions of one box are one place."""
    found: dict[tuple[str, Box], Place] = {}
    for lesion in study.lesions:
        key = lesion.series, lesion.box
        place = Place(lesion.series, lesion.box, np.nan if lesion.ignore else 1.0, lesion.attributes, lesion.level)
        if key not in found or np.isnan(found[key].lesion):
            found[key] = place
    return [*found.values(), *(Place(n.series, n.box, 0.0, n.attributes, n.level) for n in study.negatives)]


@dataclass(frozen=True)
class KindOfPlace:
    """Assessed places of one kind, with how many were called a lesion at a threshold.

    Attributes:
        by: the kind, such as a Pfirrmann grade or a level.
        lesions, sound: how many there are; of them `found` and `called` were called a lesion.
    """

    by: str
    lesions: int
    found: int
    sound: int
    called: int

    @property
    def wrong(self) -> float:
        """Share of the places that were called wrongly."""
        return (self.lesions - self.found + self.called) / (self.lesions + self.sound)


def kinds_of_place(manifest: Manifest, findings: Findings, threshold: float) -> dict[str, tuple[KindOfPlace, ...]]:
    """Assessed places by Pfirrmann grade, with and without bulging, and by level, as far as the manifest gives them."""
    found = {study.id: study.findings for study in findings.studies}
    places = [
        (place, finding is not None and finding.score >= threshold)
        for study in manifest.studies
        if study.id in found
        for place, finding in _best(study, found[study.id], _LEAST_IOU)
        if not np.isnan(place.lesion)
    ]
    kinds: dict[str, Callable[[Place], str | None]] = {
        "Pfirrmann grade": _pfirrmann,
        "level": lambda place: place.level,
    }
    tables = {
        name: _counted([(kind(place), place, called) for place, called in places]) for name, kind in kinds.items()
    }
    return {name: table for name, table in tables.items() if table}


def _pfirrmann(place: Place) -> str | None:
    grade, bulging = (SCALES[name].of(place.attributes) for name in ("pfirrmann", "bulging"))
    if np.isnan(grade):
        return None
    return f"{grade:g}" if np.isnan(bulging) else f"{grade:g}, {'bulging' if bulging else 'no bulging'}"


def _counted(places: Sequence[tuple[str | None, Place, bool]]) -> tuple[KindOfPlace, ...]:
    found = []
    for name in sorted({kind for kind, _, _ in places if kind is not None}):
        lesion = [called for kind, place, called in places if kind == name and place.lesion == 1]
        sound = [called for kind, place, called in places if kind == name and place.lesion == 0]
        found.append(KindOfPlace(name, len(lesion), sum(lesion), len(sound), sum(sound)))
    return tuple(found)


def _best(study: Study, found: tuple[Finding, ...], least_iou: float) -> Iterator[tuple[Place, Finding | None]]:
    for series in study.series:
        places = [place for place in places_of(study) if place.series == series.id]
        here = [finding for finding in found if finding.series == series.id]
        overlap = iou([place.box for place in places], [finding.box for finding in here])
        for row, place in enumerate(places):
            candidates = [
                finding
                for column, finding in enumerate(here)
                if overlap[row, column] >= least_iou and overlap[:, column].argmax() == row
            ]
            yield place, max(candidates, key=lambda finding: finding.score, default=None)


def _predicted(finding: Finding | None, name: str) -> float:
    grades = finding.grades if finding is not None else None
    return grades.get(name, np.nan) if grades else np.nan
