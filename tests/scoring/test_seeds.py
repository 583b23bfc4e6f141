"""Statistics over several trainings: means, and intervals that vary patients and trainings."""

from __future__ import annotations

import numpy as np
import pytest

from spinedet.scoring import BootstrapSettings
from spinedet.scoring.statistics.estimates import Statistics
from spinedet.scoring.statistics.seeds import over_seeds

SETTINGS = BootstrapSettings(samples=4000, seed=3)


def trained(value: float, spread: float, seed: int) -> Statistics:
    """A training whose replicates spread around its value."""
    replicates = value + spread * np.random.default_rng(seed).standard_normal(SETTINGS.samples)
    return Statistics({"f1": value}, {"f1": replicates}, {}, SETTINGS, "percentile", 60)


def test_one_training_varies_patients_alone() -> None:
    one = trained(0.8, 0.02, 0)
    pooled = over_seeds([one], ["f1"])
    assert pooled.values == one.values
    assert np.array_equal(pooled.replicates["f1"], one.replicates["f1"])


def test_trainings_that_differ_widen_the_interval_by_their_variance() -> None:
    values = (0.7, 0.8, 0.9)
    # The same patients in every training: their part of the variance does not shrink with more trainings.
    pooled = over_seeds([trained(value, 0.02, seed=0) for value in values], ["f1"])
    estimate = pooled.estimate("f1")
    assert estimate.value == pytest.approx(0.8)
    expected = 0.02**2 + np.var(values) / 3
    assert pooled.replicates["f1"].var() == pytest.approx(expected, rel=0.1)
    assert estimate.low is not None
    assert estimate.high is not None
    assert estimate.low < 0.74
    assert estimate.high > 0.86


def test_alike_trainings_leave_the_interval_as_it_is() -> None:
    one = trained(0.8, 0.02, 0)
    pooled = over_seeds([one, one, one], ["f1"])
    assert pooled.replicates["f1"] == pytest.approx(one.replicates["f1"])


def test_the_same_replicates_are_drawn_again() -> None:
    trainings = [trained(value, 0.01, seed) for seed, value in enumerate((0.5, 0.6))]
    first, second = (over_seeds(trainings, ["f1"]).replicates["f1"] for _ in range(2))
    assert np.array_equal(first, second)


def test_an_undefined_training_leaves_the_mean_undefined() -> None:
    trainings = [trained(0.5, 0.01, 0), trained(float("nan"), 0.01, 1)]
    assert over_seeds(trainings, ["f1"]).estimate("f1").value is None
