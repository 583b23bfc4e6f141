"""Scoring: from a reference and a detector's findings to numbers with intervals."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from spinedet.core.errors import InputError
from spinedet.core.findings import FindingsTable
from spinedet.core.manifest import phantom_note
from spinedet.core.reference import Reference
from spinedet.core.types import Findings, FiniteJson, Manifest
from spinedet.scoring.matching.cohort import Cohort, Selection, as_table, gather
from spinedet.scoring.matching.criteria import Criterion, IouCriterion, criterion_from, criterion_record
from spinedet.scoring.metrics.coco_ap import coco_average_precision, coco_matches
from spinedet.scoring.metrics.counts import HEIGHTS, PartCounts, count_matches, count_part
from spinedet.scoring.metrics.level_naming import named_hits
from spinedet.scoring.metrics.matched_cohort import MatchedCohort, above, match_cohort
from spinedet.scoring.metrics.strata import Labels, stratify, usual_strata
from spinedet.scoring.metrics.subgroups import Named, groups
from spinedet.scoring.operating_point import OperatingPoint
from spinedet.scoring.participants import participants
from spinedet.scoring.records import AdaptedThreshold, Calibration, Estimate, Group, Performance, SampleSize, Scores
from spinedet.scoring.statistics.adaptation import adapted_thresholds
from spinedet.scoring.statistics.bootstrap import BootstrapSettings, Weights, draw
from spinedet.scoring.statistics.calibration import are_probabilities, calibration, reliability, tempered, uncalibrated
from spinedet.scoring.statistics.center_gap import compare_centers
from spinedet.scoring.statistics.curve_bands import CurvePoint, curve_points
from spinedet.scoring.statistics.estimates import (
    Countable,
    Statistics,
    counts,
    level_naming,
    over_categories,
    patient_level,
    performance,
    severity_agreement,
    statistics,
    strata_scores,
)
from spinedet.scoring.statistics.multicenter import contrasts, forests
from spinedet.scoring.statistics.sample_size import half_widths, sample_sizes
from spinedet.scoring.thresholds import AppliedThresholds, GivenThreshold, NoThreshold, limits

Progress: TypeAlias = Callable[[int, int], None]
_DRAWN = ({"plane"}, {"plane", "center"})  # the groups that have curves


@dataclass(frozen=True)
class ScoreSettings:
    """How findings are scored.

    Attributes:
        criterion: what counts as a hit; None takes the operating point's, else IoU >= 0.1.
        selection: which studies and planes; with an operating point its planes, unless planes are named.
        threshold: one frozen threshold for all; or
        operating_point: frozen thresholds per plane and category. With neither, every finding counts.
        bootstrap: how intervals are made.
        by: further groups, see `grouping.groups`.
        strata: kinds of lesions, see `strata.stratify`; None takes size, and level and side where stated.
        size_edges: mm between the bins of size; terciles when empty.
        secondary: IoU thresholds reported beside the criterion.
        internal: the centre to which the others are compared.
        internal_centers: where the detector was trained; all others are external.
        half_width: of intervals, for which the number of patients is planned from these as a pilot.
        adapt: report, beside the frozen thresholds of the operating point, ones adapted to each centre's scores.
        froc: `step`, or `linear` for parity with LUNA16's script.
        coco_compat: average precision as pycocotools computes it, without interval.
    """

    criterion: Criterion | None = None
    selection: Selection = field(default_factory=Selection)
    threshold: float | None = None
    operating_point: OperatingPoint | None = None
    bootstrap: BootstrapSettings = field(default_factory=BootstrapSettings)
    by: tuple[str, ...] = ()
    strata: tuple[str, ...] | None = None
    size_edges: tuple[float, ...] = ()
    secondary: tuple[float, ...] = (0.1, 0.25, 0.5)
    internal: str | None = None
    internal_centers: tuple[str, ...] = ()
    half_width: float | None = None
    adapt: bool = False
    froc: str = "step"
    coco_compat: bool = False


@dataclass(frozen=True, eq=False)
class Examination:
    """A matched cohort with what every number and figure is computed from.

    Attributes:
        threshold: the thresholds that were applied.
        reached: (n,) which findings are at or above theirs.
    """

    cohort: Cohort
    settings: ScoreSettings
    matched: MatchedCohort
    secondary: tuple[MatchedCohort, ...]
    threshold: AppliedThresholds
    reached: NDArray[np.bool_]

    @cached_property
    def weights(self) -> Weights:
        """Of the patients in each replicate, (P, B)."""
        return draw(self.cohort.patient_center, self.cohort.centers, self.settings.bootstrap)

    @property
    def groups(self) -> list[Named]:
        """The parts that are reported."""
        return groups(self.cohort, self.settings.by)

    def count_part(self, named: Named) -> PartCounts:
        """The counts of one part; with strata where it is everything or a plane."""
        strata = self._strata() if set(named.by) <= {"plane"} else ()
        return replace(count_part(self.matched, named.part, self.reached, strata), froc=self.settings.froc)

    def statistics(self, counted: Countable) -> Statistics:
        """Numbers with their replicates."""
        return statistics(counted, self.weights, self.settings.bootstrap)

    def beside(self, named: Named) -> Iterator[Performance]:
        """The same part under the secondary criteria; with intervals where it is everything or a plane."""
        settings = (
            self.settings.bootstrap if set(named.by) <= {"plane"} else replace(self.settings.bootstrap, samples=0)
        )
        for matched in self.secondary:
            counted = replace(count_matches(matched, named.part, self.reached), froc=self.settings.froc)
            yield performance(counted, statistics(counted, self.weights, settings), matched, self.reached)

    def as_coco(self, named: Named) -> dict[str, Estimate]:
        """Average precision as pycocotools computes it, where `coco_compat` is set."""
        if not self.settings.coco_compat:
            return {}
        value = coco_average_precision(self.coco, named.part)
        return {"ap": Estimate(value=value, reason="no lesion" if value is None else "coco_compat: no interval")}

    @cached_property
    def estimates(self) -> EstimateCache:
        """The numbers of its parts."""
        return EstimateCache(self)

    @cached_property
    def coco(self) -> MatchedCohort:
        """The cohort matched as pycocotools does it."""
        criterion = self.matched.criterion
        if not isinstance(criterion, IouCriterion):
            raise InputError("coco_compat=true needs criterion=iou; pycocotools knows no other")
        return coco_matches(self.matched, criterion)

    @property
    def notes(self) -> tuple[str, ...]:
        """What a reader should know before the numbers."""
        return (*phantom_note(self.cohort.studies), *self.cohort.notes, *_notes(self.cohort, self.settings))

    @property
    def banner(self) -> tuple[str, ...]:
        """The notes, and what is known of the detector's training."""
        known = self.cohort.trained_on
        return (*self.notes, *(known.sentences if known else ()))

    def _strata(self) -> list[tuple[str, Labels]]:
        keys = usual_strata(self.cohort.lesions.records) if self.settings.strata is None else self.settings.strata
        return [(key, stratify(self.cohort.lesions, key, self.settings.size_edges)) for key in keys]


def examine(
    manifest: Manifest | Reference,
    findings: Findings | FindingsTable,
    settings: ScoreSettings | None = None,
    threshold: AppliedThresholds | None = None,
) -> Examination:
    """Match findings to a reference.

    Args:
        threshold: what an earlier test applied; by default that of the settings.

    Raises:
        InputError: findings that do not go with the manifest, or thresholds that do not go with either.
    """
    settings = settings or ScoreSettings()
    if settings.froc not in ("step", "linear"):
        raise InputError(f"froc={settings.froc}: use step, or linear for parity with LUNA16's script")
    placed = gather(manifest, as_table(findings), _selection(settings))
    cohort = placed.cohort
    criterion, threshold = _criterion(settings), threshold or _applied(settings)
    secondary = [one for iou in settings.secondary if (one := IouCriterion(iou=iou)) != criterion]
    return Examination(
        cohort=cohort,
        settings=settings,
        matched=match_cohort(placed, criterion),
        secondary=tuple(match_cohort(placed, one) for one in secondary),
        threshold=threshold,
        reached=above(cohort, limits(threshold, cohort.planes, cohort.categories)),
    )


def score(
    manifest: Manifest | Reference, findings: Findings | FindingsTable, settings: ScoreSettings | None = None
) -> Scores:
    """Score findings against a reference.

    Raises:
        InputError: as `examine`.
    """
    return report(manifest.name, examine(manifest, findings, settings))


def report(name: str, examination: Examination, progress: Progress = lambda done, total: None) -> Scores:
    """The numbers of an examination.

    Args:
        name: of the reference.
        examination: matched findings.
        progress: called after each group with how many of them are done.
    """
    cohort, settings = examination.cohort, examination.settings
    estimates = examination.estimates
    named = examination.groups
    records = []
    for done, one in enumerate(named, 1):
        records.append(Group(by=one.by, **estimates.content(one)))
        progress(done, len(named))
    return Scores(
        name=name,
        model=cohort.model,
        trained_on=cohort.trained_on,
        criterion=dict(criterion_record(examination.matched.criterion)),
        threshold=examination.threshold,
        bootstrap=settings.bootstrap.record,
        froc=settings.froc,
        groups=tuple(records),
        forests=forests(named, estimates.numbers),
        contrasts=contrasts(cohort, settings.internal, estimates.numbers) if settings.internal else (),
        center_gaps=tuple(compare_centers(cohort, settings.internal_centers, estimates.numbers)),
        calibration=tuple(
            one for part in named if set(part.by) == {"plane"} for one in _calibrations(examination, part)
        ),
        adapted=tuple(_adapted(examination)) if settings.adapt else (),
        participants=participants(cohort.studies),
        half_widths=tuple(
            one for part in named if set(part.by) == {"plane"} for one in half_widths(part.by, estimates.numbers(part))
        ),
        sample_sizes=tuple(_sample_sizes(examination, named)),
        not_read=cohort.not_read,
        notes=examination.notes,
    )


class EstimateCache:
    """The numbers of an examination's parts; parts with the same scans and categories are computed once."""

    def __init__(self, examination: Examination) -> None:
        self._examination = examination
        self._drawn = {one.part.key for one in examination.groups if set(one.by) in _DRAWN}
        self._numbers: dict[tuple[bytes, bytes], Statistics] = {}
        self._content: dict[tuple[bytes, bytes], dict[str, Any]] = {}
        self._curves: dict[tuple[bytes, bytes], tuple[CurvePoint, ...]] = {}

    def numbers(self, named: Named) -> Statistics:
        """Values with replicates."""
        key = named.part.key
        if key not in self._numbers:
            self._estimate(named)
        return self._numbers[key]

    def content(self, named: Named) -> dict[str, Any]:
        """What the group's record holds, but for its name."""
        key = named.part.key
        if key not in self._content:
            counted = self._estimate(named)
            self._content[key] = _content(self._examination, named, counted, self._numbers[key])
        return self._content[key]

    def curves(self) -> Iterator[tuple[dict[str, FiniteJson], tuple[CurvePoint, ...]]]:
        """The curves of every plane and of every centre there, with what their group fixes."""
        for named in self._examination.groups:
            if set(named.by) in _DRAWN:
                self.numbers(named)
                yield named.by, self._curves[named.part.key]

    def _estimate(self, named: Named) -> PartCounts:
        """The counts of a part, whose statistics are then kept."""
        key = named.part.key
        counted = replace(self._examination.count_part(named), drawn=key in self._drawn)
        numbers = self._examination.statistics(counted)
        if counted.drawn:
            # The bands come from the same replicates as the numbers, so that nothing is resampled twice.
            self._curves[key] = tuple(curve_points(counted, numbers))
        self._numbers[key] = numbers.without(HEIGHTS)
        return counted


def _content(examination: Examination, named: Named, counted: PartCounts, numbers: Statistics) -> dict[str, Any]:
    matched = examination.matched
    return {
        **dict(performance(counted, numbers, matched, examination.reached)),
        **examination.as_coco(named),
        "n": counts(named.part, matched.matches.lesion),
        "interval": numbers.method,
        "patient": patient_level(counted, numbers),
        "categories": over_categories(counted, numbers),
        "secondary": tuple(examination.beside(named)),
        "strata": strata_scores(counted, numbers),
        "severity": severity_agreement(counted, numbers),
        "levels": level_naming(named_hits(matched, named.part, examination.reached)),
    }


def _calibrations(examination: Examination, named: Named) -> Iterator[Calibration]:
    """A plane's reliability; once more with the temperature of the operating point, if there is one."""
    ranked = examination.matched.ranked(named.part)
    if not are_probabilities(ranked.score):
        yield uncalibrated(named.by, ranked)
        return
    point = examination.settings.operating_point
    fitted = point.temperatures.get(str(named.by["plane"])) if point else None
    for temperature in (1.0, fitted) if fitted else (1.0,):
        table = reliability(tempered(ranked, temperature), named.part.members)
        yield calibration(table, examination.statistics(table), named.by, temperature)


def _adapted(examination: Examination) -> Iterator[AdaptedThreshold]:
    settings = examination.settings
    point = settings.operating_point
    if point is None:
        raise InputError("thresholds can be adapted only where an operating point was frozen; pass operating_point=")
    return adapted_thresholds(examination.matched, point.thresholds, examination.weights, settings.bootstrap)


def _sample_sizes(examination: Examination, named: Sequence[Named]) -> Iterator[SampleSize]:
    wanted, bootstrap = examination.settings.half_width, examination.settings.bootstrap
    for part in named if wanted is not None and bootstrap.samples else ():
        if set(part.by) == {"plane"} and wanted is not None:
            yield from sample_sizes(part.by, examination.count_part(part), wanted, bootstrap)


def _applied(settings: ScoreSettings) -> AppliedThresholds:
    if settings.operating_point is not None:
        return settings.operating_point.applied
    return NoThreshold() if settings.threshold is None else GivenThreshold.at(settings.threshold)


def _selection(settings: ScoreSettings) -> Selection:
    point = settings.operating_point
    if point is None or settings.selection.planes:
        return settings.selection
    return replace(settings.selection, planes=tuple(dict.fromkeys(one.plane for one in point.thresholds)))


def _criterion(settings: ScoreSettings) -> Criterion:
    if settings.criterion is not None:
        return settings.criterion
    return criterion_from(settings.operating_point.criterion) if settings.operating_point else IouCriterion()


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
