"""Checklists of a sweep: how many runs were tried, and how the best of them was chosen."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from spinedet.checklists.automatic import automatic
from spinedet.checklists.evidence import read_evidence
from spinedet.core.errors import InputError

from .conftest import write_result


def job(sweep: Path, number: int, tuning_ap: dict[str, float], lr: str) -> Path:
    folder = write_result(sweep / f"job-{number}")
    record = json.loads((folder / "run.json").read_text())
    (folder / "run.json").write_text(json.dumps({**record, "sweep_job": number, "tuning_ap": tuning_ap}))
    (folder / "config.yaml").write_text(f"out: {folder}\nrecipe: {{lr: {lr}, batch: 2}}\nseed: 4\n")
    return folder


@pytest.fixture
def sweep(tmp_path: Path) -> Path:
    """Three finished runs, of which the second is best on the tuning split, and one that broke."""
    root = tmp_path / "sweep"
    for number, (ap, lr) in enumerate(((0.70, "0.001"), (0.8123, "0.002"), (0.61, "0.004"))):
        job(root, number, {"sagittal": ap}, lr)
    (root / "job-3").mkdir()
    (root / "job-3/config.yaml").write_text("recipe: {lr: 0.1}\n")
    return root


def test_the_best_run_on_the_tuning_split_stands_for_a_sweep(sweep: Path) -> None:
    evidence = read_evidence(str(sweep))
    assert evidence.root.name == "job-1"
    told = automatic(evidence)["choice"].text
    assert "one of a sweep of 3 finished trainings (1 more did not finish), which differ in recipe.lr." in told
    assert "job-0 sagittal 0.700; job-1 sagittal 0.812; job-2 sagittal 0.610" in told
    assert "No other has a higher mean over planes; the test split took no part" in told
    assert str(sweep.parent) not in told


def test_another_run_of_it_is_asked_for_its_reason(sweep: Path) -> None:
    told = automatic(read_evidence(str(sweep / "job-2")))["choice"].text
    assert "job-1 has the highest mean over planes: why another was taken has to be added" in told


def test_many_runs_are_counted_and_the_best_is_named(sweep: Path) -> None:
    for number in range(4, 9):
        job(sweep, number, {"sagittal": 0.5}, "0.001")
    told = automatic(read_evidence(str(sweep)))["choice"].text
    assert "8 finished trainings" in told
    assert "job-1 sagittal 0.812, the highest" in told
    assert "job-0" not in told


def test_planes_are_averaged(sweep: Path) -> None:
    job(sweep, 0, {"sagittal": 0.9, "axial": 0.8}, "0.001")
    assert read_evidence(str(sweep)).root.name == "job-0"
    job(sweep, 0, {"sagittal": 0.9, "axial": 0.6}, "0.001")
    assert read_evidence(str(sweep)).root.name == "job-1"


def test_without_a_measure_nothing_is_best(sweep: Path) -> None:
    job(sweep, 2, {}, "0.004")
    with pytest.raises(InputError, match="pass the run that was chosen"):
        read_evidence(str(sweep))
    told = automatic(read_evidence(str(sweep / "job-1")))["choice"].text
    assert "How one was chosen among them has to be added" in told


def test_detectors_that_were_tested_side_by_side(tmp_path: Path) -> None:
    root = tmp_path / "tests"
    for number in range(2):
        folder = write_result(root / f"job-{number}")
        record = json.loads((folder / "run.json").read_text())
        del record["splits"]
        (folder / "run.json").write_text(json.dumps({**record, "command": "evaluate"}))
    results = [{"run": name, "center": "B", "plane": "sagittal"} for name in ("first", "second", "first")]
    (root / "sweep.json").write_text(json.dumps({"jobs": [], "results": results}))
    told = automatic(read_evidence(str(root / "job-0")))
    assert "2 finished detectors were tested in one sweep (first and second)" in told["choice"].text
    assert "would use the test data" in told["choice"].text
    (root / "sweep.json").write_text(json.dumps({"jobs": [], "results": results[:1]}))
    assert "choice" not in automatic(read_evidence(str(root / "job-0")))
