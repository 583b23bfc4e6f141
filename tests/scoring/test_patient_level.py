"""Patient level: any lesion?"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from spinedet.scoring import BootstrapSettings, ScoreSettings, score
from spinedet.scoring.records import PatientLevel

Draw = Callable[..., Any]


def level(drawn: Any, **settings: Any) -> PatientLevel:
    settings = {"bootstrap": BootstrapSettings(samples=0), **settings}
    return score(drawn.manifest, drawn.found, ScoreSettings(**settings)).group().patient


def test_a_patient_is_called_by_the_highest_score_of_all_scans(draw: Draw) -> None:
    drawn = draw().study([0.0], [(0.0, 0.2)], patient="ill").study([], [(0.0, 0.8)], patient="ill")
    drawn.study([0.0], [], patient="ill2").study([], [(0.0, 0.5)], patient="well").study([], [], patient="well2")
    found = level(drawn, threshold=0.6)
    assert (found.diseased, found.healthy) == (2, 2)
    assert (found.sensitivity.value, found.specificity.value) == (0.5, 1.0)
    # ill .8 beats both; ill2 has no finding, loses to .5 and ties with the other silent one: (2 + 0 + 1/2) / 4
    assert found.auc.value == pytest.approx(2.5 / 4)


def test_who_has_only_lesions_to_be_ignored_is_neither(draw: Draw) -> None:
    ignored = {"box": {"center": [0, 0, 0], "size": [9, 9, 9]}, "ignore": True}
    drawn = draw().study([ignored], [(0.0, 0.9), (60.0, 0.9)]).study([0.0], [(0.0, 0.9)]).study([], [])
    found = level(drawn, threshold=0.5)
    assert (found.diseased, found.healthy) == (1, 1)
    assert (found.sensitivity.value, found.specificity.value, found.auc.value) == (1.0, 1.0, 1.0)


def test_a_finding_absorbed_by_an_ignored_lesion_calls_nobody(draw: Draw) -> None:
    ignored = {"box": {"center": [0, 0, 0], "size": [9, 9, 9]}, "ignore": True}
    drawn = draw().study([ignored, 80.0], [(0.0, 0.9)]).study([], [])
    assert level(drawn, threshold=0.5).sensitivity.value == 0.0


def test_patients_have_intervals(draw: Draw) -> None:
    drawn = draw()
    for row in range(20):
        drawn.study([0.0] if row % 2 else [], [(0.0, 0.04 * (row * 7 % 20))])
    auc = level(drawn, bootstrap=BootstrapSettings(samples=300)).auc
    assert auc.low < auc.value < auc.high
