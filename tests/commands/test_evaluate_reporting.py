"""A registered test on degraded scans, with the weights that ship."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from spinedet.checklists.automatic import automatic
from spinedet.checklists.evidence import read_evidence
from spinedet.imaging.settings import DEGRADATIONS
from spinedet.scoring import read_scores

from .conftest import Run

PLAN = """format: spinedet-plan
version: 1
criterion: {name: iou, iou: 0.1}
threshold_rule: plateau_f1
centers: [B, C]
primary: {measure: f1, plane: sagittal}
"""


@pytest.fixture
def phantoms(run: Run, tmp_path: Path) -> Path:
    assert run("phantom", "center=B", "studies=2", "seed=5", "workers=1", f"out={tmp_path / 'phantoms'}") == 0
    return tmp_path / "phantoms/manifest.json"


def test_a_registered_test_on_degraded_scans(run: Run, tmp_path: Path, phantoms: Path) -> None:
    (tmp_path / "plan.yaml").write_text(PLAN)
    out = tmp_path / "out"
    words = (f"data.manifests=[{phantoms}]", "plane=sagittal", f"plan={tmp_path / 'plan.yaml'}", "workers=1")
    degraded = ("test.robustness=[noise,missing_slices]", "test.bootstrap.samples=20", "test.cases=0")
    assert run("evaluate", "run=shipped", *words, *degraded, f"out={out}") == 0
    scores = read_scores(out / "scores.json")
    assert [(one.plane, one.degradation) for one in scores.robustness] == [
        ("sagittal", "noise"),
        ("sagittal", "missing_slices"),
    ]
    for curve in scores.robustness:
        assert [point.strength for point in curve.points] == [0.0, *DEGRADATIONS[curve.degradation].strengths]
        assert curve.points[0].f1 == scores.group(plane="sagittal").f1
    # Noise of a fifth of the bright signal costs something, or at least changes the scores.
    assert scores.robustness[0].points[-1].ap != scores.robustness[0].points[0].ap
    result = json.loads((out / "plan_result.json").read_text())
    assert result["departures"] == ["centres planned and not tested: C"]
    page = (out / "report.html").read_text()
    for words_of_page in ("On degraded images", "1 departure", "Who was tested", "simulated", "Weights, SHA-256"):
        assert words_of_page in page
    told = automatic(read_evidence(str(out)))
    assert "noise (sagittal): F1" in told["robustness"].text
    assert "simulated" in told["robustness"].text


def test_an_unknown_degradation_is_refused(run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ("run=shipped", "data.manifests=[x.json]", "test.robustness=[rain]", f"out={tmp_path / 'out'}")
    assert run("evaluate", *words) == 2
    assert "test.robustness=rain: use some of noise" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("strengths", "message"),
    [
        ("{blur: [1]}", "blur is not among test.robustness=['noise']"),
        ("{noise: [0]}", "noise needs numbers above 0"),
        ("{noise: []}", "noise needs numbers above 0"),
        ("{noise: big}", "noise needs numbers above 0"),
        ("3", "write {noise: [0.4, 0.8]}"),
    ],
)
def test_strengths_that_mean_nothing_are_refused(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str], strengths: str, message: str
) -> None:
    words = ("run=shipped", "data.manifests=[x.json]", "test.robustness=[noise]", f"test.strengths={strengths}")
    assert run("evaluate", *words, f"out={tmp_path / 'out'}") == 2
    assert message in " ".join(capsys.readouterr().err.split())
