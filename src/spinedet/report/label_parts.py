"""Parts of the items of a classification: their names in words, and which of them to show."""

from __future__ import annotations

from collections.abc import Mapping

from spinedet.core.radiograph import VIEWS
from spinedet.scoring.classification.records import LabelScores


def part_in_words(by: Mapping[str, str]) -> str:
    """`patients`, `AP images`, `lateral images, centre B`; a view alone is of images."""
    view = f"{VIEWS[by['view']].title} " if "view" in by else ""
    center = f", centre {by['center']}" if "center" in by else ""
    return f"{view}{by.get('unit', 'image')}s{center}"


def statistic_in_words(name: str) -> str:
    """`macro F1`, `AUC of not_fresh`; a label stays as it is."""
    metric, of, label = name.partition(" of ")
    return f"{metric.replace('_', ' ').replace('f1', 'F1').replace('auc', 'AUC')}{of}{label}"


def one_image_each(scores: LabelScores) -> bool:
    """Whether patients and images are the same items, because every patient has one image."""
    whole = [group for group in scores.groups if "center" not in group.by]
    return [group.by["unit"] for group in whole] == ["patient", "image"] and len({group.items for group in whole}) == 1


def without_repeated_items(scores: LabelScores) -> LabelScores:
    """Without what is said of images where it is said of patients already."""
    if not one_image_each(scores):
        return scores
    kept = {
        name: tuple(one for one in getattr(scores, name) if one.by["unit"] == "patient")
        for name in ("groups", "pairs", "contrasts")
    }
    return scores.model_copy(update={**kept, "others": tuple(map(without_repeated_items, scores.others))})
