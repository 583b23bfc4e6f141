"""Two networks, or a network and a reader, on the same items: McNemar, DeLong and paired resamples of patients."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from spinedet.scoring.classification.counts import of_label
from spinedet.scoring.classification.evaluate import Resampling, estimate
from spinedet.scoring.classification.items import REJECTED, Items
from spinedet.scoring.classification.records import Discordance, LabelContrast, LabelPair
from spinedet.scoring.classification.roc import paired_delong
from spinedet.scoring.records import Estimate
from spinedet.scoring.statistics.estimates import Statistics
from spinedet.scoring.statistics.exact import mcnemar_p
from spinedet.scoring.statistics.hypothesis_tests import difference, holm, p_of

ALL = "all"
NETWORKS, WITH_READERS, READERS = "two networks", "a network and a reader", "two readers"


@dataclass(frozen=True, slots=True, eq=False)
class Predicted:
    """The predictions of one network or reader for the items of one test."""

    name: str
    items: Items
    reader: bool = False


def compared_metrics(items: Items, finding: str | None) -> list[str]:
    """The statistics whose differences are given."""
    if finding is None:
        return ["accuracy", "macro_f1", "balanced_accuracy", "macro_auc"]
    other = next(label for label in items.labels if label != finding)
    sides = [of_label("recall", label) for label in (finding, other)]
    return ["accuracy", *sides, of_label("auc", finding)]


def compare_predictions(
    first: Predicted, second: Predicted, by: Mapping[str, str], sampling: Resampling, finding: str | None
) -> LabelPair:
    """Both on the same items in the same order; differences are second minus first.

    Raises:
        ValueError: they are not about the same items.
    """
    ours, theirs = first.items, second.items
    if not (np.array_equal(ours.patient, theirs.patient) and np.array_equal(ours.reference, theirs.reference)):
        raise ValueError(f"{first.name} and {second.name} did not read the same items")
    apart = difference(sampling.of(ours), sampling.of(theirs), compared_metrics(ours, finding))
    scored = ours.scored & theirs.scored
    area, p = _areas(ours, theirs, finding, scored, sampling)
    return LabelPair(
        by=dict(by),
        first=first.name,
        second=second.name,
        kind=_kind(first, second),
        items=len(ours),
        patients=len(np.unique(ours.patient)),
        differences={name: estimate(apart, name) for name in apart.values},
        p={name: p_of(apart, name) for name in apart.values},
        discordance=tuple(_discordances(ours, theirs, finding)),
        auc=area,
        auc_p=p,
        kappa=_agreement(ours, theirs, sampling),
    )


def _kind(first: Predicted, second: Predicted) -> str:
    return (NETWORKS, WITH_READERS, READERS)[first.reader + second.reader]


def _areas(
    ours: Items, theirs: Items, finding: str | None, scored: NDArray[np.bool_], sampling: Resampling
) -> tuple[Estimate | None, float | None]:
    if finding is None or not scored.all() or len(np.unique(ours.patient)) < len(ours):
        return None, None
    row = ours.labels.index(finding)
    found = paired_delong(ours.score[:, row], theirs.score[:, row], ours.reference == row, sampling.settings.confidence)
    return found.difference, found.p


def _discordances(ours: Items, theirs: Items, finding: str | None) -> Iterator[Discordance]:
    """Sensitivity and specificity each, accuracy last."""
    if finding is not None:
        with_finding = ours.reference == ours.labels.index(finding)
        yield discordance(ours, theirs, f"with {finding}", with_finding)
        yield discordance(ours, theirs, f"without {finding}", ~with_finding)
    yield discordance(ours, theirs, ALL, np.ones(len(ours), bool))


def discordance(ours: Items, theirs: Items, among: str, kept: NDArray[np.bool_]) -> Discordance:
    """Exact McNemar among the items (n,) that are kept; no label is a wrong one."""
    first, second = (one.called[kept] == one.reference[kept] for one in (ours, theirs))
    only = int((first & ~second).sum()), int((second & ~first).sum())
    return Discordance(
        among=among,
        items=int(kept.sum()),
        first_right=int(first.sum()),
        second_right=int(second.sum()),
        first_only=only[0],
        second_only=only[1],
        p=mcnemar_p(*only),
    )


def _agreement(ours: Items, theirs: Items, sampling: Resampling) -> Estimate:
    """Kappa of the two with each other, on what both gave a label to."""
    both = (ours.called != REJECTED) & (theirs.called != REJECTED)
    if not both.any():
        return Estimate(reason="they gave no item in common a label")
    as_reference = replace(theirs.where(both), reference=ours.called[both])
    return estimate(sampling.of(as_reference), "kappa")


def corrected(pairs: Sequence[LabelPair], finding: str | None) -> tuple[LabelPair, ...]:
    """Holm over what belongs together: pairs of one kind, over patients or over images (of all views).

    Networks with each other, and readers with each other: accuracy and AUC each. Networks with readers: sensitivity and
    specificity together, or accuracy in a task without a finding.
    """
    found = list(pairs)
    for unit, kind in dict.fromkeys((pair.by.get("unit"), pair.kind) for pair in pairs):
        rows = [row for row, pair in enumerate(found) if (pair.by.get("unit"), pair.kind) == (unit, kind)]
        sided = kind == WITH_READERS and finding is not None
        for row, pair in zip(rows, _family([found[row] for row in rows], sided), strict=True):
            found[row] = pair
    return tuple(found)


def _family(pairs: Sequence[LabelPair], sided: bool) -> Iterator[LabelPair]:
    def belongs(one: Discordance) -> bool:
        return (one.among != ALL) == sided

    adjusted = iter(holm([one.p for pair in pairs for one in pair.discordance if belongs(one)]))
    areas = iter(holm([pair.auc_p for pair in pairs if pair.auc_p is not None]))
    for pair in pairs:
        tests = tuple(
            one.model_copy(update={"p_holm": next(adjusted)}) if belongs(one) else one for one in pair.discordance
        )
        area = None if pair.auc_p is None else next(areas)
        yield pair.model_copy(update={"discordance": tests, "auc_p_holm": area})


def contrast_centers(
    items: Items, by: Mapping[str, str], internal: str, sampling: Resampling, finding: str | None
) -> Iterator[LabelContrast]:
    """Every other centre of these items against the internal one; nothing where that has no item."""
    home = items.at([internal])
    present = [items.centers[row] for row in np.unique(items.center[items.patient]).tolist()]
    away = [name for name in present if name != internal]
    if not len(home) or not away:
        return
    base, metrics = sampling.of(home), compared_metrics(items, finding)
    apart: dict[str, Statistics] = {name: difference(base, sampling.of(items.at([name])), metrics) for name in away}
    for metric in metrics:
        p = {name: p_of(one, metric) for name, one in apart.items()}
        adjusted = dict(zip(_defined(p), holm([p[name] or 0.0 for name in _defined(p)]), strict=True))
        for name, one in apart.items():
            yield LabelContrast(
                by=dict(by),
                metric=metric,
                internal=internal,
                external=name,
                difference=estimate(one, metric),
                p=p[name],
                p_holm=adjusted.get(name),
            )


def _defined(p: Mapping[str, float | None]) -> list[str]:
    return [name for name, value in p.items() if value is not None]
