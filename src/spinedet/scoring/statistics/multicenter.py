"""One detector in several places: contrasts with the internal centre, and agreement between centres."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from statistics import NormalDist
from typing import Any, NamedTuple

import numpy as np

from spinedet.core.errors import InputError
from spinedet.scoring.matching.cohort import PLANES, Cohort
from spinedet.scoring.matching.overlaps import Floats
from spinedet.scoring.metrics.counts import froc_name
from spinedet.scoring.metrics.matched_cohort import Part
from spinedet.scoring.metrics.subgroups import Named
from spinedet.scoring.records import CenterEstimate, Contrast, Forest
from spinedet.scoring.statistics.estimates import Statistics
from spinedet.scoring.statistics.hypothesis_tests import difference, holm, p_of

METRICS = ("precision", "recall", "f1", froc_name(1.0), "cpm", "ap", "patient auc")


def forests(groups: Sequence[Named], numbers: Callable[[Named], Statistics]) -> tuple[Forest, ...]:
    """A forest for each plane and statistic that at least two centres have."""
    planes: dict[Any, list[Named]] = {}
    for named in groups:
        if set(named.by) == {"plane", "center"}:
            planes.setdefault(named.by["plane"], []).append(named)
    return tuple(
        found
        for plane, rows in planes.items()
        for metric in METRICS
        if (found := _forest(plane, metric, [(named, numbers(named)) for named in rows]))
    )


def contrasts(cohort: Cohort, internal: str, numbers: Callable[[Named], Statistics]) -> tuple[Contrast, ...]:
    """Every other centre, and all of them together, against the internal one, plane by plane.

    Raises:
        InputError: there is no such centre.
    """
    if internal not in cohort.centers:
        raise InputError(f"internal={internal}: the studies scored come from {', '.join(cohort.centers)}")
    found: list[Contrast] = []
    for plane in np.unique(cohort.scans.plane).tolist():
        parts = _places(cohort, plane, internal)
        if internal in parts:
            found += _against(parts.pop(internal), parts, numbers)
    return tuple(found)


def _places(cohort: Cohort, plane: int, internal: str) -> dict[str, Named]:
    home = cohort.patient_center[cohort.scans.patient]
    every = np.ones(len(cohort.categories), bool)
    masks = {name: np.equal(home, row) for row, name in enumerate(cohort.centers)}
    masks["all others"] = ~masks[internal]
    named = {
        name: Named({"plane": PLANES[plane], "center": name}, Part(cohort, mask & cohort.scans.of_plane(plane), every))
        for name, mask in masks.items()
    }
    return {name: one for name, one in named.items() if one.part.scans.any()}


def _against(internal: Named, external: dict[str, Named], numbers: Callable[[Named], Statistics]) -> Iterator[Contrast]:
    reference = numbers(internal)
    apart = {name: difference(reference, numbers(named), METRICS) for name, named in external.items()}
    single = [name for name in apart if name != "all others"]
    for metric in METRICS:
        p = {name: p_of(one, metric) for name, one in apart.items()}
        family = [name for name in single if p[name] is not None]
        corrected = dict(zip(family, holm([p[name] or 0.0 for name in family]), strict=True))
        for name, one in apart.items():
            yield Contrast(
                by={"plane": internal.by["plane"]},
                metric=metric,
                internal=str(internal.by["center"]),
                external=name,
                difference=one.estimate(metric),
                p=p[name],
                p_holm=corrected.get(name),
            )


def _forest(plane: Any, metric: str, rows: Sequence[tuple[Named, Statistics]]) -> Forest | None:
    defined = [(named, numbers) for named, numbers in rows if np.isfinite(numbers.values[metric])]
    if len(defined) < 2:
        return None
    places = [_on_logit_scale(numbers, metric, len(named.part.members)) for named, numbers in defined]
    values, errors = (np.array([getattr(place, name) for place in places]) for name in ("value", "error"))
    pooled = random_effects(values, errors, rows[0][1].settings.confidence)
    return Forest(
        by={"plane": plane},
        metric=metric,
        centers=tuple(
            CenterEstimate(
                center=str(named.by["center"]),
                lesions=int(named.part.lesions_per_patient.sum()),
                estimate=numbers.estimate(metric),
            )
            for named, numbers in rows
        ),
        **{**pooled, **{name: _share(pooled[name]) for name in ("pooled", "low", "high")}},
        scale="logit",
        corrected=tuple(
            str(named.by["center"]) for (named, _), place in zip(defined, places, strict=True) if place.corrected
        ),
        left_out=tuple(str(named.by["center"]) for named, numbers in rows if not np.isfinite(numbers.values[metric])),
    )


# Replicates that differ by less do not vary: sums of equal numbers in another order.
_ROUNDING = 1e-9


class _Place(NamedTuple):
    """A centre's statistic on the logit scale, its standard error, and whether it needed a correction."""

    value: float
    error: float
    corrected: bool


def _on_logit_scale(numbers: Statistics, metric: str, patients: int) -> _Place:
    """A share in [0, 1] as its logit, with the error of its replicates (delta method).

    At 0, at 1, and where replicates do not vary, half a success and half a failure are added to the patients
    (Haldane-Anscombe), and the error is that of a binomial share of so many patients: such a centre keeps its place.
    """
    share, error = float(numbers.values[metric]), _standard_error(numbers, metric)
    if 0 < share < 1 and np.isfinite(error) and error > _ROUNDING:
        return _Place(_logit(share), error / (share * (1 - share)), corrected=False)
    shrunk = (share * patients + 0.5) / (patients + 1)
    return _Place(_logit(shrunk), ((patients + 1) * shrunk * (1 - shrunk)) ** -0.5, corrected=True)


def _logit(share: float) -> float:
    return math.log(share / (1 - share))


def _share(logit: float) -> float:
    return 1 / (1 + math.exp(-logit))


def _standard_error(numbers: Statistics, metric: str) -> float:
    replicates = numbers.replicates.get(metric, np.empty(0))
    defined = replicates[~np.isnan(replicates)]
    return float(defined.std(ddof=1)) if len(defined) > 1 else float("nan")


def random_effects(values: Floats, errors: Floats, confidence: float) -> dict[str, float]:
    """Pool values with their standard errors over centres (DerSimonian, Laird 1986, 10.1016/0197-2456(86)90046-2).

    I2 is the share of the variation between centres that chance does not explain (Higgins 2003,
    10.1136/bmj.327.7414.557).
    """
    weight = errors**-2.0
    fixed = (weight * values).sum() / weight.sum()
    q, freedom = float((weight * (values - fixed) ** 2).sum()), len(values) - 1
    between = max(0.0, (q - freedom) / float(weight.sum() - (weight**2).sum() / weight.sum()))
    weight = 1 / (errors**2 + between)
    pooled = float((weight * values).sum() / weight.sum())
    reach = NormalDist().inv_cdf((1 + confidence) / 2) * float(weight.sum() ** -0.5)
    return {
        "pooled": pooled,
        "low": pooled - reach,
        "high": pooled + reach,
        "tau": between**0.5,
        "q": q,
        "p": _chi2_tail(q, freedom),
        "i2": max(0.0, (q - freedom) / q) if q > 0 else 0.0,
    }


def _chi2_tail(value: float, freedom: int) -> float:
    from scipy.special import chdtrc  # slow to load, and only needed with several centres

    return float(chdtrc(freedom, value))
