"""From the readings of several people to the effects that a reader study reports."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from math import comb

import numpy as np

from spinedet.core.errors import InputError
from spinedet.core.findings import FindingsTable
from spinedet.core.types import Manifest
from spinedet.scoring.evaluate import Examination, ScoreSettings, examine
from spinedet.scoring.matching.cohort import Selection
from spinedet.scoring.matching.criteria import Criterion, criterion_record
from spinedet.scoring.matching.overlaps import Floats
from spinedet.scoring.metrics.matched_cohort import MatchedCohort
from spinedet.scoring.reader_study.figures_of_merit import (
    DESCRIPTIONS,
    Cases,
    Figure,
    RatedEntries,
    cases_of,
    figure_of_merit,
)
from spinedet.scoring.reader_study.obuchowski_rockette import (
    FEWEST_READERS,
    Inference,
    condition_difference,
    fixed_readers,
    jackknife_covariance,
    reader_mean,
)
from spinedet.scoring.reader_study.records import Analysis, Disagreement, Effect, ReaderRow
from spinedet.scoring.records import Estimate
from spinedet.scoring.statistics.bootstrap import BootstrapSettings, leave_one_out
from spinedet.scoring.thresholds import AppliedThresholds, GivenThreshold, NoThreshold

UNAIDED, AIDED, PROGRAM = "unaided", "aided", "program"
METHOD = (
    "Obuchowski-Rockette with the degrees of freedom of Hillis; covariances by the jackknife over patients, who are "
    "left out with all their scans"
)
_COLUMNS = 256  # leave-one-out samples that are computed at once


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
    """A reading with its figure of merit: its value, and those with one patient left out (P,)."""

    given: GivenReading
    matched: MatchedCohort
    cases: Cases
    figure: Figure
    value: float
    left_out: Floats


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
    figure = figure_of_merit(settings.figure, cases)
    value = figure.value(np.ones((cases.patients, 1)))[0]
    left_out = _left_out(figure, cases.patients)
    if not (np.isfinite(value) and np.isfinite(left_out).all()):
        raise InputError(
            f"{one.findings.source}: fom={settings.figure} is undefined: it needs at least two patients with lesions "
            "and, but for f1 and sensitivity, two without; choose another fom="
        )
    return MatchedReading(one, reading.matched, cases, figure, float(value), left_out)


def _left_out(figure: Figure, patients: int) -> Floats:
    weights = leave_one_out(patients)
    starts = range(0, patients, _COLUMNS)
    return np.concatenate([figure.value(weights[:, at : at + _COLUMNS].astype(np.float64)) for at in starts])


def describe_figure(settings: ReaderSettings) -> dict[str, str]:
    """The figure of merit as files state it."""
    return {"name": settings.figure, "description": DESCRIPTIONS[settings.figure].format(unit=settings.unit)}


def criterion_of(settings: ReaderSettings) -> dict[str, str | float]:
    """The criterion as files state it."""
    return criterion_record(settings.criterion)


def reader_rows(readings: Sequence[MatchedReading], confidence: float) -> Iterator[ReaderRow]:
    """Every reading with its own figure."""
    for one in readings:
        alone = fixed_readers(np.array([one.value]), jackknife_covariance(one.left_out[None]), np.ones(1), confidence)
        curve = zip(*one.figure.curve(), strict=True) if isinstance(one.figure, RatedEntries) else ()
        yield ReaderRow(
            reader=one.given.reader,
            condition=one.given.condition,
            sha256=one.given.sha256,
            marks=len(one.matched.cohort.marks.row),
            figure=_estimate(alone, None),
            curve=tuple((float(x), float(y)) for x, y in curve),
        )


def analyses(readings: Sequence[MatchedReading], confidence: float) -> Iterator[Analysis]:
    """Mean of the readers of each condition; the program against them; aided against unaided."""
    conditions = {
        name: rows for name in (UNAIDED, AIDED) if (rows := [one for one in readings if one.given.condition == name])
    }
    program = next((one for one in readings if one.given.condition == PROGRAM), None)
    for name, rows in conditions.items():
        yield _over_readers(f"readers ({name})", rows, None, confidence)
    for name, rows in conditions.items() if program else ():
        yield _over_readers(f"program minus readers ({name})", rows, program, confidence)
    if len(conditions) == 2:
        yield _between_conditions(conditions[UNAIDED], conditions[AIDED], confidence)


def _over_readers(
    question: str, rows: Sequence[MatchedReading], program: MatchedReading | None, confidence: float
) -> Analysis:
    values = np.array([one.value for one in rows])
    left_out = np.array([one.left_out for one in rows])
    if program is not None:
        values, left_out = program.value - values, program.left_out - left_out
    covariance = jackknife_covariance(left_out)
    fixed = fixed_readers(values, covariance, np.full(len(rows), 1 / len(rows)), confidence)
    enough = len(rows) >= FEWEST_READERS
    random = reader_mean(values, covariance, confidence) if enough else None
    return _analysis(question, random, fixed, tested=program is not None)


def _between_conditions(
    first: Sequence[MatchedReading], second: Sequence[MatchedReading], confidence: float
) -> Analysis:
    rows = [*first, *second]
    readers = len(first)
    values = np.array([one.value for one in rows])
    covariance = jackknife_covariance(np.array([one.left_out for one in rows]))
    fixed = fixed_readers(values, covariance, np.repeat([-1.0, 1.0], readers) / readers, confidence)
    enough = readers >= FEWEST_READERS
    random = condition_difference(values.reshape(2, readers), covariance, confidence) if enough else None
    return _analysis("aided minus unaided", random, fixed, tested=True)


def _analysis(question: str, random: Inference | None, fixed: Inference, *, tested: bool) -> Analysis:
    reason = f"fewer than {FEWEST_READERS} readers: nothing can be said of others than these"
    unknown = Effect(effect=Estimate(value=fixed.estimate, reason=reason))
    return Analysis(
        question=question,
        random=unknown if random is None else _effect(random, tested),
        fixed=_effect(fixed, tested),
    )


def _effect(inference: Inference, tested: bool) -> Effect:
    return Effect(
        effect=_estimate(inference, None),
        error=inference.error,
        df=None if math.isinf(inference.df) else inference.df,
        p=inference.p if tested else None,
    )


def _estimate(inference: Inference, reason: str | None) -> Estimate:
    return Estimate(
        value=inference.estimate,
        low=inference.low,
        high=inference.high,
        reason=reason,
        degenerate=inference.error == 0,
    )


def disagreements(readings: Sequence[MatchedReading]) -> Iterator[Disagreement]:
    """The program's calls against those of each reader, case by case, where a case is diseased or lesion-free."""
    program = next((one for one in readings if one.given.condition == PROGRAM), None)
    for one in readings if program else ():
        if one.given.condition == PROGRAM or program is None:
            continue
        ill, counted = one.cases.lesions > 0, (one.cases.lesions > 0) | one.cases.free
        ours, theirs = (np.equal(cases.called, ill)[counted] for cases in (program.cases, one.cases))
        first, second = int((ours & ~theirs).sum()), int((theirs & ~ours).sum())
        yield Disagreement(
            reader=one.given.reader,
            condition=one.given.condition,
            only_first=first,
            only_second=second,
            p=mcnemar(first, second),
        )


def mcnemar(first: int, second: int) -> float:
    """Two-sided exact p of two discordant counts (McNemar 1947, doi:10.1007/BF02295996); 1 without any."""
    total = first + second
    tail = sum(comb(total, k) for k in range(min(first, second) + 1))
    return min(1.0, 2 * tail / 2**total)


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
