"""The frozen operating point: one threshold per plane and category, chosen once, on tuning data."""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydantic import field_validator

from spinedet.core.errors import InputError
from spinedet.core.files import file_header, read_record, write_text
from spinedet.core.findings import FindingsTable
from spinedet.core.types import Findings, FiniteJson, Manifest, Record
from spinedet.scoring.matching.cohort import PLANES, PlacedCohort, Selection, as_table, gather
from spinedet.scoring.matching.criteria import SLACK, Criterion, criterion_record
from spinedet.scoring.metrics.froc_pr import OperatingPoints, operating_points
from spinedet.scoring.metrics.matched_cohort import MatchedCohort, Part, match_cohort, one_category
from spinedet.scoring.statistics.adaptation import fit_hit_model
from spinedet.scoring.statistics.calibration import fit_temperature
from spinedet.scoring.thresholds import FrozenThresholds, Threshold, TuningData

FORMAT = "spinedet-operating-point"
# Where the tuning data give none: neither sure nor dismissive for a score that is a probability.
FALLBACK = 0.5
# What an F1 may lack to the best one and still be as good as it, for `plateau_f1`.
PLATEAU = 0.02
_RULE = re.compile(r"(max_f1|plateau_f1|fp_per_scan\s*<=|sensitivity\s*>=)\s*([0-9.eE+-]*)")


class ChosenOn(Record):
    """The tuning data, so that anybody can tell whether a study was in it without learning which others were."""

    studies: int
    patients: int
    study_hashes: tuple[str, ...]
    data_sha256: str

    def holds(self, study: str) -> bool:
        """Whether the study of this id was used."""
        return study_hash(study) in self.study_hashes


class OperatingPoint(Record):
    """Thresholds with the rule that chose them, the criterion of a hit and the data; a finding counts at >=."""

    rule: str
    criterion: dict[str, FiniteJson]
    thresholds: tuple[Threshold, ...]
    chosen_on: ChosenOn

    @field_validator("thresholds")
    @classmethod
    def _one_each(cls, thresholds: tuple[Threshold, ...]) -> tuple[Threshold, ...]:
        known = Counter((one.plane, one.category) for one in thresholds)
        for (plane, category), count in known.items():
            if count > 1:
                raise ValueError(f"{count} thresholds for {category!r} in the {plane} plane; keep one")
        return thresholds

    @property
    def values(self) -> Mapping[tuple[str, str], float]:
        """Thresholds by (plane, category)."""
        return {(one.plane, one.category): one.value for one in self.thresholds}

    @property
    def temperatures(self) -> Mapping[str, float]:
        """The temperature of each plane whose categories agree on one."""
        found: dict[str, set[float]] = {}
        for one in self.thresholds:
            found.setdefault(one.plane, set()).update([] if one.temperature is None else [one.temperature])
        return {plane: values.pop() for plane, values in found.items() if len(values) == 1}

    @property
    def sha256(self) -> str:
        """Hex digest of the file that `write_operating_point` writes."""
        return hashlib.sha256(_text(self).encode()).hexdigest()

    @property
    def applied(self) -> FrozenThresholds:
        """As the scores of a test state it."""
        return FrozenThresholds(
            rule=self.rule,
            criterion=self.criterion,
            thresholds=self.thresholds,
            sha256=self.sha256,
            chosen_on=TuningData(studies=self.chosen_on.studies, data_sha256=self.chosen_on.data_sha256),
        )


@dataclass(frozen=True, slots=True)
class Rule:
    """How the tuning data choose a threshold: `max_f1`, the highest of the best F1; `plateau_f1`, the middle of those
    around it whose F1 is nearly the best; `fp_per_scan<=r`, the lowest that keeps to it; `sensitivity>=s`, the highest.
    """

    kind: str
    limit: float | None = None

    @classmethod
    def parse(cls, text: str) -> Rule:
        """The rule as written in a config.

        Raises:
            InputError: no such rule.
        """
        found = _RULE.fullmatch(text.strip())
        kind, number = (found[1].rstrip("<>= "), found[2]) if found else ("", "")
        try:
            limit = float(number) if number else None
        except ValueError:
            kind, limit = "", None
        reachable = limit is None or (0 <= limit <= 1 if kind == "sensitivity" else 0 <= limit < np.inf)
        if not kind or kind.endswith("f1") != (limit is None) or not reachable:
            raise InputError(
                f"operating point rule {text!r}: use max_f1, plateau_f1, fp_per_scan<=1 or sensitivity>=0.9"
            )
        return cls(kind, limit)

    def __str__(self) -> str:
        sign = {"fp_per_scan": "<=", "sensitivity": ">="}.get(self.kind, "")
        return self.kind if self.limit is None else f"{self.kind}{sign}{self.limit:g}"


def read_operating_point(path: Path) -> OperatingPoint:
    """Read `operating_point.json`.

    Raises:
        InputError: the file breaks the format.
    """
    return read_record(path, OperatingPoint, FORMAT)


def write_operating_point(path: Path, point: OperatingPoint) -> None:
    """Write `operating_point.json` atomically."""
    write_text(path, _text(point))


def choose_operating_point(
    manifest: Manifest, findings: Findings | FindingsTable, criterion: Criterion, rule: str = "plateau_f1"
) -> OperatingPoint:
    """Choose a threshold for every plane and category on these studies, never to be chosen again.

    A plane and category whose data give none gets 0.5, with the reason beside it.

    Raises:
        InputError: no such rule; findings that do not go with the manifest.
    """
    wanted = Rule.parse(rule)
    placed = gather(manifest, as_table(findings), Selection())
    matched, cohort = match_cohort(placed, criterion), placed.cohort
    return OperatingPoint(
        rule=str(wanted),
        criterion=dict(criterion_record(criterion)),
        thresholds=tuple(
            _threshold(matched, plane, one_category(cohort, category), wanted)
            for plane in np.unique(cohort.scans.plane).tolist()
            for category in range(len(cohort.categories))
        ),
        chosen_on=_chosen_on(placed),
    )


def max_f1(manifest: Manifest, findings: Findings | FindingsTable, criterion: Criterion) -> dict[str, Threshold]:
    """The best F1 of each plane, all categories under one threshold: a cheap number to watch during training."""
    matched = match_cohort(gather(manifest, as_table(findings), Selection()), criterion)
    every = np.ones(len(matched.cohort.categories), bool)
    planes = np.unique(matched.cohort.scans.plane).tolist()
    return {PLANES[plane]: _threshold(matched, plane, every, Rule("max_f1")) for plane in planes}


def study_hash(study: str) -> str:
    """Sixteen hex digits that stand for a study's id."""
    return hashlib.sha256(study.encode()).hexdigest()[:16]


def _text(point: OperatingPoint) -> str:
    content = {**file_header(FORMAT), **point.model_dump(mode="json")}
    return json.dumps(content, indent=1, allow_nan=False, ensure_ascii=False) + "\n"


def _threshold(matched: MatchedCohort, plane: int, categories: NDArray[np.bool_], rule: Rule) -> Threshold:
    cohort = matched.cohort
    part = Part(cohort, cohort.scans.of_plane(plane), categories)
    ranked = matched.ranked(part)
    steps = operating_points(ranked)
    lesions, scans = int(part.lesions_per_patient.sum()), int(part.scans_per_patient.sum())
    choice = _choose(steps, lesions, scans, rule)
    at = steps.at(choice.value)
    names = [name for name, kept in zip(cohort.categories, categories.tolist(), strict=True) if kept]
    return Threshold(
        plane=PLANES[plane],
        category="+".join(names),
        value=choice.value,
        reason=choice.reason,
        f1=2 * at.tp / (at.tp + at.fp + lesions) if lesions else None,
        sensitivity=at.tp / lesions if lesions else None,
        fp_per_scan=at.fp / scans,
        lesions=lesions,
        scans=scans,
        temperature=fit_temperature(ranked),
        hit_model=fit_hit_model(ranked),
    )


@dataclass(frozen=True, slots=True)
class _Choice:
    value: float
    reason: str | None = None


def _choose(steps: OperatingPoints, lesions: int, scans: int, rule: Rule) -> _Choice:
    if not len(steps.score):
        return _Choice(FALLBACK, "the tuning data hold no finding here")
    if rule.kind == "fp_per_scan":
        return _few_false(steps, (rule.limit or 0.0) * scans)
    if not lesions:
        return _Choice(FALLBACK, "the tuning data hold no lesion here")
    if not steps.tp[-1]:
        return _Choice(FALLBACK, "no finding hits a lesion of the tuning data here")
    if rule.kind == "sensitivity":
        return _sensitive(steps, lesions, rule.limit or 0.0)
    f1 = 2 * steps.tp / (steps.tp + steps.fp + lesions)
    # Of equal F1 the highest threshold: fewer false positives for the same.
    best = int(np.argmax(f1))
    return _Choice(_middle(steps.score, f1, best) if rule.kind == "plateau_f1" else float(steps.score[best]))


def _middle(score: NDArray[np.float64], f1: NDArray[np.float64], best: int) -> float:
    """Of the thresholds around the best one, down to the next lower score, whose F1 lacks little."""
    worse = np.flatnonzero(f1 < f1[best] - PLATEAU)
    above, below = worse[worse < best], worse[worse > best]
    first = above[-1] + 1 if len(above) else 0
    low = below[0] if len(below) else len(score) - 1
    return float(score[first] + score[low]) / 2


def _few_false(steps: OperatingPoints, allowed: float) -> _Choice:
    kept = np.flatnonzero(steps.fp <= allowed)
    if len(kept):
        return _Choice(float(steps.score[kept[-1]]))
    return _Choice(float(np.nextafter(steps.score[0], np.inf)), "even the highest score gives more false positives")


def _sensitive(steps: OperatingPoints, lesions: int, least: float) -> _Choice:
    enough = np.flatnonzero(steps.tp >= least * lesions - SLACK)
    if len(enough):
        return _Choice(float(steps.score[enough[0]]))
    return _Choice(float(steps.score[-1]), f"all findings together reach a sensitivity of {steps.tp[-1] / lesions:.3f}")


def _chosen_on(placed: PlacedCohort) -> ChosenOn:
    cohort, found = placed.cohort, placed.boxes
    marks, boxes = cohort.marks, cohort.lesions.boxes
    digest = hashlib.sha256()
    for name in (*cohort.patients, *(study.id for study in cohort.studies), *cohort.scans.series):
        digest.update(name.encode() + b"\0")
    ours = (marks.scan, marks.category, marks.score, found.center, found.size)
    theirs = (cohort.lesions.scan, cohort.lesions.category, cohort.lesions.ignore, boxes.center, boxes.size)
    for column in (*ours, *theirs):
        digest.update(np.asarray(column).tobytes())
    return ChosenOn(
        studies=len(cohort.studies),
        patients=len(cohort.patients),
        study_hashes=tuple(sorted(study_hash(study.id) for study in cohort.studies)),
        data_sha256=digest.hexdigest(),
    )
