from __future__ import annotations

import re

import numpy as np
import pytest

from spinedet.report.curves import draw_curves, rate_text, rate_x, share_x, share_y, style_of


def corners(path: str) -> list[tuple[float, float]]:
    return [(float(x), float(y)) for x, y in re.findall(r"[ML]([\d.]+) ([\d.]+)", path)]


@pytest.fixture
def sagittal(four):
    return draw_curves(four.evidence(), four.scores(), ("A",))[0]


def test_every_plane_has_both_curves(four) -> None:
    drawn = draw_curves(four.evidence(), four.scores(), ())
    assert [curves.plane for curves in drawn] == ["sagittal", "axial"]
    assert [figure.kind for figure in drawn[0].figures] == ["FROC", "Precision–recall"]
    assert [key.internal for key in drawn[0].keys] == [None, None]


def test_the_legend_tells_centres_and_counts(sagittal) -> None:
    assert [(key.center, key.internal, key.lesions, key.scans) for key in sagittal.keys] == [
        ("A", True, 3, 2),
        ("B", False, 2, 2),
    ]


def test_froc_is_a_step_function_of_every_score(sagittal) -> None:
    first, second = sagittal.figures[0].traces
    # A: three hits, then one false positive in two scans.
    assert corners(first.path) == [
        (rate_x(0), share_y(0)),
        (rate_x(0), share_y(1 / 3)),
        (rate_x(0), share_y(2 / 3)),
        (rate_x(0), share_y(1)),
        (rate_x(0.5), share_y(1)),
    ]
    assert corners(first.rest) == [(rate_x(0.5), share_y(1)), (rate_x(8), share_y(1))]
    # B: one false positive, then two hits.
    assert corners(second.path) == [
        (rate_x(0), share_y(0)),
        (rate_x(0.5), share_y(0)),
        (rate_x(0.5), share_y(0.5)),
        (rate_x(0.5), share_y(1)),
    ]


def test_precision_and_recall_of_every_score(sagittal) -> None:
    _, second = sagittal.figures[1].traces
    assert corners(second.path) == [
        (share_x(0), share_y(0)),
        (share_x(0.5), share_y(0.5)),
        (share_x(1), share_y(2 / 3)),
    ]


def test_the_operating_point_is_marked_with_its_intervals(sagittal, four) -> None:
    group = four.scores().group(plane="sagittal", center="B")
    froc, precision_recall = (figure.traces[1].point for figure in sagittal.figures)
    assert (froc.x, froc.y) == (rate_x(0.5), share_y(0.5))
    assert froc.upright == (share_y(group.recall.low), share_y(group.recall.high))
    assert froc.across == (rate_x(group.fp_per_scan.low), rate_x(group.fp_per_scan.high))
    assert (precision_recall.x, precision_recall.y) == (share_x(0.5), share_y(0.5))


def test_the_marker_lies_on_the_curve(four) -> None:
    for curves in draw_curves(four.evidence(), four.scores(), ()):
        for trace in curves.figures[0].traces:
            xs, ys = np.array(corners(trace.path) + corners(trace.rest or "M0 0")).T
            on_edge = ((xs == trace.point.x) | (ys == trace.point.y)).any()
            assert on_edge


def test_a_centre_without_lesions_has_no_line(four) -> None:
    four.study("c1", "C", ([], [(0, 0.9)]), ([], []))
    curves = draw_curves(four.evidence(), four.scores(), ())[0]
    assert [key.center for key in curves.keys] == ["A", "B"]


def test_a_centre_keeps_its_style_in_every_plane(four) -> None:
    drawn = draw_curves(four.evidence(), four.scores(), ())
    assert {key.center: key.style for key in drawn[0].keys} == {key.center: key.style for key in drawn[1].keys}
    assert len({style_of(row) for row in range(28)}) == 28


def test_without_findings_the_curve_lies_at_nothing(draw) -> None:
    empty = draw().study("a1", "A", ([0], []), ([0], [])).study("a2", "A", ([0], []), ([0], []))
    trace = draw_curves(empty.evidence(), empty.scores(), ())[0].figures[0].traces[0]
    assert corners(trace.path) == [(rate_x(0), share_y(0))]
    assert corners(trace.rest) == [(rate_x(0), share_y(0)), (rate_x(8), share_y(0))]


def test_more_false_positives_than_the_axis_holds_end_the_line_at_its_edge(draw) -> None:
    many = [(0.0, 0.9), *((40 + 15.0 * n, 0.8) for n in range(9)), (200.0, 0.1)]
    drawn = draw().study("a1", "A", ([0, 200], many), ([], []))
    trace = draw_curves(drawn.evidence(), drawn.scores(), ())[0].figures[0].traces[0]
    assert corners(trace.path)[-1] == (rate_x(8), share_y(0.5))
    assert trace.rest == ""


def test_the_rate_axis_doubles_above_an_eighth_and_is_linear_below() -> None:
    places = [rate_x(rate) for rate in (0, 0.125, 0.25, 0.5, 1, 2, 4, 8)]
    assert np.diff(places) == pytest.approx([np.diff(places)[0]] * 7, abs=0.11)
    assert rate_x(0.0625) == pytest.approx((rate_x(0) + rate_x(0.125)) / 2, abs=0.11)
    assert rate_x(1000) == rate_x(8)
    assert [rate_text(rate) for rate in (0.125, 0.5, 2.0)] == ["1/8", "1/2", "2"]
