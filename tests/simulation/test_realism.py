"""Measuring looks on a picture whose ratios are known."""

from __future__ import annotations

import numpy as np
import pytest

from spinedet.core.geometry import Grid
from spinedet.simulation.centers import CENTERS
from spinedet.simulation.realism import measure_scan, probes_of, real_probes
from spinedet.simulation.scanner.protocol import Sampling
from spinedet.simulation.study import draw_study

GRID = Grid((100, 100, 5), np.diag([1.0, 1.0, 4.0, 1.0]))
PROBES = {"csf": [(20.0, 20.0, 8.0)], "marrow": [(60.0, 60.0, 8.0)], "fat": [(500.0, 0.0, 0.0)]}


def two_tissues(noise: float = 0.0) -> np.ndarray:
    image = np.full((100, 100, 5), 300.0) + noise * np.random.default_rng(0).standard_normal((100, 100, 5))
    image[:40] += 700
    return image


def test_ratios_and_a_probe_outside() -> None:
    look = measure_scan(two_tissues(), GRID, PROBES)
    assert look.ratios == {"marrow/csf": 0.3}
    assert look.noise == 0
    # Only the edge between both tissues has a slope: 0.7 of CSF in 1 mm.
    assert look.histogram[3] + look.histogram[2] > 0.3
    assert sum(look.histogram) == pytest.approx(1, abs=0.01)


def test_noise_is_relative_to_csf() -> None:
    grid, image = GRID, two_tissues(noise=50.0)
    places = [(x, y, 8.0) for x in range(50, 90, 8) for y in range(10, 90, 8)]
    look = measure_scan(image, grid, {"csf": [(20.0, 20.0, 8.0)], "marrow": places})
    assert look.noise == pytest.approx(0.05, rel=0.2)


def test_a_scan_without_fluid_is_refused() -> None:
    with pytest.raises(ValueError, match="CSF"):
        measure_scan(two_tissues(), GRID, {**PROBES, "csf": [(900.0, 0.0, 0.0)]})


def test_the_real_places_are_of_known_tissues() -> None:
    names = {name for places in real_probes().values() for name in places}
    assert names == {"csf", "marrow", "nucleus", "annulus", "worn", "fat", "muscle", "cord"}
    assert all("csf" in places for places in real_probes().values())


def test_fluid_outshines_marrow_and_muscle_in_phantoms() -> None:
    study = draw_study(CENTERS["A"], 1, sampling=Sampling(2.0, 1.4))
    look = measure_scan(study.images[0].astype(float), study.stacks[0].grid, probes_of(study.scene))
    assert look.ratios["muscle/csf"] < look.ratios["marrow/csf"] < 0.9
