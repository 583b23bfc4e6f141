"""Signals against the spin-echo equation worked out by hand."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from spinedet.simulation.painting.tissue import CSF, FAT, KINDS, MARROW, NUCLEUS, Sequence, Tissue, echo, with_t2

WATER = Tissue("x", 1.0, (1000, 2000), (100, 50))


def test_water_by_hand() -> None:
    # (1 - e^-1) e^-1
    assert echo(WATER, Sequence(1.5, 1000, 100)).water == pytest.approx(0.232544, abs=1e-6)


def test_times_are_interpolated_between_fields_and_held_beyond() -> None:
    # At 2.25 T: T1 1500, T2 75: (1 - e^-1) e^-1 again for TR 1500, TE 75.
    assert echo(WATER, Sequence(2.25, 1500, 75)).water == pytest.approx(0.232544, abs=1e-6)
    assert echo(WATER, Sequence(7.0, 1000, 50)) == echo(WATER, Sequence(3.0, 1000, 50))


def test_fat_is_apart_from_water() -> None:
    mixed = Tissue("x", 1.0, (1000, 1000), (100, 100), fat=0.25)
    signal = echo(mixed, Sequence(1.5, 1000, 150, fat_t2_ms=150))
    # 0.75 (1 - e^-1) e^-1.5 of water; 0.25 (1 - e^(-1000/300)) e^-1 of fat
    assert signal.water == pytest.approx(0.105784, abs=1e-6)
    assert signal.fat == pytest.approx(0.088689, abs=1e-6)


def test_t2_scales_at_every_field() -> None:
    assert with_t2(WATER, 0.5).t2_ms == (50, 25)


def test_fluid_outshines_fat_and_every_kind_is_listed_once() -> None:
    sequence = Sequence(1.5, 3500, 100)
    assert echo(CSF, sequence).water > echo(FAT, sequence).fat
    assert len(set(KINDS)) == len(KINDS)


@pytest.mark.parametrize("field", [1.5, 3.0])
def test_fat_suppression_leaves_water_bright(field: float) -> None:
    plain = Sequence(field, 4000, 90)
    stir, spectral = replace(plain, stir=True), replace(plain, fat_left=0.1)
    assert echo(FAT, stir).fat == pytest.approx(0, abs=1e-3)
    assert echo(FAT, spectral).fat == pytest.approx(0.1 * echo(FAT, plain).fat, abs=1e-6)
    assert echo(CSF, spectral) == echo(CSF, plain)
    # 1.5 T: fat is null at 300 ln(2 / (1 + exp(-4000 / 300))) = 207.94 ms.
    if field == 1.5:
        signal = abs(1 - 2 * math.exp(-207.944 / 4000) + math.exp(-1)) * math.exp(-90 / 1800)
        assert echo(CSF, stir).water == pytest.approx(signal, abs=1e-5)
    # Marrow is the darker for its fat; fluid is the brightest.
    assert echo(MARROW, stir).water < 0.5 * (echo(MARROW, plain).water + echo(MARROW, plain).fat)
    assert echo(CSF, stir).water > 1.5 * echo(NUCLEUS, stir).water
