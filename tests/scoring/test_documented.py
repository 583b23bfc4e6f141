"""docs/scoring.md: the worked example is what the program says, and its Python runs."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from spinedet.scoring import BootstrapSettings, ScoreSettings, score

PAGE = (Path(__file__).parents[2] / "docs/scoring.md").read_text(encoding="utf-8")
Draw = Callable[..., Any]


def test_the_worked_example(draw: Draw) -> None:
    ignored = {"box": {"center": [0, 0, 0], "size": [10, 10, 10]}, "ignore": True}
    drawn = draw().study([0.0, 40.0], [(1.0, 0.9), (3.0, 0.8), (80.0, 0.7)], patient="P1")
    drawn.study([0.0], [(2.0, 0.7)], patient="P1").study([ignored], [(1.0, 0.95)], patient="P2")
    drawn.study([], [(0.0, 0.4)], patient="P3")
    group = score(drawn.manifest, drawn.found, ScoreSettings(threshold=0.75, bootstrap=BootstrapSettings(0))).group()
    worked = PAGE[PAGE.index("## A worked example") : PAGE.index("## The frozen operating point")]
    said = re.findall(r"\*\*(\d\.\d{3})\*\*", worked)
    numbers = (
        group.cpm,
        group.ap,
        group.ap_step,
        group.f1_max,
        group.precision,
        group.recall,
        group.f1,
        group.fp_per_scan,
        group.fp_per_lesion_free_scan,
    )
    assert said == [f"{number.value:.3f}" for number in numbers]
    assert (group.tp, group.fp, group.fn, group.duplicates) == (1, 1, 2, 1)
    assert [point.sensitivity.value for point in group.froc] == pytest.approx([1 / 3] * 2 + [2 / 3] * 5)
    level = group.patient
    assert (level.diseased, level.healthy, level.sensitivity.value, level.specificity.value, level.auc.value) == (
        1,
        1,
        1,
        1,
        1,
    )


def test_the_python_runs(draw: Draw, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    draw().study([0.0], [(1.0, 0.9)]).study([], []).write(tmp_path)
    monkeypatch.chdir(tmp_path)
    (code,) = [block for block in re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL) if "ScoreSettings" in block]
    exec(compile(code, "docs/scoring.md", "exec"), {})  # noqa: S102  # the page's own words


def test_every_file_and_picture_that_the_page_names_is_there() -> None:
    for link in re.findall(r"\]\(((?:figures/|formats)[^)#]*)", PAGE):
        assert (Path(__file__).parents[2] / "docs" / link).is_file(), link
