"""Scoring: from a reference and a detector's findings to numbers with intervals."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spinedet.core.findings import FindingsTable
from spinedet.core.types import Findings, FiniteJson, Manifest
from spinedet.scoring.bootstrap import FEW_PATIENTS, BootstrapSettings, Weights, draw
from spinedet.scoring.cohort import Cohort, Selection, as_table, gather
from spinedet.scoring.criteria import Criterion, IouCriterion, criterion_from, criterion_record
from spinedet.scoring.grouping import Named, groups
from spinedet.scoring.judgement import Judgement, above, judge
from spinedet.scoring.operating import OperatingPoint
from spinedet.scoring.reckoning import counts, performance, statistics
from spinedet.scoring.scores import Group, Scores
from spinedet.scoring.tally import tally


@dataclass(frozen=True)
class ScoreSettings:
    """How findings are scored.

    Attributes:
        criterion: what counts as a hit; None takes the operating point's, else IoU >= 0.1.
        selection: which studies and planes; with an operating point its planes, unless planes are named.
        threshold: one frozen threshold for all; or
        operating_point: frozen thresholds per plane and category. With neither, every finding counts.
        bootstrap: how intervals are made.
    """

    criterion: Criterion | None = None
    selection: Selection = field(default_factory=Selection)
    threshold: float | None = None
    operating_point: OperatingPoint | None = None
    bootstrap: BootstrapSettings = field(default_factory=BootstrapSettings)


def score(manifest: Manifest, findings: Findings | FindingsTable, settings: ScoreSettings | None = None) -> Scores:
    """Score findings against a reference.

    Raises:
        InputError: findings that do not go with the manifest, or thresholds that do not go with either.
    """
    settings = settings or ScoreSettings()
    cohort = gather(manifest, as_table(findings), _selection(settings))
    judgement = judge(cohort, _criterion(settings))
    weights = draw(cohort.patient_center, cohort.centers, settings.bootstrap)
    reckoned = _Groups(judgement, reaching(cohort, settings), weights, settings.bootstrap)
    return Scores(
        name=manifest.name,
        model=cohort.table.model,
        criterion=dict(criterion_record(judgement.criterion)),
        threshold=_threshold_block(settings),
        bootstrap=_bootstrap_block(settings.bootstrap),
        groups=tuple(reckoned.record(named) for named in groups(cohort)),
        not_read=cohort.not_read,
        notes=(*cohort.notes, *_notes(cohort, settings)),
    )


def reaching(cohort: Cohort, settings: ScoreSettings) -> NDArray[np.bool_]:
    """Which findings count at the frozen threshold, (n,)."""
    if settings.operating_point is not None:
        return above(cohort, settings.operating_point.values)
    limit = -np.inf if settings.threshold is None else settings.threshold
    return np.greater_equal(cohort.marks.score, limit)


class _Groups:
    """Makes the groups' records; parts with the same scans and categories are reckoned once."""

    def __init__(
        self, judgement: Judgement, reached: NDArray[np.bool_], weights: Weights, settings: BootstrapSettings
    ) -> None:
        self._judgement = judgement
        self._reached = reached
        self._weights = weights
        self._settings = settings
        self._known: dict[tuple[bytes, bytes], dict[str, Any]] = {}

    def record(self, named: Named) -> Group:
        key = (named.part.scans.tobytes(), named.part.categories.tobytes())
        if key not in self._known:
            self._known[key] = self._reckon(named)
        return Group(by=named.by, **self._known[key])

    def _reckon(self, named: Named) -> dict[str, Any]:
        counted = tally(self._judgement, named.part, self._reached)
        numbers = statistics(counted, self._weights, self._settings)
        held = counts(named.part, self._judgement.matches.lesion)
        return {"n": held, "interval": numbers.method, **dict(performance(counted, numbers))}


def _selection(settings: ScoreSettings) -> Selection:
    point = settings.operating_point
    if point is None or settings.selection.planes:
        return settings.selection
    return replace(settings.selection, planes=tuple(dict.fromkeys(one.plane for one in point.thresholds)))


def _criterion(settings: ScoreSettings) -> Criterion:
    if settings.criterion is not None:
        return settings.criterion
    return criterion_from(settings.operating_point.criterion) if settings.operating_point else IouCriterion()


def _threshold_block(settings: ScoreSettings) -> dict[str, FiniteJson]:
    point = settings.operating_point
    if point is not None:
        thresholds: list[Any] = [one.model_dump(mode="json") for one in point.thresholds]
        return {
            "rule": point.rule,
            "criterion": point.criterion,
            "thresholds": thresholds,
            "sha256": point.sha256,
            "chosen_on": {"studies": point.chosen_on.studies, "data_sha256": point.chosen_on.data_sha256},
            "description": "frozen before this test: a finding counts when its score is at or above its threshold",
        }
    if settings.threshold is not None:
        return {"rule": "given", "value": settings.threshold, "description": f"score ≥ {settings.threshold:g} counts"}
    return {"rule": "none", "value": None, "description": "no threshold was given: every finding counts"}


def _bootstrap_block(settings: BootstrapSettings) -> dict[str, FiniteJson]:
    return {
        "samples": settings.samples,
        "seed": settings.seed,
        "unit": "patient",
        "stratified_by": "center",
        "method": settings.method,
        "confidence": settings.confidence,
        "description": f"{settings.confidence:.0%} intervals from {settings.samples} resamples of patients within "
        f"their centres; BCa below {FEW_PATIENTS} patients, percentile from there on"
        if settings.samples
        else "no intervals were asked for",
    }


def _notes(cohort: Cohort, settings: ScoreSettings) -> list[str]:
    point = settings.operating_point
    if point is None:
        return []
    notes = []
    seen = sum(point.chosen_on.holds(study.id) for study in cohort.studies)
    if seen:
        notes.append(f"{seen} of the {len(cohort.studies)} studies also chose the threshold: this is no test of it")
    if settings.criterion is not None and criterion_record(settings.criterion) != point.criterion:
        notes.append(f"the threshold was chosen under another criterion ({point.criterion.get('description')})")
    return notes
