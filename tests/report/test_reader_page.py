"""Curves of a reader study as drawings whose places can be checked."""

from __future__ import annotations

from spinedet.report.reader_page import MARGIN, SIZE, curves
from spinedet.scoring.reader_study.records import ReaderRow
from spinedet.scoring.records import Estimate


def row(name: str, condition: str, *corners: tuple[float, float]) -> ReaderRow:
    return ReaderRow(reader=name, condition=condition, sha256="", marks=0, figure=Estimate(value=0.5), curve=corners)


def places(path: str) -> list[tuple[float, float]]:
    """Corners of a path on axes from 0 to 1."""
    side = SIZE - 2 * MARGIN
    pairs = (corner.split() for corner in path.removeprefix("M").split("L"))
    return [((float(x) - MARGIN) / side, (SIZE - MARGIN - float(y)) / side) for x, y in pairs]


def test_a_curve_goes_through_its_corners() -> None:
    (only,) = curves([row("a", "unaided", (0.0, 0.0), (0.25, 0.5), (1.0, 1.0))])
    found = places(only.path)
    assert [(round(x, 2), round(y, 2)) for x, y in found] == [(0, 0), (0.25, 0.5), (1, 1)]
    assert not only.mean


def test_the_mean_of_two_readers_is_the_mean_of_their_ordinates() -> None:
    straight = row("a", "unaided", (0.0, 0.0), (1.0, 1.0))
    perfect = row("b", "unaided", (0.0, 0.0), (0.0, 1.0), (1.0, 1.0))
    program = row("p", "program", (0.0, 0.0), (1.0, 1.0))
    drawn = curves([straight, perfect, program])
    assert [(one.condition, one.mean) for one in drawn] == [
        ("unaided", False),
        ("unaided", False),
        ("unaided", True),
        ("program", False),
    ]
    mean = {round(x, 2): y for x, y in places(drawn[2].path)}
    assert abs(mean[0.0] - 0.5) < 0.01
    assert abs(mean[0.5] - 0.75) < 0.01
    assert abs(mean[1.0] - 1.0) < 0.01


def test_figures_without_a_curve_draw_none() -> None:
    assert curves([row("a", "unaided"), row("b", "unaided")]) == []
