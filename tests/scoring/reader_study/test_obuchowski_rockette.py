"""Against numbers that RJafroc gave on two simulated studies, as published with Google Health's reader-study tests.

The simulations are those of Roe & Metz (1997, doi:10.1016/S1076-6332(97)80032-3), drawn in the order of that code.
"""

from __future__ import annotations

import math

import numpy as np
import pytest

from spinedet.scoring.reader_study.figures_of_merit import RatedEntries
from spinedet.scoring.reader_study.obuchowski_rockette import (
    Inference,
    condition_difference,
    fixed_readers,
    jackknife_covariance,
    reader_mean,
)
from spinedet.scoring.statistics.bootstrap import leave_one_out

Floats = np.ndarray


def areas(disease: Floats, readings: list[Floats]) -> tuple[Floats, Floats]:
    """AUC of each reading (R,), and with each case left out (R, P)."""
    cases = np.arange(len(disease))
    figures = [RatedEntries(one, disease == 1, np.ones(len(one)), cases, len(one)) for one in readings]
    weights = leave_one_out(len(disease)).astype(float)
    whole = np.ones((len(disease), 1))
    return np.array([f.value(whole)[0] for f in figures]), np.array([f.value(weights) for f in figures])


def program_and_readers() -> tuple[Floats, list[Floats]]:
    rng = np.random.RandomState(1987)  # the published numbers belong to this generator
    disease = np.repeat([1, 0], [200, 800])
    case = rng.randn(1000)
    readers = []
    for _ in range(10):
        free, ill = 0.075 * rng.randn(2)
        error = math.sqrt(1 - 0.6**2) * rng.randn(1000)
        readers.append(disease * (1.0 + ill) + (1 - disease) * free + 0.6 * case + error)
    return disease, [disease * 1.0 + case, *readers]


def two_conditions() -> tuple[Floats, list[list[Floats]]]:
    rng = np.random.RandomState(1987)  # as above
    disease = np.repeat([0, 1], 200)
    case = math.sqrt(0.3) * rng.randn(400)
    condition = [math.sqrt(0.3) * rng.randn(400) for _ in range(2)]
    scores: list[list[Floats]] = [[], []]
    for _ in range(10):
        ill, free = math.sqrt(0.0082) * rng.randn(2)
        own = math.sqrt(0.2) * rng.randn(400)
        for row in range(2):
            also_ill, also_free = math.sqrt(0.0082) * rng.randn(2)
            error = math.sqrt(0.2) * rng.randn(400)
            mean = disease * (0.821 + ill + also_ill) + (1 - disease) * (free + also_free)
            scores[row].append((mean + case + own + condition[row] + error).astype(np.float32))
    return disease, scores


def test_a_program_against_ten_readers() -> None:
    values, left_out = areas(*program_and_readers())
    apart, apart_left_out = values[0] - values[1:], left_out[0] - left_out[1:]
    found = reader_mean(apart, jackknife_covariance(apart_left_out), 0.95)
    assert found.estimate == pytest.approx(-0.00584125, abs=5e-9)
    assert (found.low, found.high) == pytest.approx((-0.03233184, 0.02064934), abs=1e-8)
    assert found.p == pytest.approx(0.6560453, abs=5e-8)
    assert found.df == pytest.approx(31.00905, abs=5e-6)


def test_ten_readers_under_two_conditions() -> None:
    disease, (first, second) = two_conditions()
    values, left_out = areas(disease, [*first, *second])
    found = condition_difference(values.reshape(2, 10), jackknife_covariance(left_out), 0.95)
    assert found.estimate == pytest.approx(0.00451, abs=1e-6)
    assert (found.low, found.high) == pytest.approx((-0.04284442691, 0.05186442691), abs=1e-8)
    assert found.p == pytest.approx(0.8502715, abs=5e-8)
    assert found.df == pytest.approx(85.5241922, abs=1e-4)


def test_a_program_is_a_condition_that_all_readers_share() -> None:
    values, left_out = areas(*program_and_readers())
    tiled, tiled_left_out = (np.concatenate([one[1:], np.repeat(one[:1], 10, axis=0)]) for one in (values, left_out))
    found = condition_difference(tiled.reshape(2, 10), jackknife_covariance(tiled_left_out), 0.95)
    assert (found.estimate, found.df, found.p) == pytest.approx((-0.00584125, 31.00905, 0.6560453), rel=1e-6)


def test_by_hand() -> None:
    # Values .6, .7, .8: variance .01. No covariance: standard error .1/sqrt(3), 2 degrees of freedom, t(.975) = 4.3027.
    found = reader_mean(np.array([0.6, 0.7, 0.8]), np.diag([0.004, 0.004, 0.004]), 0.95)
    assert (found.estimate, found.error, found.df) == pytest.approx((0.7, 0.1 / math.sqrt(3), 2))
    assert found.high - found.estimate == pytest.approx(4.302653 * 0.1 / math.sqrt(3), rel=1e-6)
    # With a covariance of .02/3 between readers: (.01 + .02)^2 / (.01^2 / 2) = 18 degrees of freedom.
    found = reader_mean(np.array([0.6, 0.7, 0.8]), np.full((3, 3), 0.02 / 3), 0.95)
    assert (found.error, found.df) == pytest.approx((0.1, 18))
    # A negative covariance is taken as none.
    assert reader_mean(np.array([0.6, 0.8]), np.full((2, 2), -0.5), 0.95).error == pytest.approx(0.1)


def test_fixed_readers_are_the_variance_of_the_weighted_sum() -> None:
    found = fixed_readers(np.array([0.5, 0.9]), np.array([[0.04, 0.01], [0.01, 0.09]]), np.array([-1.0, 1.0]), 0.95)
    assert found.estimate == pytest.approx(0.4)
    assert found.error == pytest.approx(math.sqrt(0.04 + 0.09 - 0.02))
    assert found.high - found.low == pytest.approx(2 * 1.959964 * found.error, rel=1e-6)


def test_no_variation_is_no_failure() -> None:
    same = reader_mean(np.array([0.7, 0.7]), np.zeros((2, 2)), 0.95)
    assert same == Inference(0.7, 0.0, math.inf, 0.7, 0.7, 0.0)
    assert condition_difference(np.full((2, 2), 0.7), np.zeros((4, 4)), 0.95).p == 1.0


def test_the_jackknife_of_a_mean_is_its_variance() -> None:
    values = np.array([1.0, 2.0, 4.0, 9.0])
    left_out = (values.sum() - values) / 3
    assert jackknife_covariance(left_out[None])[0, 0] == pytest.approx(values.var(ddof=1) / 4)
