"""Agreement of grades, counted by hand, and its intervals."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from spinedet.report.score_page import _page
from spinedet.scoring import BootstrapSettings, Scores, ScoreSettings, examine, report, score
from spinedet.scoring.error_analysis import Cases
from spinedet.scoring.metrics.severity_agreement import Grading

from .conftest import cube

Draw = Callable[..., Any]
ONCE = np.ones((1, 1))


def agreement(told: list[float], known: list[float], weights: Any = ONCE) -> dict[str, float]:
    patient = np.arange(len(told)) if len(weights) > 1 else np.zeros(len(told), int)
    found = Grading(np.array(told), np.array(known), patient, len(weights)).measure(np.asarray(weights, float))
    return {name.removeprefix("severity "): float(values[0]) for name, values in found.items()}


def test_kappa_by_hand() -> None:
    # Rounded, the pairs are (1, 1), (2, 2), (3, 2), (2, 3). Squared differences are 0, 0, 1, 1: 1 / 2 on average.
    # Were they independent: each of the told 1, 2, 3, 2 against the known 1, 2, 2, 3 gives (6 + 2 + 6 + 2) / 16 = 1.
    found = agreement([1.4, 1.6, 2.5, 1.9], [1, 2, 2, 3])
    assert found["kappa"] == pytest.approx(1 / 2)
    assert found["mae"] == pytest.approx((0.4 + 0.4 + 0.5 + 1.1) / 4)


def test_kappa_is_that_of_cohens_table() -> None:
    random = np.random.default_rng(0)
    told, known = random.integers(0, 4, 60), random.integers(0, 4, 60)
    table = np.zeros((4, 4))
    np.add.at(table, (told, known), 1)
    apart = np.subtract.outer(np.arange(4), np.arange(4)) ** 2
    chance = np.outer(table.sum(axis=1), table.sum(axis=0)) / 60
    wanted = 1 - (apart * table).sum() / (apart * chance).sum()
    assert agreement(told.tolist(), known.tolist())["kappa"] == pytest.approx(wanted)


def test_ranks_by_hand() -> None:
    # Ranks of the told are 1, 2, 3, 4; of the known 1, 2.5, 2.5, 4. From their middle: products 2.25, 0, 0, 2.25.
    found = agreement([0.1, 1.2, 1.3, 2.9], [1, 2, 2, 3])
    assert found["spearman"] == pytest.approx(4.5 / math.sqrt(5 * 4.5))
    assert agreement([3, 2, 1], [1, 2, 3])["spearman"] == pytest.approx(-1)


def test_a_patient_that_weighs_twice_is_there_twice() -> None:
    weighed = agreement([1.2, 2.1, 2.9], [1, 3, 3], [[1], [2], [0]])
    assert weighed == pytest.approx(agreement([1.2, 2.1, 2.1], [1, 3, 3]))


def test_perfect_agreement_and_none_to_speak_of() -> None:
    assert agreement([1, 2, 3], [1, 2, 3]) == pytest.approx({"kappa": 1, "spearman": 1, "mae": 0})
    alike, nothing = agreement([2, 2], [2, 2]), agreement([], [])
    assert np.isnan([alike["kappa"], alike["spearman"]]).all()
    assert alike["mae"] == 0
    assert np.isnan(list(nothing.values())).all()


def graded(place: float, grade: Any) -> dict[str, Any]:
    return {"box": cube(place), "attributes": {"severity": grade}}


def said(place: float, sure: float, grade: float | None) -> dict[str, Any]:
    return {"box": cube(place), "score": sure, "severity": grade}


def scored(drawn: Any) -> Scores:
    return score(drawn.manifest, drawn.found, ScoreSettings(threshold=0.5, bootstrap=BootstrapSettings(samples=100)))


def test_only_graded_hits_at_the_threshold_count(draw: Draw) -> None:
    lesions = [graded(place, grade) for place, grade in ((0.0, 1), (100.0, 3), (200.0, "mild"), (300.0, 2))]
    hits = [said(0.0, 0.9, 1.0), said(100.0, 0.8, 2.5), said(200.0, 0.7, 3.0), said(300.0, 0.4, 0.0)]
    false = [said(500.0, 0.9, 3.0), said(1.0, 0.6, 3.0)]
    drawn = draw().study(lesions, [*hits, *false]).study([graded(0.0, 2)], [said(0.0, 0.9, None)], center="B")
    scores = scored(drawn)
    both, other = (scores.group(plane="sagittal", center=center).severity for center in "AB")
    assert both is not None
    assert other is not None
    assert (both.hits, both.mae.value, both.spearman.value) == (2, 0.25, 1)
    assert (other.hits, other.kappa.value, other.mae.reason) == (0, None, "no hit with a grade on both sides")
    assert scored(drawn).model_dump(mode="json")["groups"][0]["severity"]["hits"] == 2


def test_intervals_resample_patients(draw: Draw) -> None:
    drawn = draw()
    for grade, told in ((1, 1.2), (2, 1.8), (3, 2.2), (3, 2.9), (1, 2.4), (2, 2.1)):
        drawn.study([graded(0.0, grade)], [said(0.0, 0.9, told)])
    kappa = scored(drawn).group().severity.kappa
    assert kappa.low < kappa.value < kappa.high


def test_the_page_shows_the_agreement(draw: Draw) -> None:
    drawn = draw()
    for grade, told in ((1, 1.25), (2, 2.0), (3, 2.5)):
        drawn.study([graded(0.0, grade)], [said(0.0, 0.9, told)])
    examined = examine(drawn.manifest, drawn.found, ScoreSettings(bootstrap=BootstrapSettings(samples=0)))
    page = _page(report("drawn", examined), {}, Cases(examined.matched, examined.reached))
    assert "<th>everything</th><td>3</td><td>1.000</td><td>1.000</td><td>0.250</td>" in page


@pytest.mark.parametrize(("lesion", "finding"), [({}, 2.0), ({"attributes": {"severity": 2}}, None)])
def test_without_grades_the_scores_say_nothing_of_them(
    draw: Draw, lesion: dict[str, Any], finding: float | None
) -> None:
    content = scored(draw().study([{"box": cube(0.0), **lesion}], [said(0.0, 0.9, finding)])).model_dump(mode="json")
    assert all("severity" not in group for group in content["groups"])
