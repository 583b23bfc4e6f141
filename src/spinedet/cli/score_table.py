"""What a test found, as a table for the terminal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from spinedet.cli.console import results
from spinedet.report.number_format import DASH, MARKS, percent, shown, two_lines
from spinedet.report.sentences import thresholds_of
from spinedet.scoring import Group, Scores

WIDTH = 100
_LEFT = ("scans", "lesions", "TP", "FP", "FN", "prec.", "recall")
_RIGHT = ("FP/scan", "AP", "CPM")
_ESTIMATES = ("precision", "recall", "f1", "fp_per_scan", "ap", "cpm")


def show_scores(scores: Scores) -> None:
    """Print every plane with its centres and categories, the criterion and the thresholds beneath."""
    # A pipe has no width of its own, and a table that is squeezed into 80 columns is of no use in a log.
    width = min(results.width, WIDTH) if results.is_terminal else WIDTH
    Console(file=results.file, width=width, highlight=False, markup=False).print(scores_table(scores))


def scores_table(scores: Scores) -> Table:
    """The table that `show_scores` prints; it needs about 80 characters."""
    table = Table(
        box=SIMPLE_HEAD,
        show_edge=False,
        padding=(0, 0),
        caption=Text(_caption(scores)),
        caption_justify="left",
        caption_style="dim",
    )
    table.add_column("", overflow="fold", max_width=24)
    for name in (*_LEFT, f"F1 ({percent(scores.bootstrap.confidence)})", *_RIGHT):
        table.add_column(name, justify="right", no_wrap=True)
    for plane in _planes(scores):
        for group in scores.groups:
            if group.by.get("plane") == plane:
                table.add_row(*_cells(group))
        table.add_section()
    return table


def _planes(scores: Scores) -> list[str]:
    return list(dict.fromkeys(str(group.by["plane"]) for group in scores.groups if "plane" in group.by))


def _cells(group: Group) -> Iterator[str]:
    rest = [str(value) for key, value in group.by.items() if key != "plane"]
    yield f"  {', '.join(rest)}" if rest else str(group.by["plane"])
    yield from (f"{number}" for number in (group.n.series, group.n.lesions, group.tp, group.fp, group.fn))
    yield shown(group.precision).value
    yield shown(group.recall).value
    yield two_lines(group.f1)
    yield shown(group.fp_per_scan, 2).value
    yield shown(group.ap).value
    yield shown(group.cpm).value


def _caption(scores: Scores) -> str:
    chosen = [
        f"{plane} {', '.join(f'{value:.3g}' for value in thresholds_of(scores, scores.group(plane=plane))) or 'none'}"
        for plane in _planes(scores)
    ]
    lines = (
        f"{scores.criterion['description']}; a scan is one series",
        f"thresholds: {'; '.join(chosen)} ({scores.threshold.description})",
        scores.bootstrap.description,
        *_remarks([group for group in scores.groups if "plane" in group.by]),
    )
    return "\n".join(lines)


def _remarks(groups: Sequence[Group]) -> Iterator[str]:
    """Why there is a dash, and what the marks of intervals mean."""
    numbers = [getattr(group, name) for group in groups for name in _ESTIMATES]
    yield from dict.fromkeys(f"{DASH} {shown(one).remark}" for one in numbers if one.value is None)
    intervals = "".join(shown(group.f1).interval for group in groups)
    yield from (f"{mark} {meaning}" for mark, meaning in MARKS.items() if mark in intervals)
