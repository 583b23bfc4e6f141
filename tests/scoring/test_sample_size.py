"""Sample sizes against the binomial, where they can be worked out on paper."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from spinedet.core.errors import InputError
from spinedet.score import ScoreConfig
from spinedet.scoring import BootstrapSettings, Scores, ScoreSettings, score
from spinedet.scoring.statistics.sample_size import half_width, needed_in_words

Draw = Callable[..., Any]


def pilot(draw: Draw, patients: int = 100, hits: int = 80, wanted: float | None = 0.05) -> Scores:
    """One lesion a patient, so that recall is a binomial share."""
    drawn = draw()
    for number in range(patients):
        drawn.study([0.0], [(0.0, 0.9)] if number < hits else [])
    settings = ScoreSettings(threshold=0.5, bootstrap=BootstrapSettings(samples=400), half_width=wanted)
    return score(drawn.manifest, drawn.table, settings)


def test_recall_needs_what_the_binomial_says(draw: Draw) -> None:
    scores = pilot(draw)
    recall = next(one for one in scores.sample_sizes if one.metric == "recall")
    # 1.96^2 * .8 * .2 / .05^2 = 246 patients.
    assert recall.patients == pytest.approx(246, rel=0.15)
    assert recall.expected == pytest.approx(0.05, rel=0.1)
    assert recall.pilot_patients == 100
    assert recall.pilot_half_width == pytest.approx(1.96 * (0.16 / 100) ** 0.5, rel=0.15)


def test_reached_half_widths_are_those_of_the_intervals(draw: Draw) -> None:
    scores = pilot(draw, wanted=None)
    assert scores.sample_sizes == ()
    group = scores.group(plane="sagittal")
    reached = {one.metric: one.value for one in scores.half_widths}
    assert reached["recall"] == half_width(group.recall) == (group.recall.high - group.recall.low) / 2
    assert set(reached) == {"f1", "recall", "sensitivity at 1 FP/scan"}
    assert all(one.patients == 100 for one in scores.half_widths)


def test_wider_intervals_need_fewer_patients(draw: Draw) -> None:
    sizes = [pilot(draw, wanted=wanted).sample_sizes[1].patients for wanted in (0.15, 0.05)]
    assert sizes[0] < 100 < sizes[1]


def test_a_perfect_pilot_plans_nothing(draw: Draw) -> None:
    scores = pilot(draw, patients=20, hits=20)
    assert {one.patients for one in scores.sample_sizes} == {None}
    assert "no variation" in str(scores.sample_sizes[0].reason)
    assert scores.half_widths == ()
    assert "no variation" in next(iter(needed_in_words(scores.sample_sizes)))[3]


@pytest.mark.parametrize("wanted", [0.0, 0.5, -0.1])
def test_widths_that_mean_nothing_are_refused(wanted: float) -> None:
    with pytest.raises(InputError, match="half_width"):
        ScoreConfig(findings="x", half_width=wanted)
