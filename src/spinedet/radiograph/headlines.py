"""The numbers of a classification test that a tracker shows."""

from __future__ import annotations

from spinedet.scoring.classification.evaluate import AS_ANSWERED
from spinedet.scoring.classification.records import LabelScores


def headlines(scores: LabelScores) -> dict[str, float]:
    """Accuracy, macro F1 and AUC of every part by name; undefined ones are left out."""
    found: dict[str, float] = {}
    for group in scores.groups:
        answers, part = group.answer(AS_ANSWERED), "/".join(group.by.values())
        numbers = {"accuracy": answers.accuracy, "macro_f1": answers.macro_f1, "auc": group.auc.bootstrap}
        found |= {f"{part}/{name}": one.value for name, one in numbers.items() if one.value is not None}
    return found
