from __future__ import annotations

import io
import json

import pytest
from rich.console import Console

from spinedet.cli.score_table import scores_table, show_scores
from spinedet.core.types import Findings, Manifest
from spinedet.scoring import BootstrapSettings, Scores, ScoreSettings, score

BOX = {"center": [0, 0, 0], "size": [10, 10, 10]}
FAR = {"center": [50, 0, 0], "size": [10, 10, 10]}


def study(name: str, center: str, lesions: int) -> dict:
    series = [{"id": "sag", "plane": "sagittal", "path": "/x"}, {"id": "ax", "plane": "axial", "path": "/y"}]
    lesion = {"id": "1", "series": "sag", "category": "d", "box": BOX}
    return {"id": name, "patient": name, "center": center, "series": series, "lesions": [lesion] * lesions}


def scores_of(*centers: str) -> Scores:
    """In each centre two patients: a lesion that is hit, and none with a false positive."""
    studies, findings = [], []
    for center in centers:
        studies += [study(f"{center}1", center, 1), study(f"{center}2", center, 0)]
        findings += [
            {"id": f"{center}1", "findings": [{"series": "sag", "category": "d", "score": 0.9, "box": BOX}]},
            {"id": f"{center}2", "findings": [{"series": "sag", "category": "d", "score": 0.8, "box": FAR}]},
        ]
    cohort = {"name": "x", "region": "lumbar", "categories": ["d"], "studies": studies}
    manifest = Manifest.model_validate_json(json.dumps(cohort))
    found = Findings.model_validate_json(json.dumps({"model": {}, "studies": findings}))
    return score(manifest, found, ScoreSettings(threshold=0.5, bootstrap=BootstrapSettings(samples=50)))


def printed(scores: Scores, width: int = 100) -> str:
    console = Console(width=width, record=True, file=io.StringIO(), markup=False)
    console.print(scores_table(scores))
    return console.export_text()


def test_planes_stand_above_their_centres() -> None:
    lines = [line.split()[:6] for line in printed(scores_of("A", "B")).splitlines()]
    rows = [words for words in lines if len(words) == 6 and words[1].isdigit()]
    assert rows == [
        ["sagittal", "4", "2", "2", "2", "0"],
        ["A", "2", "1", "1", "1", "0"],
        ["B", "2", "1", "1", "1", "0"],
        ["axial", "4", "0", "0", "0", "0"],
        ["A", "2", "0", "0", "0", "0"],
        ["B", "2", "0", "0", "0", "0"],
    ]


def test_criterion_threshold_intervals_and_reasons_stand_beneath() -> None:
    text = " ".join(printed(scores_of("A")).split())
    assert "hit: 3D IoU ≥ 0.1 with a free lesion, highest score first" in text
    assert "thresholds: sagittal 0.5; axial 0.5" in text
    assert "95% intervals from 50 resamples of patients" in text
    assert "– no lesion" in text
    assert "– no finding at or above the threshold" in text


def test_the_interval_stands_under_f1() -> None:
    scores = scores_of("A", "B")
    f1 = scores.group(plane="sagittal").f1
    lines = printed(scores).splitlines()
    row = next(number for number, line in enumerate(lines) if line.startswith("sagittal"))
    assert "0.667" in lines[row]  # 2 hits, 2 false positives, 2 lesions
    assert f"{f1.low:.3f}–{f1.high:.3f}" in lines[row + 1]


@pytest.mark.parametrize("width", [80, 100])
def test_it_fits(width: int) -> None:
    text = printed(scores_of("A", "a hospital with a very long name indeed"), width)
    assert max(map(len, text.splitlines())) <= width
    assert "…" not in text


def test_names_are_no_markup() -> None:
    assert "[bold]B" in printed(scores_of("[bold]B"))


def test_it_is_printed_whole_to_standard_output(capsys: pytest.CaptureFixture[str]) -> None:
    show_scores(scores_of("A", "B"))
    out = capsys.readouterr().out
    assert max(map(len, out.splitlines())) <= 100
    assert "…" not in out
    assert "sagittal" in out
