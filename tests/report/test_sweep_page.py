"""The page of a sweep: rows by plane, each beside the first row of its own plane."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from spinedet.report.sweep_page import SweepLine, write_sweep


def test_the_reference_line_of_a_row_is_of_its_own_plane(four, tmp_path: Path) -> None:
    scores, cases = four.scores(), (four.manifest, four.found)
    lines = [SweepLine("run", center, plane, scores, *cases) for plane in ("sagittal", "axial") for center in "AB"]
    page = write_sweep(tmp_path, lines, ()).read_text("utf-8")
    drawn = re.findall(r"<svg width=\"240\".*?</svg>", page, re.DOTALL)
    dashed = [float(re.search(r'd="M([\d.]+) 0V21" stroke="#0072b2"', one)[1]) for one in drawn]  # type: ignore[index]
    # F1 of all centres at 0.5: sagittal 4 hits, 2 false positives, 1 miss; axial 2 hits, 1 miss.
    sagittal, axial = 10 + 220 * (8 / 11), 10 + 220 * (4 / 5)
    assert dashed == pytest.approx([sagittal, sagittal, axial, axial])


def test_statements_name_their_runs_where_runs_differ(four, tmp_path: Path) -> None:
    scores, cases = four.scores(), (four.manifest, four.found)
    noted = scores.model_copy(update={"notes": ("common", "special")})
    lines = [
        SweepLine("first", "all", "sagittal", noted, *cases),
        SweepLine("second", "all", "sagittal", scores.model_copy(update={"notes": ("common",)}), *cases),
    ]
    page = write_sweep(tmp_path, lines, [("run=x", "is no run folder")]).read_text("utf-8")
    banner = re.findall("<p>(.*?)</p>", page.split('class="banner"')[1].split("</div>")[0])
    assert banner == ["Broken job: run=x: is no run folder", "common", "first: special"]
