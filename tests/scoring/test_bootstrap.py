"""Replicates and their limits."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from spinedet.core.errors import InputError
from spinedet.scoring.statistics.bootstrap import (
    BootstrapSettings,
    bca_limits,
    draw,
    leave_one_out,
    percentile_limits,
    replicate,
)


def test_each_centre_keeps_its_number_of_patients() -> None:
    weights = draw(np.array([0, 1, 0, 1, 1]), ("A", "B"), BootstrapSettings(samples=50))
    assert weights.shape == (5, 50)
    assert (weights[[0, 2]].sum(axis=0) == 2).all()
    assert (weights[[1, 3, 4]].sum(axis=0) == 3).all()
    assert len(np.unique(weights, axis=1)[0]) > 5


def test_a_centre_is_resampled_alike_whoever_else_is_there() -> None:
    settings = BootstrapSettings(samples=20, seed=3)
    both = draw(np.array([0, 0, 0, 1, 1]), ("A", "B"), settings)
    assert (draw(np.array([0, 0]), ("B",), settings) == both[3:]).all()
    assert (draw(np.array([0, 0]), ("B",), BootstrapSettings(samples=20, seed=4)) != both[3:]).any()


def test_replicates_do_not_depend_on_the_batch() -> None:
    weights = draw(np.zeros(6, dtype=int), ("A",), BootstrapSettings(samples=33))
    value = np.arange(6.0)

    def measure(w: np.ndarray) -> dict[str, np.ndarray]:
        return {"sum": value @ w}

    whole = replicate(measure, weights, 100)["sum"]
    assert (replicate(measure, weights, 4)["sum"] == whole).all()
    assert (whole == value @ weights).all()


def test_the_jackknife_leaves_out_each_patient_once() -> None:
    assert leave_one_out(3).tolist() == [[0, 1, 1], [1, 0, 1], [1, 1, 0]]


def test_percentile_limits() -> None:
    assert percentile_limits(np.arange(101.0), 0.9) == pytest.approx((5.0, 95.0))


def test_bca_limits_agree_with_scipy() -> None:
    data = np.random.default_rng(1).exponential(size=23)
    theirs = stats.bootstrap((data,), np.mean, n_resamples=999, method="BCa", rng=np.random.default_rng(2))
    left_out = np.array([np.delete(data, row).mean() for row in range(len(data))])
    low, high = bca_limits(data.mean(), theirs.bootstrap_distribution, left_out, 0.95)
    assert (low, high) == pytest.approx(tuple(theirs.confidence_interval), abs=1e-9)


def test_bca_limits_of_a_constant_are_that_constant() -> None:
    assert bca_limits(1.0, np.ones(100), np.ones(5), 0.95) == (1.0, 1.0)


@pytest.mark.parametrize(
    "wrong",
    [{"method": "basic"}, {"samples": 1}, {"samples": -1}, {"confidence": 1.0}, {"confidence": 0.0}, {"seed": -1}],
)
def test_refused_settings(wrong: dict[str, object]) -> None:
    with pytest.raises(InputError, match=f"bootstrap.{next(iter(wrong))}="):
        BootstrapSettings(**wrong)  # type: ignore[arg-type]


def test_few_patients_get_bca() -> None:
    assert [BootstrapSettings().method_for(n) for n in (49, 50)] == ["bca", "percentile"]
    assert BootstrapSettings(method="percentile").method_for(3) == "percentile"
