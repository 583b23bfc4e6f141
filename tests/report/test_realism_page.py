"""The realism page: verdicts by hand, and a page of a few small exhibits."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from spinedet.core.anatomy import Plane
from spinedet.core.geometry import Grid
from spinedet.imaging.volume import Volume
from spinedet.report.realism_page import Exhibit, compare, write_realism
from spinedet.simulation.gradings import Marginal
from spinedet.simulation.realism import ScanMeasures


def exhibit(group: str, ratio: float, *, real: bool, plane: Plane = Plane.SAGITTAL) -> Exhibit:
    steps = {Plane.SAGITTAL: (4.0, 1.0, 1.0), Plane.AXIAL: (1.0, 1.0, 4.0)}[plane]
    shape = {Plane.SAGITTAL: (6, 40, 40), Plane.AXIAL: (40, 40, 6)}[plane]
    array = np.random.default_rng(0).random(shape, dtype=np.float32)
    volume = Volume(array, Grid(shape, np.diag([*steps, 1.0])))
    look = ScanMeasures({"marrow/csf": ratio}, 0.02, 0.4, (0.5, 0.5))
    return Exhibit(group, f"{group} 1", plane, volume, (12.0, 20.0, 20.0), look, real)


def test_a_median_is_judged_by_the_range_of_all_real_scans() -> None:
    shown = [exhibit("scan", 0.3, real=True), exhibit("scan", 0.5, real=True)]
    shown += [exhibit(name, ratio, real=False) for name, ratio in (("in", 0.4), ("low", 0.2), ("high", 0.6))]
    ranked = {line.group: line.verdict for line in compare(shown) if line.measure == "marrow/csf"}
    assert ranked == {"in": "inside", "low": "below the real scans", "high": "above the real scans"}


def test_without_real_scans_nothing_is_judged() -> None:
    lines = list(compare([exhibit("A", 0.4, real=False)]))
    assert {line.measure for line in lines} == {"marrow/csf", "noise", "sharpness"}
    assert {line.verdict for line in lines} == {"no real scan to compare with"}


@pytest.mark.parametrize("with_real", [True, False])
def test_the_page_shows_pictures_numbers_and_what_is_missing(tmp_path: Path, with_real: bool) -> None:
    shown = [exhibit("A", 0.4, real=False), exhibit("A", 0.4, real=False, plane=Plane.AXIAL)]
    if with_real:
        shown.append(exhibit("scan", 0.3, real=True))
    marginals = (Marginal("bulging", "L4/L5", 0.5, 0.4, 0.6, 0.7),)
    text = write_realism(tmp_path, "lumbar", shown, marginals).read_text("utf-8")
    assert ("No real scans were at hand" in text) is not with_real
    assert "0 of 1 shares lie inside" in text
    assert "outside" in text
    for name in ("sagittal", "axial", "histograms"):
        assert (tmp_path / f"realism-lumbar-{name}.png").read_bytes().startswith(b"\x89PNG")
        assert f"realism-lumbar-{name}.png" in text
