"""Names of parts and statistics of a classification."""

from __future__ import annotations

import pytest

from spinedet.report.label_parts import part_in_words, statistic_in_words


@pytest.mark.parametrize(
    ("by", "words"),
    [
        ({"unit": "patient"}, "patients"),
        ({"unit": "patient", "center": "B"}, "patients, centre B"),
        ({"unit": "image", "view": "ap"}, "AP images"),
        ({"unit": "image", "view": "lateral", "center": "B"}, "lateral images, centre B"),
        ({"view": "lateral"}, "lateral images"),
    ],
)
def test_parts_in_words(by: dict[str, str], words: str) -> None:
    assert part_in_words(by) == words


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("macro_f1", "macro F1"),
        ("balanced_accuracy", "balanced accuracy"),
        ("macro_auc", "macro AUC"),
        ("auc of not_fresh", "AUC of not_fresh"),
        ("recall of f1_screw of auc", "recall of f1_screw of auc"),
    ],
)
def test_statistics_in_words_leave_labels_alone(name: str, words: str) -> None:
    assert statistic_in_words(name) == words
