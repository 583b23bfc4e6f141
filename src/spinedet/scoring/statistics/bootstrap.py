"""Intervals by resampling patients with all that is theirs."""

from __future__ import annotations

import os
import zlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from statistics import NormalDist
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from pydantic import FiniteFloat

from spinedet.core.errors import InputError
from spinedet.core.types import Record
from spinedet.scoring.matching.overlaps import Floats, Ints

Weights: TypeAlias = NDArray[np.integer]
# From patient weights (P, B), whole numbers as float64, to named statistics (B,); an undefined one is NaN.
Measure: TypeAlias = Callable[[Floats], dict[str, Floats]]

FEW_PATIENTS = 50
_NORMAL = NormalDist()
_DRAWN_AT_ONCE = 64  # replicates: a line of the processor's cache of each patient's counts


@dataclass
class BootstrapSettings:
    """How intervals are made.

    Attributes:
        samples: replicates; 0 for none.
        seed: replicates of one cohort are the same for every detector with the same seed.
        method: `percentile`, `bca`, or `auto`: BCa below 50 patients.
        confidence: of the two-sided interval.
    """

    samples: int = 2000
    seed: int = 0
    method: str = "auto"
    confidence: float = 0.95

    def __post_init__(self) -> None:
        if self.method not in ("auto", "percentile", "bca"):
            raise InputError(f"bootstrap.method={self.method!r}: use auto, percentile or bca")
        if self.samples < 0 or self.samples == 1:
            raise InputError(f"bootstrap.samples={self.samples}: use 0 for no intervals, or at least 2 (2000 is usual)")
        if not 0 < self.confidence < 1:
            raise InputError(f"bootstrap.confidence={self.confidence}: use a number between 0 and 1, such as 0.95")
        if self.seed < 0:
            raise InputError(f"bootstrap.seed={self.seed}: use 0 or more")

    @property
    def record(self) -> BootstrapRecord:
        """As files state it."""
        return BootstrapRecord(
            samples=self.samples,
            seed=self.seed,
            method=self.method,
            confidence=self.confidence,
            description=f"{self.confidence:.0%} intervals from {self.samples} resamples of patients within "
            f"their centres; BCa below {FEW_PATIENTS} patients, percentile from there on"
            if self.samples
            else "no intervals were asked for",
        )

    def method_for(self, patients: int) -> str:
        """The method for a group of so many patients."""
        if self.method != "auto":
            return self.method
        return "bca" if patients < FEW_PATIENTS else "percentile"


class BootstrapRecord(Record):
    """How the intervals of a file were made; see `BootstrapSettings`."""

    samples: int
    seed: int
    unit: str = "patient"
    stratified_by: str = "center"
    method: str
    confidence: FiniteFloat
    description: str

    @property
    def settings(self) -> BootstrapSettings:
        """With which the same replicates are drawn again."""
        return BootstrapSettings(self.samples, self.seed, self.method, self.confidence)


def draw(stratum: Ints, names: tuple[str, ...], settings: BootstrapSettings) -> Weights:
    """How often each patient comes in each replicate, (P, B) uint8: with replacement, within strata.

    Each stratum (a centre) has its own stream, so that its replicates do not depend on which others are there.

    Args:
        stratum: (P,) row of `names` for each patient.
        names: of the strata.
        settings: seed and number of replicates.
    """
    counts = np.zeros((len(stratum), settings.samples), dtype=np.uint8)
    for row, name in enumerate(names):
        members = np.flatnonzero(stratum == row)
        stream = np.random.default_rng([settings.seed, zlib.crc32(name.encode())])
        for start in range(0, settings.samples, _DRAWN_AT_ONCE):
            some = range(start, min(start + _DRAWN_AT_ONCE, settings.samples))
            picks = [stream.integers(0, len(members), len(members)) for _ in some]
            drawn = [np.bincount(one, minlength=len(members)).astype(np.uint8) for one in picks]
            counts[members, start : some.stop] = np.stack(drawn, axis=1)
    return counts


def replicate(measure: Measure, weights: Weights, batch: int) -> dict[str, Floats]:
    """Each statistic in each replicate, (B,), `batch` replicates at a time, on all cores.

    numpy and scipy let go of the interpreter while they count, so threads are enough.
    """
    starts = range(0, weights.shape[1], batch)
    with ThreadPoolExecutor(_cores()) as pool:
        parts = list(pool.map(lambda start: measure(weights[:, start : start + batch].astype(np.float64)), starts))
    return {name: np.concatenate([part[name] for part in parts]) for name in (parts[0] if parts else ())}


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def leave_one_out(patients: int) -> Weights:
    """Weights (P, P) of the jackknife over patients."""
    return 1 - np.eye(patients, dtype=np.int64)


def percentile_limits(replicates: Floats, confidence: float) -> tuple[float, float]:
    """The middle `confidence` of the defined replicates."""
    low, high = np.percentile(replicates, [50 * (1 - confidence), 50 * (1 + confidence)])
    return float(low), float(high)


def bca_limits(value: float, replicates: Floats, left_out: Floats, confidence: float) -> tuple[float, float]:
    """Bias-corrected and accelerated limits (Efron 1987, doi:10.1080/01621459.1987.10478410).

    Args:
        value: of the data.
        replicates: (B,) defined replicates.
        left_out: (P,) defined values with one patient left out.
        confidence: of the interval.
    """
    below = ((replicates < value).mean() + (replicates <= value).mean()) / 2
    bias = _NORMAL.inv_cdf(float(np.clip(below, 0.5 / len(replicates), 1 - 0.5 / len(replicates))))
    pull = left_out.mean() - left_out if len(left_out) else np.zeros(1)
    spread = float((pull**2).sum()) ** 1.5
    acceleration = float((pull**3).sum()) / (6 * spread) if spread > 0 else 0.0
    reach = [bias + _NORMAL.inv_cdf(tail) for tail in ((1 - confidence) / 2, (1 + confidence) / 2)]
    shares = [_NORMAL.cdf(bias + z / (1 - acceleration * z)) for z in reach]
    low, high = np.percentile(replicates, np.multiply(shares, 100))
    return float(low), float(high)
