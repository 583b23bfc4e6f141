"""Obuchowski-Rockette analysis of reader studies with the degrees of freedom of Hillis.

Obuchowski & Rockette 1995 (doi:10.1080/03610919508813243); Hillis 2007 (doi:10.1002/sim.2532); one treatment against
readers: Chakraborty, Observer Performance Methods, 2017, chapter 22. All matrices of one study hold the readers of
condition 0 first, then those of condition 1, in the same order.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from spinedet.scoring.matching.overlaps import Floats

FEWEST_READERS = 3


@dataclass(frozen=True)
class Inference:
    """An estimate with its standard error, degrees of freedom, interval and two-sided p against 0.

    Attributes:
        df: degrees of freedom of Student's t; infinite for the normal distribution.
    """

    estimate: float
    error: float
    df: float
    low: float
    high: float
    p: float


def jackknife_covariance(left_out: Floats) -> Floats:
    """Covariance (R, R) of statistics from their values (R, P) with one patient left out."""
    patients = left_out.shape[1]
    apart = left_out - left_out.mean(axis=1, keepdims=True)
    return np.asarray(apart @ apart.T * (patients - 1) / patients)


def reader_mean(values: Floats, covariance: Floats, confidence: float) -> Inference:
    """Mean over random readers (J,) and random patients; of figures of merit, or of their differences from a program.

    Args:
        covariance: (J, J) of the values.
    """
    readers = len(values)
    between = float(np.var(values, ddof=1))
    shared = readers * max(_off_diagonal(covariance), 0.0)
    df = _hillis(between, between + shared, readers - 1)
    return _inference(float(values.mean()), math.sqrt((between + shared) / readers), df, confidence)


def condition_difference(values: Floats, covariance: Floats, confidence: float) -> Inference:
    """Second condition minus first, over random readers and random patients.

    Args:
        values: (2, J). covariance: (2 J, 2 J).
    """
    readers = values.shape[1]
    residual = values - values.mean(axis=1, keepdims=True) - values.mean(axis=0) + values.mean()
    interaction = float((residual**2).sum() / (readers - 1))
    blocks = covariance.reshape(2, readers, 2, readers)
    within = (_off_diagonal(blocks[0, :, 0]) + _off_diagonal(blocks[1, :, 1])) / 2
    across = _off_diagonal((blocks[0, :, 1] + blocks[1, :, 0]) / 2)
    pooled = interaction + readers * max(within - across, 0.0)
    df = _hillis(interaction, pooled, readers - 1)
    change = float(values[1].mean() - values[0].mean())
    return _inference(change, math.sqrt(2 / readers * pooled), df, confidence)


def fixed_readers(values: Floats, covariance: Floats, weights: Floats, confidence: float) -> Inference:
    """A weighted sum of figures of merit (R,) over random patients, for these readers and no others."""
    error = math.sqrt(max(float(weights @ covariance @ weights), 0.0))
    return _inference(float(weights @ values), error, math.inf, confidence)


def _off_diagonal(matrix: Floats) -> float:
    """Mean of the entries off the diagonal; 0 for a single reader."""
    readers = len(matrix)
    return float((matrix.sum() - np.trace(matrix)) / (readers * (readers - 1))) if readers > 1 else 0.0


def _hillis(mean_square: float, pooled: float, df: int) -> float:
    return pooled**2 / (mean_square**2 / df) if mean_square > 0 else math.inf


def _inference(estimate: float, error: float, df: float, confidence: float) -> Inference:
    reach = _quantile((1 + confidence) / 2, df) * error
    exact = 1.0 if estimate == 0 else 0.0
    p = 2 * _below(-abs(estimate) / error, df) if error > 0 else exact
    return Inference(estimate, error, df, estimate - reach, estimate + reach, p)


def _quantile(share: float, df: float) -> float:
    from scipy.special import stdtrit  # slow to load, and only needed in reader studies

    return NormalDist().inv_cdf(share) if math.isinf(df) else float(stdtrit(df, share))


def _below(t: float, df: float) -> float:
    from scipy.special import stdtr  # as above

    return NormalDist().cdf(t) if math.isinf(df) else float(stdtr(df, t))
