"""Findings of several people beside the reference, each with a figure of merit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from spinedet.core.errors import InputError
from spinedet.core.findings import FindingsTable
from spinedet.core.types import Manifest
from spinedet.scoring.evaluate import Examination, ScoreSettings, examine
from spinedet.scoring.matching.cohort import Selection
from spinedet.scoring.matching.criteria import Criterion, criterion_record
from spinedet.scoring.metrics.matched_cohort import MatchedCohort
from spinedet.scoring.reader_study.effects import PROGRAM, MeasuredReading, Reading, measure
from spinedet.scoring.reader_study.figures_of_merit import DESCRIPTIONS, Cases, cases_of, figure_of_merit
from spinedet.scoring.statistics.bootstrap import BootstrapSettings
from spinedet.scoring.thresholds import AppliedThresholds, GivenThreshold, NoThreshold


@dataclass(frozen=True, eq=False)
class GivenReading:
    """Somebody's findings, before they are matched.

    Attributes:
        condition: `unaided`, `aided` or `program`. threshold: from which score a mark counts as a call.
        sha256: of the file.
    """

    reader: str
    condition: str
    findings: FindingsTable
    threshold: AppliedThresholds = field(default_factory=NoThreshold)
    sha256: str = ""


@dataclass(frozen=True)
class ReaderSettings:
    """How a reader study is analysed.

    Attributes:
        figure: name of the figure of merit. unit: `patient` or `scan`.
        split, planes: what of the manifest counts; all when None.
    """

    criterion: Criterion
    figure: str = "auc"
    unit: str = "patient"
    split: str | None = None
    planes: tuple[str, ...] | None = None
    confidence: float = 0.95


@dataclass(frozen=True, eq=False)
class MatchedReading:
    """A reading beside the reference, with its figure of merit."""

    given: GivenReading
    matched: MatchedCohort
    cases: Cases
    measured: MeasuredReading


def match_readings(manifest: Manifest, given: Sequence[GivenReading], settings: ReaderSettings) -> list[MatchedReading]:
    """Match every reading to the reference; all must be of the same scans.

    Raises:
        InputError: as `score`; readings of different scans; or the figure of merit is undefined.
    """
    examined = [(one, _examined(manifest, one, settings)) for one in given]
    first = examined[0][1].cohort
    for one, reading in examined:
        if (reading.cohort.patients, reading.cohort.scans.series) != (first.patients, first.scans.series):
            raise InputError(
                f"{one.findings.source} and {given[0].findings.source} are readings of different scans; every reader "
                "must have read the same studies and planes (planes=, split=)"
            )
    return [_matched(one, reading, settings) for one, reading in examined]


def _examined(manifest: Manifest, one: GivenReading, settings: ReaderSettings) -> Examination:
    scored = ScoreSettings(
        criterion=settings.criterion,
        selection=Selection(settings.split, settings.planes),
        bootstrap=BootstrapSettings(samples=0),
        strata=(),
        secondary=(),
    )
    return examine(manifest, one.findings, scored, one.threshold)


def _matched(one: GivenReading, reading: Examination, settings: ReaderSettings) -> MatchedReading:
    cases = cases_of(reading, settings.unit)
    ill, counted = cases.lesions > 0, (cases.lesions > 0) | cases.free
    measured = measure(
        Reading(one.reader, one.condition, one.sha256, len(reading.matched.cohort.marks.row)),
        figure_of_merit(settings.figure, cases),
        cases.patients,
        np.equal(cases.called, ill)[counted],
    )
    if measured is None:
        raise InputError(
            f"{one.findings.source}: fom={settings.figure} is undefined: it needs at least two patients with lesions "
            "and, but for f1 and sensitivity, two without; choose another fom="
        )
    return MatchedReading(one, reading.matched, cases, measured)


def describe_figure(settings: ReaderSettings) -> dict[str, str]:
    """The figure of merit as files state it."""
    return {"name": settings.figure, "description": DESCRIPTIONS[settings.figure].format(unit=settings.unit)}


def criterion_of(settings: ReaderSettings) -> dict[str, str | float]:
    """The criterion as files state it."""
    return criterion_record(settings.criterion)


def threshold_words(given: Sequence[GivenReading]) -> str:
    """From which score a mark counts as a call, in a sentence."""
    words = {}
    for one in given:
        who = "the program" if one.condition == PROGRAM else "readers"
        match one.threshold:
            case NoThreshold():
                words[who] = f"every mark of {who} counts"
            case GivenThreshold(value=value):
                words[who] = f"marks of {who} count from {value:g}"
            case frozen:
                words[who] = f"marks of {who} count from the frozen operating point ({frozen.rule})"
    return "; ".join(words.values())
