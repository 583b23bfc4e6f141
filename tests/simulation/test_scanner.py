"""Sampling, noise and artefacts, each on a picture whose answer is known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from spinedet.core.geometry import Grid
from spinedet.simulation.painting.tissue import Sequence
from spinedet.simulation.scanner.acquisition import Coil, Scan, _evened, _power, _sampled, _shifted, _taper
from spinedet.simulation.scanner.artefacts import Artefacts, folded, ghosted, shot_phases

GRID = Grid((64, 64, 3), np.diag([0.5, 0.5, 4.0, 1.0]))
SCAN = Scan(
    vendor="x",
    sequence=Sequence(1.5, 3500, 100),
    tint=(),
    thickness=3.6,
    resolution=(0.5, 0.5),
    noise=0.0,
    coil=Coil(100.0, 0.5, 1.0, 50.0, 0.0, (0.0, 0.0, 0.0)),
    marks=Artefacts(phase_axis=1),
    fat_shift=0.0,
    white=1000.0,
)


def square() -> np.ndarray:
    picture = np.zeros((64, 64), np.float32)
    picture[24:40, 20:44] = 1
    return picture


def rng() -> np.random.Generator:
    return np.random.default_rng(0)


def test_sampling_keeps_the_brightness_and_the_place() -> None:
    image = _sampled(square(), GRID, SCAN, 0.0, rng())
    assert image.dtype == np.float32
    assert image[28:36, 26:38] == pytest.approx(np.ones((8, 12)), abs=0.05)
    rows, columns = (np.average(np.arange(64), weights=image.sum(axis=axis)) for axis in (1, 0))
    assert (rows, columns) == pytest.approx((31.5, 31.5), abs=0.1)


def test_coarser_sampling_rings_and_blurs() -> None:
    fine = _sampled(square(), GRID, SCAN, 0.0, rng())
    coarse = _sampled(square(), GRID, replace(SCAN, resolution=(1.0, 1.0)), 0.0, rng())
    assert np.abs(np.diff(coarse, axis=0)).max() < 0.7 * np.abs(np.diff(fine, axis=0)).max()
    assert coarse.max() > 1.03


def test_noise_is_rician() -> None:
    image = _sampled(np.zeros((64, 64), np.float32), GRID, SCAN, 0.1, rng())
    # Without signal the magnitude of two Gaussian channels has mean sigma sqrt(pi / 2); the taper takes a bit.
    kept = np.sqrt(np.mean((_taper(64, 0.0)[:, None] * _taper(64, 0.0)[None]) ** 2))
    assert image.mean() == pytest.approx(0.1 * kept * np.sqrt(np.pi / 2), rel=0.03)


def test_noise_does_not_depend_on_interpolation() -> None:
    flat = np.ones((64, 64), np.float32)
    levels = [_sampled(flat, GRID, replace(SCAN, resolution=(r, r)), 0.05, rng()).std() for r in (0.5, 1.0)]
    assert levels[1] == pytest.approx(levels[0] / 1.0, rel=0.35)


def test_fat_moves_by_a_fraction_of_a_pixel() -> None:
    fat = np.zeros((8, 8), np.float32)
    fat[3] = 1
    moved = _shifted(fat, 1.25, axis=0)
    assert moved[:, 0] == pytest.approx([0, 0, 0, 0, 0.75, 0.25, 0, 0])
    assert _shifted(fat, -2.0, axis=0)[1, 0] == 1


def test_folding_keeps_all_signal() -> None:
    picture = np.arange(10, dtype=np.float32)[:, None].repeat(3, axis=1)
    inner = folded(picture, 2, axis=0)
    # Rows 2..7 stay; rows 0, 1 land on the last two, rows 8, 9 on the first two.
    assert inner[:, 0].tolist() == [2 + 8, 3 + 9, 4, 5, 6 + 0, 7 + 1]
    assert folded(picture, 0, axis=0) is picture


def test_ghosts_of_what_moves() -> None:
    picture = np.zeros((1, 10), np.float32)
    picture[0, 5] = 1
    marks = Artefacts(phase_axis=1, ghost_step=0.2)
    ghost = ghosted(picture, np.ones_like(picture), 0.1, marks)
    assert ghost[0].tolist() == pytest.approx([0, 0, 0, 0.1, 0, 0.95, 0, 0.1, 0, 0])
    assert ghosted(picture, np.zeros_like(picture), 0.1, marks) == pytest.approx(picture)


def test_a_patient_at_rest_has_no_phases() -> None:
    assert shot_phases(32, 0.5, 0.0, rng()) == pytest.approx(np.ones(32))
    assert np.abs(shot_phases(32, 0.5, 1.0, rng())) == pytest.approx(np.ones(32), abs=1e-6)


@pytest.mark.parametrize("exponent", [0.75, 0.9, 1.2, 1.3])
def test_powers_from_square_roots(exponent: float) -> None:
    x = np.linspace(0.1, 1.0, 10)
    assert _power(x, exponent) == pytest.approx(x**exponent, abs=0.035)


def test_levelling_takes_out_the_coil() -> None:
    gain = np.array([[0.2, 1.0, 1.3]])
    assert gain * _evened(gain, 1.0) == pytest.approx(np.ones((1, 3)))
    assert _evened(gain, 0.0) == pytest.approx(np.ones((1, 3)))
