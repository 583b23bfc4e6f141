"""The prevalence model against its own table."""

from __future__ import annotations

import json
from importlib import resources

import numpy as np
import pytest

from spinedet.core.anatomy import LEVELS as KNOWN
from spinedet.simulation.anatomy import cervical, lumbar
from spinedet.simulation.prevalence import FINDINGS, LEVELS, draw_findings, fitted, level_group


def test_the_file_holds_parameters_of_every_level_and_finding() -> None:
    model = fitted()
    assert len(model.cuts) == len(LEVELS)
    assert all(cuts == sorted(cuts) and len(cuts) == 4 for cuts in model.cuts)
    for number, name in enumerate(FINDINGS):
        odds = model.findings[name]
        assert (len(odds["grade"]), len(odds["level"]), len(odds["earlier"])) == (5, len(LEVELS), number)
    text = resources.files("spinedet.simulation").joinpath("prevalence.json").read_text("utf-8")
    assert "Patient" not in json.loads(text)


def test_shares_of_grades_follow_the_cuts() -> None:
    model, rng = fitted(), np.random.default_rng(0)
    grades = np.array([draw_findings(model, model.draw_age(rng), ("L4/L5",), rng)["L4/L5"].grade for _ in range(4000)])
    # Shares of grades up to k among the 218 discs L4/L5 of SPIDER's table.
    shares = [(grades <= k).mean() for k in (1, 2, 3, 4)]
    assert shares == pytest.approx([0.104, 0.220, 0.553, 0.807], abs=0.035)


def test_discs_of_a_patient_resemble_each_other() -> None:
    model = fitted()
    draws = [draw_findings(model, 58, ("L5/S1", "L4/L5"), np.random.default_rng(seed)) for seed in range(800)]
    one, two = ([found[level].grade for found in draws] for level in ("L5/S1", "L4/L5"))
    assert np.corrcoef(one, two)[0, 1] > 0.2


def test_the_old_are_worse() -> None:
    model = fitted()
    means = [
        np.mean([draw_findings(model, age, ("L3/L4",), np.random.default_rng(s))["L3/L4"].grade for s in range(300)])
        for age in (30, 80)
    ]
    assert means[1] - means[0] > 0.8


@pytest.mark.parametrize("level", [*lumbar.LEVELS, *cervical.LEVELS, "L6/S1", "L5/L6"])
def test_every_level_has_a_row(level: str) -> None:
    assert level in KNOWN
    assert 0 <= level_group(level) < len(LEVELS)
