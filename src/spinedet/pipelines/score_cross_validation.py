"""The numbers of a cross-validation, beside rules that see no image."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from pydantic import JsonValue

from spinedet.core.types import Finding, Findings, Manifest, StudyFindings
from spinedet.pipelines.cross_validation import COMMON_THRESHOLD
from spinedet.report.number_format import DASH
from spinedet.scoring import BootstrapSettings, Criterion, Estimate, ScoreSettings, examine
from spinedet.scoring.cross_validated import CrossValidated
from spinedet.scoring.metrics.counts import froc_name
from spinedet.scoring.metrics.graded_places import (
    AUC,
    FOUND,
    KindOfPlace,
    graded_places,
    kinds_of_place,
    places_of,
)
from spinedet.scoring.statistics.bootstrap import draw
from spinedet.scoring.statistics.estimates import Statistics, statistics
from spinedet.scoring.statistics.hypothesis_tests import difference

LOWEST = "lowest four, no image"
EVERY = "every place, no image"
_DETECTION = ("f1", "f1_max", "ap", "precision", "recall", froc_name(1.0))
_COMPARED = ("f1", "ap", AUC)
_GRADED = ("pfirrmann kappa", "bulging auc", "herniation auc", "narrowing auc")
# Columns of the table, with their statistics.
_COLUMNS = {
    "F1": "f1",
    "F1 minus lowest four": "f1 difference",
    "best F1": "f1_max",
    "AP": "ap",
    "sensitivity at 1 FP/scan": froc_name(1.0),
    "places found": FOUND,
    "grading AUC": AUC,
    "Pfirrmann kappa": "pfirrmann kappa",
    "bulging AUC": "bulging auc",
    "herniation AUC": "herniation auc",
    "narrowing AUC": "narrowing auc",
}
# Columns of the second table.
_PAIRED = {title: name for title, name in _COLUMNS.items() if name in (*_COMPARED, *_GRADED)}


@dataclass(frozen=True, eq=False)
class Result:
    """One contender's numbers, means over its seeds, with replicates that are common to all contenders.

    Attributes:
        apart: its numbers minus those of the lowest four. behind: those of the first contender minus its own.
    """

    name: str
    seeds: int
    detection: Statistics
    grading: Statistics
    apart: Mapping[str, Estimate]
    behind: Mapping[str, Estimate] = field(default_factory=dict)

    def estimate(self, statistic: str) -> Estimate | None:
        """One number; None where it was not measured."""
        if statistic in self.apart:
            return self.apart[statistic]
        source = next((each for each in (self.detection, self.grading) if statistic in each.values), None)
        return None if source is None else source.estimate(statistic)

    @property
    def record(self) -> CrossValidated:
        """For a file."""
        names = dict.fromkeys((*_DETECTION, *self.grading.values, *self.apart))
        numbers = {name: one for name in names if (one := self.estimate(name)) is not None}
        return CrossValidated(name=self.name, seeds=self.seeds, numbers=numbers, behind=dict(self.behind))


def rule_findings(manifest: Manifest, count: int) -> Findings:
    """The lowest `count` assessed places of every series, all with score 1."""
    studies = []
    for study in manifest.studies:
        found: list[Finding] = []
        for series in study.series:
            places = [p for p in places_of(study) if p.series == series.id and not np.isnan(p.lesion)]
            lowest = sorted(places, key=lambda place: place.box.center[2])[:count]
            found += [Finding(series=p.series, category=manifest.categories[0], score=1.0, box=p.box) for p in lowest]
        studies.append(StudyFindings(id=study.id, findings=tuple(found)))
    planes = sorted({series.plane.value for study in manifest.studies for series in study.series})
    return Findings(model={"name": "rule", "planes": list[JsonValue](planes)}, studies=tuple(studies))


def results(
    manifest: Manifest,
    contenders: Mapping[str, Sequence[Findings]],
    criterion: Criterion,
    bootstrap: BootstrapSettings,
) -> list[Result]:
    """Every contender, and the two rules, with differences from the lowest four.

    Args:
        contenders: the findings of each training seed by name, counted at `COMMON_THRESHOLD`.
    """
    rules = {EVERY: [rule_findings(manifest, 99)], LOWEST: [rule_findings(manifest, 4)]}
    settings = ScoreSettings(
        criterion=criterion, threshold=COMMON_THRESHOLD, bootstrap=bootstrap, secondary=(), strata=()
    )
    numbers = {
        name: (
            _mean([_detection(manifest, each, settings) for each in several]),
            _mean([_grading(manifest, each, bootstrap) for each in several]),
        )
        for name, several in {**contenders, **rules}.items()
    }
    lowest, first = numbers[LOWEST], next(iter(contenders))
    return [
        Result(
            name,
            len(contenders.get(name, [None])),
            *own,
            apart={f"{key} difference": one for key, one in _apart(lowest, own, _COMPARED).items()},
            behind={} if name in (first, EVERY, LOWEST) else _apart(own, numbers[first], (*_COMPARED, *_GRADED)),
        )
        for name, own in numbers.items()
    ]


def _detection(manifest: Manifest, findings: Findings, settings: ScoreSettings) -> Statistics:
    examination = examine(manifest, findings, settings)
    whole = next(named for named in examination.groups if not named.by)
    return examination.statistics(examination.count_part(whole))


def _grading(manifest: Manifest, findings: Findings, bootstrap: BootstrapSettings) -> Statistics:
    places = graded_places(manifest, findings)
    weights = draw(np.zeros(len(places.patients), dtype=np.int64), ("all",), bootstrap)
    return statistics(places, weights, bootstrap)


def _mean(several: Sequence[Statistics]) -> Statistics:
    """The mean over seeds, replicate by replicate: all share the resamples of the patients."""
    first = several[0]

    def mean(name: str) -> dict[str, Any]:
        parts = [getattr(one, name) for one in several]
        return {key: np.mean([part[key] for part in parts], axis=0) for key in parts[0] if all(key in p for p in parts)}

    values = {key: float(value) for key, value in mean("values").items()}
    return replace(first, values=values, replicates=mean("replicates"), left_out=mean("left_out"))


def _apart(
    first: tuple[Statistics, Statistics], second: tuple[Statistics, Statistics], names: Sequence[str]
) -> dict[str, Estimate]:
    """The second's numbers minus the first's, as far as both have them."""
    found: dict[str, Estimate] = {}
    for one, other in zip(first, second, strict=True):
        apart = difference(one, other, names)
        found |= {name: apart.estimate(name) for name in apart.values}
    return found


def markdown(found: Sequence[Result]) -> str:
    """A row for each contender; a second table of the first minus each of the others, where there are others."""
    lines = _table(["", "seeds", *_COLUMNS])
    lines += [_row([one.name, str(one.seeds)], [one.estimate(name) for name in _COLUMNS.values()]) for one in found]
    behind = [one for one in found if one.behind]
    if behind:
        lines += ["", *_table([f"{found[0].name} minus", *_PAIRED])]
        lines += [_row([one.name], [one.behind.get(name) for name in _PAIRED.values()]) for one in behind]
    return "\n".join(lines) + "\n"


def kinds_table(manifest: Manifest, findings: Sequence[Findings]) -> str:
    """Where a contender is right and wrong at the thresholds, all seeds added up; empty without grades and levels."""
    several = [kinds_of_place(manifest, each, COMMON_THRESHOLD) for each in findings]
    lines = []
    for name in several[0]:
        lines += ["", *_table([name, "lesions", "of which called", "sound places", "of which called", "wrong"])]
        for same in zip(*(each[name] for each in several), strict=True):
            total = KindOfPlace(same[0].by, *(sum(column) for column in zip(*map(_counts, same), strict=True)))
            cells = [total.by, *map(str, _counts(total)), f"{total.wrong:.3f}"]
            lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n" if lines else ""


def _counts(kind: KindOfPlace) -> tuple[int, int, int, int]:
    return kind.lesions, kind.found, kind.sound, kind.called


def _table(header: Sequence[str]) -> list[str]:
    return [f"| {' | '.join(header)} |", "|" + "---|" * len(header)]


def _row(names: Sequence[str], numbers: Sequence[Estimate | None]) -> str:
    return f"| {' | '.join([*names, *map(_cell, numbers)])} |"


def _cell(estimate: Estimate | None) -> str:
    if estimate is None or estimate.value is None:
        return DASH
    if estimate.low is None or estimate.high is None:
        return f"{estimate.value:.3f}"
    return f"{estimate.value:.3f} ({estimate.low:.3f} to {estimate.high:.3f})"
