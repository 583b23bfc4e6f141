"""How many patients a test needs for intervals of a wanted width, from the bootstrap of a pilot."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from spinedet.core.types import FiniteJson
from spinedet.scoring.matching.overlaps import Floats
from spinedet.scoring.metrics.counts import PartCounts, froc_name
from spinedet.scoring.records import Estimate, HalfWidth, SampleSize
from spinedet.scoring.statistics.bootstrap import BootstrapSettings, percentile_limits, replicate
from spinedet.scoring.statistics.estimates import Statistics

METRICS = ("f1", "recall", froc_name(1.0))
_MOST_SAMPLES, _MOST_PATIENTS, _STEPS, _CLOSE = 500, 100_000, 4, 0.02


def half_widths(by: Mapping[str, FiniteJson], numbers: Statistics) -> Iterator[HalfWidth]:
    """Half the width of the interval that each of `METRICS` has reached; nothing where there is no interval."""
    for name in METRICS:
        if (reached := half_width(numbers.estimate(name))) is not None:
            yield HalfWidth(by=dict(by), metric=name, patients=numbers.patients, value=reached)


def half_width(estimate: Estimate) -> float | None:
    """Half the width of an interval; None without one."""
    if estimate.low is None or estimate.high is None or estimate.degenerate:
        return None
    return (estimate.high - estimate.low) / 2


def sample_sizes(
    by: Mapping[str, FiniteJson], counted: PartCounts, wanted: float, settings: BootstrapSettings
) -> Iterator[SampleSize]:
    """Patients needed for intervals of half the width `wanted`, for each of `METRICS`.

    Cohorts of m patients are drawn with replacement from the pilot's, so that clustering of lesions and scans within
    patients counts as it is there. The number holds for patients like the pilot's; of few pilot patients it is rough.
    """
    pilot = len(counted.members)
    widths: dict[int, Mapping[str, float]] = {}

    def width(patients: int, name: str) -> float:
        if patients not in widths:
            widths[patients] = _widths(counted, patients, settings)
        return widths[patients][name]

    for name in METRICS:
        reached = width(pilot, name)
        if not reached > 0:
            yield SampleSize(
                by=dict(by),
                metric=name,
                half_width=wanted,
                pilot_patients=pilot,
                reason="no variation between the pilot's patients" if reached == 0 else "undefined in the pilot",
            )
            continue
        needed = pilot
        for _ in range(_STEPS):
            # An interval narrows with the square root of the number of patients.
            ratio = (width(needed, name) / wanted) ** 2
            further = min(max(math.ceil(needed * ratio), 2), _MOST_PATIENTS)
            if abs(further - needed) <= _CLOSE * needed:
                break
            needed = further
        yield SampleSize(
            by=dict(by),
            metric=name,
            half_width=wanted,
            patients=needed,
            expected=width(needed, name),
            pilot_patients=pilot,
            pilot_half_width=reached,
        )


def _widths(counted: PartCounts, patients: int, settings: BootstrapSettings) -> dict[str, float]:
    pilot = len(counted.members)
    stream = np.random.default_rng([settings.seed, patients])
    weights = stream.multinomial(patients, np.full(pilot, 1 / pilot), min(settings.samples, _MOST_SAMPLES)).T
    found = replicate(counted.measure, np.ascontiguousarray(weights), counted.batch)
    return {name: _width(found[name], settings.confidence) for name in METRICS}


def _width(replicates: Floats, confidence: float) -> float:
    defined = replicates[~np.isnan(replicates)]
    if not len(defined):
        return math.nan
    low, high = percentile_limits(defined, confidence)
    return (high - low) / 2


def needed_in_words(sizes: Sequence[SampleSize]) -> Iterator[tuple[str, ...]]:
    """A row of text for each: part, statistic, patients, and what they rest on."""
    for one in sizes:
        part = ", ".join(str(value) for value in one.by.values()) or "everything"
        needed = str(one.patients) if one.patients is not None else one.reason or "–"
        reached = "–" if one.pilot_half_width is None else f"{one.pilot_half_width:.3f}"
        yield part, one.metric, f"{one.half_width:g}", needed, str(one.pilot_patients), reached
