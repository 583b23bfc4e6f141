"""Weighted counts are exact, in whatever type they are summed."""

from __future__ import annotations

import numpy as np
import pytest

from spinedet.scoring.metrics.sparse_sums import count_table, draws_of

ROWS, PATIENTS = 5, 4


@pytest.mark.parametrize("draws", [1, 15, 16, 300], ids=["once", "16 bits", "beyond", "far beyond"])
@pytest.mark.parametrize("heavy", [0, 4369, 4370, 70_000], ids=["light", "fits", "does not fit", "heavy"])
def test_sums_are_those_of_a_dense_product(draws: int, heavy: int) -> None:
    rng = np.random.default_rng(draws + heavy)
    rows, patients = rng.integers(0, ROWS, 60), rng.integers(0, PATIENTS, 60)
    rows, patients = np.append(rows[rows != 2], np.full(heavy, 2)), np.append(patients[rows != 2], np.full(heavy, 1))
    dense = np.zeros((ROWS, PATIENTS))
    np.add.at(dense, (rows, patients), 1)
    weights = rng.integers(0, draws + 1, (PATIENTS, 3)).astype(float)
    weights[0, 0] = weights[1, 2] = draws
    table = count_table(rows, patients, (ROWS, PATIENTS))
    np.testing.assert_array_equal(table.weigh(draws_of(weights)), dense @ weights)
    np.testing.assert_array_equal(table.cumulate(draws_of(weights)), np.cumsum(dense @ weights, axis=0))
    assert len(table) == ROWS


def test_sums_beyond_32_bits() -> None:
    table = count_table(np.zeros(3, np.int64), np.zeros(3, np.int64), (2, 1))
    assert table.cumulate(draws_of(np.full((1, 1), 1e9))).tolist() == [[3 * 10**9], [3 * 10**9]]


def test_no_row() -> None:
    table = count_table(np.empty(0, np.int64), np.empty(0, np.int64), (0, 2))
    assert table.weigh(draws_of(np.ones((2, 3)))).shape == table.cumulate(draws_of(np.ones((2, 3)))).shape == (0, 3)
