"""Two-sided p-values from paired resamples, and their correction for multiple testing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from spinedet.scoring.matching.overlaps import Floats
from spinedet.scoring.statistics.estimates import Statistics


def holm(p: Sequence[float]) -> list[float]:
    """Holm's step-down correction of p-values that belong together."""
    order = np.argsort(p, kind="stable")
    corrected = np.empty(len(p))
    steps = np.asarray(p, dtype=float)[order] * (len(p) - np.arange(len(p)))
    corrected[order] = np.minimum(np.maximum.accumulate(steps), 1.0)
    return corrected.tolist()


def p_value(difference: float, replicates: Floats) -> float:
    """Two-sided: how often resampling moves the difference by as much as it is away from zero."""
    moved = np.abs(replicates - difference) >= abs(difference) - 1e-12
    return float((1 + moved.sum()) / (1 + len(replicates)))


def difference(first: Statistics, second: Statistics, names: Sequence[str]) -> Statistics:
    """Second minus first, replicate by replicate.

    Args:
        first, second: replicates under common weights of the patients, or of patients drawn independently.
        names: of the statistics.
    """

    def minus(minuend: Mapping[str, Any], subtrahend: Mapping[str, Any]) -> dict[str, Any]:
        return {name: minuend[name] - subtrahend[name] for name in names if name in minuend and name in subtrahend}

    # Only where both rest on the same patients does leaving one out make sense for the difference.
    paired = first.method == second.method == "bca" and first.patients == second.patients
    return Statistics(
        values=minus(second.values, first.values),
        replicates=minus(second.replicates, first.replicates),
        left_out=minus(second.left_out, first.left_out) if paired else {},
        settings=first.settings,
        method="bca" if paired else "percentile",
        patients=first.patients,
    )


def p_of(apart: Statistics, name: str) -> float | None:
    """The p-value of one difference; None where the difference or all its replicates are undefined."""
    replicates = apart.replicates.get(name, np.empty(0))
    defined = replicates[~np.isnan(replicates)]
    value = apart.values[name]
    return None if np.isnan(value) or not len(defined) else p_value(value, defined)
