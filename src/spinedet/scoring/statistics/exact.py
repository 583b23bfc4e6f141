"""Exact intervals of shares, and the exact test of paired right and wrong answers."""

from __future__ import annotations

CONFIDENCE = 0.95


def exact_interval(hits: int, count: int, confidence: float = CONFIDENCE) -> tuple[float, float]:
    """Interval of a share (Clopper and Pearson, Biometrika 1934;26:404); all of it where there is nothing to count."""
    from scipy.special import betaincinv  # slow to load, and not needed by every score

    tail = (1 - confidence) / 2
    low = 0.0 if hits == 0 else float(betaincinv(hits, count - hits + 1, tail))
    high = 1.0 if hits == count else float(betaincinv(hits + 1, count - hits, 1 - tail))
    return low, high


def mcnemar_p(first_only: int, second_only: int) -> float:
    """Two-sided exact p of McNemar's test (Psychometrika 1947;12:153).

    Args:
        first_only: pairs in which only the first is right. second_only: only the second.
    """
    from scipy.special import bdtr  # as above

    count = first_only + second_only
    return min(1.0, 2 * float(bdtr(min(first_only, second_only), count, 0.5))) if count else 1.0
