"""How much is lost from the centres that a detector learned at to all others."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from spinedet.report.evidence import Evidence
from spinedet.scoring import Estimate
from spinedet.scoring.bootstrap import percentile_limits, replicate
from spinedet.scoring.judgement import Part
from spinedet.scoring.pairs import Floats
from spinedet.scoring.tally import tally

COMPARED = ("f1", "recall", "precision")


@dataclass(frozen=True, slots=True)
class Site:
    """One or several centres in one plane.

    Attributes:
        f1: at the frozen threshold.
        change: by the names of `COMPARED`, this site minus the internal centres; empty for those themselves.
    """

    plane: str
    centers: tuple[str, ...]
    internal: bool
    scans: int
    lesions: int
    f1: Estimate
    change: dict[str, Estimate]


def compare_centers(evidence: Evidence, internal: tuple[str, ...]) -> tuple[Site, ...]:
    """For each plane: the internal centres together, each external one, and all external ones when there are several.

    Nothing when one of the two kinds is missing from a plane. Intervals of a difference are percentiles of the
    differences between replicates; the two sides have no patient in common.
    """
    sites: list[Site] = []
    for plane in evidence.planes:
        there = [center for center in evidence.cohort.centers if len(evidence.part(plane, [center]).members)]
        home = tuple(center for center in there if center in internal)
        away = tuple(center for center in there if center not in internal)
        if not home or not away:
            continue
        base = evidence.part(plane, home)
        sites.append(_site(evidence, plane, home, None))
        sites += [_site(evidence, plane, (center,), base) for center in away]
        if len(away) > 1:
            sites.append(_site(evidence, plane, away, base))
    return tuple(sites)


def _site(evidence: Evidence, plane: str, centers: tuple[str, ...], base: Part | None) -> Site:
    examination, part = evidence.examination, evidence.part(plane, centers)
    counted = tally(examination.judgement, part, examination.reached)
    return Site(
        plane=plane,
        centers=centers,
        internal=base is None,
        scans=int(part.scans.sum()),
        lesions=int(part.lesions_per_patient.sum()),
        f1=examination.statistics(counted).estimate("f1"),
        change={} if base is None else _change(evidence, base, part),
    )


def _change(evidence: Evidence, base: Part, part: Part) -> dict[str, Estimate]:
    one, other = _decided(evidence, base), _decided(evidence, part)
    confidence = evidence.examination.settings.bootstrap.confidence
    size = min(len(one["f1"]), len(other["f1"]))
    return {name: _difference(other[name][:size] - one[name][:size], confidence) for name in COMPARED}


def _decided(evidence: Evidence, part: Part) -> dict[str, Floats]:
    """Statistics at the frozen threshold: the data's own first, then one for each replicate, (1 + B,)."""
    examination = evidence.examination
    decisions = tally(examination.judgement, part, examination.reached).decisions
    single = decisions.measure(np.ones((len(part.members), 1), dtype=np.int64))
    # One patient resampled is always the same patient: that is no interval.
    weights = examination.weights[part.members][:, : None if len(part.members) > 1 else 0]
    repeated = replicate(decisions.measure, weights, 1024)
    return {name: np.append(single[name], repeated.get(name, [])) for name in COMPARED}


def _difference(values: Floats, confidence: float) -> Estimate:
    value, replicates = float(values[0]), values[1:]
    defined = replicates[~np.isnan(replicates)]
    if np.isnan(value):
        return Estimate(reason="undefined on one side")
    if not len(defined):
        return Estimate(value=value)
    low, high = percentile_limits(defined, confidence)
    return Estimate(
        value=value,
        low=low,
        high=high,
        undefined_replicates=len(replicates) - len(defined),
        degenerate=bool((defined == value).all()),
    )
