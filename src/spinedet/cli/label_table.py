"""What a classification test found, as a table for the terminal."""

from __future__ import annotations

from collections.abc import Iterator

from rich.table import Table

from spinedet.cli.console import plain_table, show_table
from spinedet.report.number_format import two_lines
from spinedet.scoring.classification.evaluate import AS_ANSWERED
from spinedet.scoring.classification.records import LabelGroup, LabelScores


def show_label_scores(scores: LabelScores) -> None:
    """Print every part of a test, of every network and reader."""
    show_table(label_table(scores))


def label_table(scores: LabelScores) -> Table:
    """The table that `show_label_scores` prints."""
    area = f"AUC of {scores.task['positive']}" if scores.task.get("positive") else "mean AUC"
    table = plain_table(
        "", "part", "patients", "items", "accuracy", "macro F1", area, "answered", title=scores.bootstrap.description
    )
    for column in table.columns[2:]:
        column.justify = "right"
    for one in (scores, *scores.others):
        for row, group in enumerate(one.groups):
            table.add_row(one.model_name if row == 0 else "", *_cells(group))
    return table


def _cells(group: LabelGroup) -> Iterator[str]:
    answers = group.answer(AS_ANSWERED)
    yield ", ".join(group.by.values())
    yield str(group.patients)
    yield str(group.items)
    for estimate in (answers.accuracy, answers.macro_f1, group.auc.bootstrap, answers.answered):
        yield two_lines(estimate)
