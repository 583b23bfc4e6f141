"""What tuning images decide once: the threshold of a finding, the temperature, and how novel an image may be."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np

from spinedet.core.errors import InputError
from spinedet.scoring.classification.roc import Bools, RocPoint, roc_points
from spinedet.scoring.matching.overlaps import Floats, Ints

PLATEAU = 0.02
FALLBACK = 0.5
_SLACK = 1e-9
_RULE = re.compile(r"(plateau_youden|sensitivity\s*>=|specificity\s*>=)\s*([0-9.eE+-]*)")
_HOTTEST = 20.0
_BISECTIONS = 40


@dataclass(frozen=True, slots=True)
class LabelRule:
    """How tuning images choose the threshold of a two-label task: `plateau_youden`, the middle of the thresholds around
    the best whose sensitivity + specificity lacks at most .02; `sensitivity>=s`, the highest; `specificity>=s`, the
    lowest.
    """

    kind: str
    limit: float | None = None

    @classmethod
    def parse(cls, text: str) -> LabelRule:
        """The rule as written in a config.

        Raises:
            InputError: no such rule.
        """
        found = _RULE.fullmatch(text.strip())
        kind, number = (found[1].rstrip("<>= "), found[2]) if found else ("", "")
        try:
            limit = float(number) if number else None
        except ValueError:
            kind, limit = "", None
        if not kind or (kind == "plateau_youden") != (limit is None) or not (limit is None or 0 <= limit <= 1):
            raise InputError(f"threshold rule {text!r}: use plateau_youden, sensitivity>=0.9 or specificity>=0.9")
        return cls(kind, limit)

    def __str__(self) -> str:
        return self.kind if self.limit is None else f"{self.kind}>={self.limit:g}"


@dataclass(frozen=True, slots=True)
class Chosen:
    """A threshold, what it gives on the tuning images, and why it is not what the rule asks for, if so."""

    value: float
    sensitivity: float | None = None
    specificity: float | None = None
    reason: str | None = None


def choose_threshold(score: Floats, positive: Bools, rule: LabelRule) -> Chosen:
    """From tuning scores (k,) and which items have the finding; 0.5 where they cannot say."""
    if positive.all() or not positive.any():
        return Chosen(FALLBACK, reason="the tuning images do not hold both labels")
    points = roc_points(score, positive)
    match rule.kind:
        case "sensitivity":
            least = next(point for point in points if point.sensitivity >= (rule.limit or 0.0) - _SLACK)
            return Chosen(least.threshold, least.sensitivity, least.specificity)
        case "specificity":
            kept = [point for point in points if point.specificity >= (rule.limit or 0.0) - _SLACK]
            if kept:
                return Chosen(kept[-1].threshold, kept[-1].sensitivity, kept[-1].specificity)
            above = float(np.nextafter(points[0].threshold, np.inf))
            return Chosen(above, 0.0, 1.0, "even the highest score is a false alarm too many")
    return _plateau(points)


def _plateau(points: list[RocPoint]) -> Chosen:
    youden = np.array([point.sensitivity + point.specificity for point in points])
    best = int(youden.argmax())
    worse = np.flatnonzero(youden < youden[best] - PLATEAU - _SLACK)
    above, below = worse[worse < best], worse[worse > best]
    first = int(above[-1]) + 1 if len(above) else 0
    # Down to the next lower score nothing changes, so the plateau ends there.
    last = int(below[0]) if len(below) else len(points) - 1
    value = (points[first].threshold + points[last].threshold) / 2
    at = max((row for row, point in enumerate(points) if point.threshold >= value), default=0)
    return Chosen(value, points[at].sensitivity, points[at].specificity)


def fit_label_temperature(probability: Floats, reference: Ints) -> float | None:
    """The temperature under which softmax probabilities (n, L) predict the labels best (Guo 2017, arXiv:1706.04599).

    The log loss is convex in 1 / temperature: bisection between 1/20 and 20.

    Returns:
        None with no item, or where all or none of the answers are right.
    """
    if not len(reference):
        return None
    right = probability.argmax(axis=1) == reference
    if right.all() or not right.any():
        return None
    logits = log_probability(probability)
    rows = np.arange(len(reference))

    def slope(coldness: float) -> float:
        """Derivative of the log loss by 1 / temperature."""
        mean = (softmax(logits * coldness) * logits).sum(axis=1)
        return float((mean - logits[rows, reference]).sum())

    low, high = 1 / _HOTTEST, _HOTTEST
    for _ in range(_BISECTIONS):
        middle = (low * high) ** 0.5
        low, high = (low, middle) if slope(middle) > 0 else (middle, high)
    return float((low * high) ** -0.5)


def tempered(probability: Floats, temperature: float) -> Floats:
    """Probabilities (n, L) with their logits divided by a temperature."""
    return softmax(log_probability(probability) / temperature)


def log_probability(probability: Floats) -> Floats:
    """Logarithms, that of 0 being nearly as low as it gets."""
    return np.asarray(np.log(np.clip(probability, 1e-12, 1.0)))


def softmax(logits: Floats) -> Floats:
    """Along the last axis."""
    shifted = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return np.asarray(shifted / shifted.sum(axis=-1, keepdims=True))


def novelty_limit(novelty: Floats, kept: float = 0.95) -> float | None:
    """The novelty up to which the share `kept` of the known tuning images stays; None without any."""
    known = novelty[~np.isnan(novelty)]
    return float(np.quantile(known, kept, method="higher")) if len(known) else None
