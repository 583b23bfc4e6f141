"""From readings with a figure of merit each to the effects that a reader study reports."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import comb
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from spinedet.scoring.matching.overlaps import Floats
from spinedet.scoring.reader_study.figures_of_merit import PatientShares, RatedEntries
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
from spinedet.scoring.statistics.bootstrap import leave_one_out

UNAIDED, AIDED, PROGRAM = "unaided", "aided", "program"
METHOD = (
    "Obuchowski-Rockette with the degrees of freedom of Hillis; covariances by the jackknife over patients, who are "
    "left out with all that was read of them"
)
_COLUMNS = 256  # leave-one-out samples that are computed at once


class Figure(Protocol):
    """A figure of merit of one reading, for any weighting of its patients."""

    def value(self, weights: Floats) -> Floats:
        """The figure, (B,), for patient weights (P, B); NaN where it is undefined."""


@dataclass(frozen=True)
class Reading:
    """Who read.

    Attributes:
        condition: `UNAIDED`, `AIDED` or `PROGRAM`. sha256: of the file. marks: findings or labels that were given.
    """

    reader: str
    condition: str
    sha256: str
    marks: int


@dataclass(frozen=True, eq=False)
class MeasuredReading:
    """A reading with its figure of merit: its value, and those with one patient left out (P,).

    Attributes:
        right: (C,) of each case that counts, whether it was called right.
    """

    who: Reading
    figure: Figure
    value: float
    left_out: Floats
    right: NDArray[np.bool_]


def measure(who: Reading, figure: Figure, patients: int, right: NDArray[np.bool_]) -> MeasuredReading | None:
    """None where the figure is undefined, or is without one of the patients."""
    value = figure.value(np.ones((patients, 1)))[0]
    left_out = _left_out(figure, patients)
    if not (np.isfinite(value) and np.isfinite(left_out).all()):
        return None
    return MeasuredReading(who, figure, float(value), left_out, right)


def _left_out(figure: Figure, patients: int) -> Floats:
    weights = leave_one_out(patients)
    starts = range(0, patients, _COLUMNS)
    return np.concatenate([figure.value(weights[:, at : at + _COLUMNS].astype(np.float64)) for at in starts])


def reader_rows(readings: Sequence[MeasuredReading], confidence: float) -> Iterator[ReaderRow]:
    """Every reading with its own figure."""
    for one in readings:
        alone = fixed_readers(np.array([one.value]), jackknife_covariance(one.left_out[None]), np.ones(1), confidence)
        curve = zip(*one.figure.curve(), strict=True) if isinstance(one.figure, RatedEntries) else ()
        yield ReaderRow(
            reader=one.who.reader,
            condition=one.who.condition,
            sha256=one.who.sha256,
            marks=one.who.marks,
            figure=_estimate(alone, None),
            curve=tuple((float(x), float(y)) for x, y in curve),
        )


def analyses(readings: Sequence[MeasuredReading], confidence: float) -> Iterator[Analysis]:
    """Mean of the readers of each condition; the program against them; aided against unaided."""
    conditions = {
        name: rows for name in (UNAIDED, AIDED) if (rows := [one for one in readings if one.who.condition == name])
    }
    program = next((one for one in readings if one.who.condition == PROGRAM), None)
    for name, rows in conditions.items():
        yield _over_readers(f"readers ({name})", rows, None, confidence)
    for name, rows in conditions.items() if program else ():
        yield _over_readers(f"program minus readers ({name})", rows, program, confidence)
    if len(conditions) == 2:
        yield _between_conditions(conditions[UNAIDED], conditions[AIDED], confidence)


def _over_readers(
    question: str, rows: Sequence[MeasuredReading], program: MeasuredReading | None, confidence: float
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
    first: Sequence[MeasuredReading], second: Sequence[MeasuredReading], confidence: float
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


def jackknifed_share(shares: PatientShares, confidence: float, none: str) -> Estimate:
    """A share over patients with its jackknife interval, cut at 0 and 1; `none` says that there is nothing to share."""
    patients = len(shares.below)
    value = float(shares.value(np.ones((patients, 1)))[0])
    if np.isnan(value):
        return Estimate(reason=none)
    left_out = shares.value(leave_one_out(patients).astype(float))
    if np.isnan(left_out).any():
        return Estimate(value=value, reason="all of them are of one patient: no interval")
    covariance = jackknife_covariance(left_out[None])
    found = fixed_readers(np.array([value]), covariance, np.ones(1), confidence)
    return Estimate(value=value, low=max(found.low, 0), high=min(found.high, 1), degenerate=found.error == 0)


def disagreements(readings: Sequence[MeasuredReading]) -> Iterator[Disagreement]:
    """The program's calls against those of each reader, case by case."""
    program = next((one for one in readings if one.who.condition == PROGRAM), None)
    for one in readings if program else ():
        if one.who.condition == PROGRAM or program is None:
            continue
        ours, theirs = program.right, one.right
        first, second = int((ours & ~theirs).sum()), int((theirs & ~ours).sum())
        yield Disagreement(
            reader=one.who.reader,
            condition=one.who.condition,
            only_first=first,
            only_second=second,
            p=mcnemar(first, second),
        )


def mcnemar(first: int, second: int) -> float:
    """Two-sided exact p of two discordant counts (McNemar 1947, doi:10.1007/BF02295996); 1 without any."""
    total = first + second
    tail = sum(comb(total, k) for k in range(min(first, second) + 1))
    return min(1.0, 2 * tail / 2**total)
