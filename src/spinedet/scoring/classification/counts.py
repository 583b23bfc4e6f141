"""Precision, recall, F1 and accuracy of labels, for many weightings of the patients at once."""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from spinedet.scoring.classification.items import REJECTED, Items
from spinedet.scoring.matching.overlaps import Floats, Ints
from spinedet.scoring.metrics.froc_pr import ratio
from spinedet.scoring.metrics.sparse_sums import counter

if TYPE_CHECKING:
    from scipy.sparse import csr_array

PER_LABEL = ("precision", "recall", "f1")
OVERALL = (
    "accuracy",
    "balanced_accuracy",
    "macro_precision",
    "macro_recall",
    "macro_f1",
    "micro_precision",
    "micro_recall",
    "micro_f1",
    "answered",
    "accuracy_of_answered",
    "kappa",
)


def of_label(metric: str, label: str) -> str:
    """The name of one label's statistic."""
    return f"{metric} of {label}"


@dataclass(frozen=True, slots=True, eq=False)
class LabelCounts:
    """Sums of each patient, (L, P): right answers, answers, items that have the label; and those of answered items.

    A rejected item is a miss of its label and no false alarm of another.

    Attributes:
        labels: the L names. members: rows of all patients, (P,).
    """

    labels: tuple[str, ...]
    members: Ints
    right: csr_array
    called: csr_array
    support: csr_array
    answered: csr_array

    batch = 512

    def measure(self, weights: Floats) -> dict[str, Floats]:
        """All statistics, (B,), for patient weights (P, B).

        A label without items leaves the means over labels; one that has items and is never answered enters the mean
        precision as 0.
        """
        right, called, support = self.right @ weights, self.called @ weights, self.support @ weights
        precision, recall, f1 = ratio(right, called), ratio(right, support), ratio(2 * right, called + support)
        per_label = {
            of_label(name, label): values[row]
            for name, values in zip(PER_LABEL, (precision, recall, f1), strict=True)
            for row, label in enumerate(self.labels)
        }
        with_items = [np.where(support > 0, values, np.nan) for values in (np.nan_to_num(precision), recall, f1)]
        macro = dict(zip(("macro_precision", "macro_recall", "macro_f1"), map(_mean, with_items), strict=True))
        n, answers, hits = support.sum(axis=0), called.sum(axis=0), right.sum(axis=0)
        return {
            **per_label,
            **macro,
            "accuracy": ratio(hits, n),
            "balanced_accuracy": macro["macro_recall"],
            "micro_precision": ratio(hits, answers),
            "micro_recall": ratio(hits, n),
            "micro_f1": ratio(2 * hits, n + answers),
            "answered": ratio(answers, n),
            "accuracy_of_answered": ratio(hits, answers),
            "kappa": _kappa(hits, called, self.answered @ weights),
        }


def _mean(values: Floats) -> Floats:
    """Over labels (L, B), those that are NaN left out."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # the mean of no label is NaN, and meant to be
        return np.asarray(np.nanmean(values, axis=0))


def _kappa(hits: Floats, called: Floats, answered: Floats) -> Floats:
    """Agreement beyond chance of the answered items (Cohen, Educ Psychol Meas 1960;20:37)."""
    n = answered.sum(axis=0)
    expected = ratio((called * answered).sum(axis=0), n * n)
    return ratio(ratio(hits, n) - expected, 1 - expected)


def label_counts(items: Items) -> LabelCounts:
    """The counts of all items over the patients that have at least one."""
    members, patient = np.unique(items.patient, return_inverse=True)
    shape = (len(items.labels), len(members))
    answered, right = items.called != REJECTED, items.called == items.reference

    def sums(label: Ints, kept: Ints) -> csr_array:
        return counter(label[kept], patient[kept], shape)

    return LabelCounts(
        labels=items.labels,
        members=members,
        right=sums(items.reference, np.flatnonzero(right)),
        called=sums(items.called, np.flatnonzero(answered)),
        support=sums(items.reference, np.arange(len(items))),
        answered=sums(items.reference, np.flatnonzero(answered)),
    )


def confusion(items: Items) -> Ints:
    """(L, L + 1): rows the reference, columns the answer; the last column is no answer."""
    table = np.zeros((len(items.labels), len(items.labels) + 1), dtype=np.int64)
    np.add.at(table, (items.reference, np.where(items.called == REJECTED, len(items.labels), items.called)), 1)
    return table


def without_items(items: Items) -> tuple[str, ...]:
    """Labels that no item has: they leave the means over labels."""
    present: Iterable[int] = np.unique(items.reference).tolist()
    return tuple(label for row, label in enumerate(items.labels) if row not in set(present))
