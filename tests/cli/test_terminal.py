"""What commands print on a terminal of 80 columns: nothing is cut, and no name is taken for markup."""

from __future__ import annotations

import io
import math
from collections.abc import Callable

import pytest
from rich.console import Console
from rich.table import Table

from spinedet.cli import console as terminal
from spinedet.cli import progress
from spinedet.cli.console import plain_table, show_notes, show_table
from spinedet.cli.sweep_table import sweep_table
from spinedet.commands.check import _show as show_check
from spinedet.commands.score import _differences_table
from spinedet.core.types import Findings, Manifest
from spinedet.pipelines import train_detectors
from spinedet.pipelines.train_detectors import training_bars
from spinedet.report.audit_page import CenterRow
from spinedet.report.sweep_page import SweepLine
from spinedet.scoring import Contender, Selection, compare
from spinedet.scoring.evaluate import ScoreSettings
from spinedet.training.callbacks import TrainingProgress

from .test_score_table import scores_of, study

WIDTH = 80
Printed = Callable[[], str]


@pytest.fixture
def printed(monkeypatch: pytest.MonkeyPatch) -> Printed:
    """What has gone to a terminal of 80 columns."""
    streams = io.StringIO(), io.StringIO()
    for name, stream in zip(("results", "console"), streams, strict=True):
        made = Console(
            file=stream,
            width=WIDTH,
            force_terminal=True,
            color_system=None,
            highlight=False,
            soft_wrap=True,
            markup=False,
        )
        monkeypatch.setattr(terminal, name, made)
    monkeypatch.setattr(progress, "console", terminal.console)
    monkeypatch.setattr(train_detectors, "console", terminal.console)
    return lambda: "".join(stream.getvalue() for stream in streams)


def assert_fits(text: str) -> None:
    assert text.strip()
    assert "…" not in text
    assert max(map(len, text.splitlines())) <= WIDTH


def shown(table: Table, printed: Printed) -> str:
    show_table(table)
    assert_fits(printed())
    return printed()


def test_a_sweep(printed: Printed) -> None:
    scores = scores_of("A", "B")
    names = [("lumbar-graded-2026", "University-Hospital", plane) for plane in ("sagittal", "axial")]
    lines = [SweepLine(*name, scores, *(None, None)) for name in names]  # type: ignore[arg-type]
    text = shown(sweep_table(lines), printed)
    assert "0.500" in text


def test_a_comparison(printed: Printed) -> None:
    cohort = {"name": "x", "region": "lumbar", "categories": ["d"], "studies": [study("a", "A", 1), study("b", "B", 1)]}
    manifest = Manifest.model_validate(cohort, strict=False)
    found = Findings.model_validate({"model": {}, "studies": [{"id": "a"}, {"id": "b"}]}, strict=False)
    both = [Contender(f"experiments-of-2026/{name}", found, 0.5, None) for name in ("first", "second")]
    text = shown(_differences_table(compare(manifest, *both, ScoreSettings(selection=Selection()))), printed)
    assert "0.000" in text


def test_the_cohort_of_a_check(printed: Printed) -> None:
    cells = ("120", "118", "2", "80 / 20 / 20 / 0", "120 (0.68, 4.80)", "119 (0.50, 4.32)", "400 (12)", "230 / 8 / 2")
    show_check([CenterRow(name, cells) for name in ("University Hospital", "B", "C")], [])
    assert_fits(printed())
    assert all(cell in printed() for cell in cells)


def test_names_are_broken_and_never_taken_for_markup(printed: Printed) -> None:
    table = plain_table("[/x]", "study", title="[red]title[/red] [/")
    table.add_row("[bold]", "x" * 300)
    text = shown(table, printed)
    assert text.count("x") == 301
    assert all(name in text for name in ("[/x]", "[red]title[/red] [/", "[bold]"))


def test_notes_break_between_words(printed: Printed) -> None:
    words = "word " * 60
    show_notes([words, "[/x]"])
    lines = printed().splitlines()
    assert max(map(len, lines)) <= WIDTH
    assert "[/x]" in lines[-1]
    assert set(" ".join(lines).split()) == {"note", "word", "[/x]"}


def test_the_times_of_a_training_are_read_in_full(printed: Printed) -> None:
    with training_bars(["sagittal and axial"]) as send:
        for move in send.values():
            move(TrainingProgress(0.0, 9.5, math.nan))
            move(TrainingProgress(0.25, 1234.567, 0.256))
    assert "1234.57, F1 0.26" in printed()
    assert "…" not in printed()


def test_a_long_name_leaves_the_numbers_of_a_progress_bar(printed: Printed) -> None:
    with progress.progress_bar("reading " + "a data set of a very long name, " * 3) as advance:
        advance(1000, 1000)
    assert "1000/1000" in printed()
    assert "left 0:00:00" in printed()
