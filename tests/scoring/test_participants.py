"""Who was tested, counted by hand."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from spinedet.scoring.participants import participants


def test_counts_by_hand(draw: Callable[..., Any]) -> None:
    drawn = draw()
    drawn.study([0.0, 50.0], attributes={"sex": "F", "age": 40, "field_strength": 1.5}, patient="same")
    drawn.study([], attributes={"sex": "M", "age": 60.0, "vendor": "Maker"}, patient="same")
    drawn.study([], excluded="no T2")
    drawn.study([0.0], center="B", split=None)
    drawn.studies[3]["lesions"][0] |= {"origin": "phantom", "ignore": True}
    first, second = participants(drawn.manifest.studies)
    assert (first.split, first.center, first.simulated) == ("test", "A", False)
    assert (first.patients, first.studies, first.series, first.lesions, first.lesion_free) == (1, 2, 2, 2, 1)
    assert first.age is not None
    assert (first.age.mean, first.age.sd, first.age.low, first.age.high) == (50, 14.14, 40, 60)
    assert first.counts == {"sex": {"F": 1, "M": 1}, "vendor": {"Maker": 1}, "field_strength": {"1.5": 1}}
    assert first.missing == {"field_strength": 1, "vendor": 1}
    assert first.origins == {"manual": 2}
    assert (second.split, second.center, second.simulated, second.lesions) == ("unsplit", "B", True, 0)
    assert second.age is None
    assert second.missing == {"age": 1, "field_strength": 1, "sex": 1, "vendor": 1}


def test_grades_are_counted(draw: Callable[..., Any]) -> None:
    drawn = draw()
    drawn.study([0.0, 50.0])
    drawn.studies[0]["lesions"][0]["attributes"] = {"severity": 2}
    (only,) = participants(drawn.manifest.studies)
    assert only.severity == {"2": 1}
