"""A result made of hand-drawn phantoms: scores, a run's record, nothing trained."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from spinedet.core.types import Findings, Manifest
from spinedet.scoring import BootstrapSettings, ScoreSettings, score, write_scores

MakeResult = Callable[..., Path]
COMMIT = "a" * 40


def manifest_of(origin: str = "phantom", **attributes: Any) -> Manifest:
    """Twelve patients of two centres, half of them with a lesion."""
    studies = []
    for number in range(12):
        lesion = {
            "id": "1",
            "series": "sag",
            "category": "degeneration",
            "box": {"center": [0.0, 0.0, 0.0], "size": [10.0, 10.0, 10.0]},
            "origin": origin,
            "attributes": {"severity": 1 + number % 2},
        }
        known = {"sex": "F" if number % 3 else "M", "age": 31 + 4 * number, "vendor": "Maker", **attributes}
        studies.append(
            {
                "id": f"study-{number}",
                "patient": f"Secret Name {number}",
                "center": "AB"[number % 2],
                "split": "test",
                "attributes": {} if number == 5 else known,
                "series": [{"id": "sag", "plane": "sagittal", "path": f"/nowhere/{number}.nii.gz"}],
                "lesions": [lesion] if number % 4 < 2 else [],
            }
        )
    content = {"name": "drawn", "region": "lumbar", "categories": ["degeneration"], "studies": studies}
    return Manifest.model_validate_json(json.dumps(content))


def findings_of(hits: int) -> Findings:
    """Findings on the first lesions, and a false one in every third study."""
    studies = []
    for number in range(12):
        places = ([0.0] if number < hits else []) + ([60.0] if number % 3 == 0 else [])
        found = [
            {
                "series": "sag",
                "category": "degeneration",
                "score": 0.9 - number / 100 - place / 200,
                "box": {"center": [place, 0.0, 0.0], "size": [10.0, 10.0, 10.0]},
            }
            for place in places
        ]
        studies.append({"id": f"study-{number}", "findings": found})
    known = {"kind": "phantoms", "phantoms": 68, "patients": 0}
    return Findings.model_validate_json(
        json.dumps({"model": {"name": "drawn detector"}, "trained_on": known, "studies": studies})
    )


def write_result(folder: Path, hits: int = 7, origin: str = "phantom") -> Path:
    """A folder with scores.json, run.json, config.yaml and model.json."""
    (folder / "model").mkdir(parents=True, exist_ok=True)
    settings = ScoreSettings(threshold=0.5, bootstrap=BootstrapSettings(samples=40), by=("sex",))
    scores = score(manifest_of(origin), findings_of(hits), settings)
    if origin != "phantom":
        scores = scores.model_copy(update={"trained_on": None})
    write_scores(folder / "scores.json", scores)
    run = {
        "format": "spinedet-run",
        "version": 1,
        "command": "train",
        "seed": 4,
        "data": {"name": "drawn", "sha256": "b" * 64},
        "splits": {"train": ["x"] * 9, "tune": ["x"] * 3, "test": ["x"] * 12},
        "internal_centers": ["A"],
        "excluded": {"study-77": "no T2"},
        "trainings": {"sagittal": {"steps": 150, "planned": 200}},
        "tuning_ap": {"sagittal": 0.8123},
        "parameters": {"sagittal": 123456},
        "versions": {"spinedet": "0.1.0", "torch": "2.9.1"},
        "commit": COMMIT,
        "device": {"gpu": None, "machine": "x86_64"},
    }
    (folder / "run.json").write_text(json.dumps(run))
    settings = "recipe: {lr: 0.001, batch: 2}\naugment: {noise_probability: 0.6}\ndata: {mix: []}\n"
    (folder / "config.yaml").write_text(settings)
    card = {"spacing": [4.0, 1.6, 1.6], "grades": []}
    model = {"name": "drawn", "region": "lumbar", "categories": ["degeneration"]}
    model["planes"] = {"sagittal": {"model": {"name": "set"}, "card": card}}  # type: ignore[assignment]
    (folder / "model/model.json").write_text(json.dumps(model))
    return folder


@pytest.fixture
def result(tmp_path: Path) -> Path:
    """The folder of a result on phantoms."""
    return write_result(tmp_path / "run-7")
