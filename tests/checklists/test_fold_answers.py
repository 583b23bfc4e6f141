"""Checklists of a cross-validation, and of one of its folds."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from spinedet.checklists.answers import Answers
from spinedet.checklists.automatic import automatic
from spinedet.checklists.cards import review_row
from spinedet.checklists.catalogue import CHECKLISTS
from spinedet.checklists.checklist import fill
from spinedet.checklists.evidence import Evidence, read_evidence
from spinedet.core.anatomy import Plane
from spinedet.core.manifest import write_manifest
from spinedet.scoring import BootstrapSettings, Estimate
from spinedet.scoring.cross_validated import (
    CrossValidated,
    CrossValidationResults,
    crossed_over,
    write_cross_validation,
)

from .conftest import manifest_of, write_result
from .test_automatic import known_numbers, unknown_numbers

NUMBERS = {
    "f1": Estimate(value=0.8123, low=0.7011, high=0.8934),
    "precision": Estimate(value=0.8311, low=0.7, high=0.9),
    "recall": Estimate(value=0.7942, low=0.6, high=0.95),
    "ap": Estimate(value=0.8777, low=0.77, high=0.96),
    "f1 difference": Estimate(value=0.1011, low=0.02, high=0.19),
    "grading auc": Estimate(value=0.9, low=0.8, high=0.95),
}
RULE = CrossValidated(name="lowest four, no image", seeds=1, numbers={"f1": Estimate(value=0.7112, low=0.6, high=0.8)})
OTHER = CrossValidated(name="dense", seeds=1, numbers={"f1": Estimate(value=0.79, low=0.6, high=0.9)})


def crossed(folder: Path, origin: str = "phantom", **record: Any) -> Path:
    """Twelve patients in three folds with two training seeds, each fold a run with its own patients beside it."""
    whole = manifest_of(origin)
    folds = {f"fold-{row}": whole.studies[row::3] for row in range(3)}
    own = CrossValidated(name="ours", seeds=2, numbers=NUMBERS)
    about: dict[str, Any] = {
        "folds": {name: tuple(study.patient for study in studies) for name, studies in folds.items()},
        "thresholds": {seed: {"fold-0": 0.41, "fold-1": 0.47, "fold-2": 0.44} for seed in ("0", "1")},
        "results": (own, OTHER, RULE),
        "parts": {"slabs": (own, RULE)},
        "name": whole.name,
        "patients": 12,
        "plane": "sagittal",
        "rule": "plateau_f1",
        "criterion": {"name": "iou", "iou": 0.1, "description": "3D IoU of boxes at least 0.1"},
        "bootstrap": BootstrapSettings(samples=100, seed=20).record,
        "participants": crossed_over(whole.studies),
        **record,
    }
    for name, studies in folds.items():
        fold = folder / "seed-0" / name
        write_result(fold)
        for file in ("scores.json", "run.json", "config.yaml"):
            (fold / file).unlink()
        write_manifest(fold / "held_out.json", whole.model_copy(update={"studies": studies}), absolute=True)
    given = {key: value for key, value in about.items() if value is not None}
    write_cross_validation(folder / "crossvalidation.json", CrossValidationResults(**given))
    return folder


@pytest.fixture
def folds(tmp_path: Path) -> Evidence:
    return read_evidence(str(crossed(tmp_path / "folds")))


def test_every_number_is_in_the_results(folds: Evidence) -> None:
    told = automatic(folds)
    known = known_numbers(folds.root / "crossvalidation.json") | {0.0, 1.0}  # the seeds, which are keys
    topics = (
        *("performance", "internal", "subgroups", "threshold", "uncertainty", "partitions", "flow", "analysed"),
        *("participants", "missing_data", "severity", "acquisition", "reference", "choice", "clusters", "sample_size"),
    )
    assert {name: found for name in topics if (found := unknown_numbers(told[name].text, known))} == {}
    assert all("crossvalidation.json" in told[name].source for name in topics)


def test_what_a_cross_validation_states(folds: Evidence) -> None:
    told = {name: one.text for name, one in automatic(folds).items()}
    assert "12 patients were cut into 3 folds of 4, 4 and 4" in told["partitions"]
    assert "2 training seeds (0 and 1)" in told["partitions"]
    assert "All studies: F1 0.812 (95% interval 0.701 to 0.893)" in told["performance"]
    assert "Slabs: F1 0.812" in told["performance"]
    assert "lowest four, no image: F1 0.711" in told["performance"]
    assert "minus that of the lowest four: 0.101" in told["performance"]
    assert "an internal test" in told["internal"]
    assert told["external"].startswith("Not done")
    assert "by the rule plateau_f1 on the findings in the other folds" in told["threshold"]
    assert "0.410 to 0.470 over 6 trainings" in told["threshold"]
    assert "Results of dense in the same folds stand beside them" in told["choice"]
    assert "centre A (cross-validation), 6 patients (simulated)" in told["participants"]
    assert "network 'set'" in told["model"]
    assert "estimates" not in told
    assert "errors" not in told


def test_groups_of_an_attribute_are_external(tmp_path: Path) -> None:
    told = automatic(read_evidence(str(crossed(tmp_path / "folds", by="vendor"))))
    assert "Each value of vendor was tested by a detector of the other values" in told["external"].text
    assert "by the values of vendor into 3 groups" in told["partitions"].text


def test_phantoms_are_called_simulated_and_patients_are_not(tmp_path: Path, folds: Evidence) -> None:
    assert [name for name, one in automatic(folds).items() if "simulated" not in one.text] == []
    told = automatic(read_evidence(str(crossed(tmp_path / "real", origin="manual"))))
    assert [name for name, one in told.items() if "simulated" in one.text] == []
    assert "Secret" not in str(told)
    assert str(tmp_path) not in str(told)


def test_folders_of_earlier_versions(tmp_path: Path) -> None:
    absent = dict.fromkeys(("name", "patients", "plane", "rule", "criterion", "bootstrap"))
    folder = crossed(tmp_path / "folds", participants=(), **absent)
    settings = {"rule": "plateau_f1", "seed": 5, "by": None, "recipe": "{'lr': 0.001}", "init": str(tmp_path)}
    (folder / "settings.json").write_text(json.dumps(settings))
    told = {name: one.text for name, one in automatic(read_evidence(str(folder))).items()}
    assert "centre B (cross-validation), 6 patients" in told["participants"]
    assert "their level is not recorded. All studies: F1 0.812 (0.701 to 0.893)" in told["performance"]
    assert "(seed 5)" in told["partitions"]
    assert str(tmp_path) not in str(told)
    for file in folder.glob("seed-0/*/held_out.json"):
        file.unlink()
    told = {name: one.text for name, one in automatic(read_evidence(str(folder))).items()}
    assert "participants" not in told
    assert "12 patients" in told["partitions"]


def test_only_the_plane_that_was_crossed_over_counts() -> None:
    study = manifest_of().studies[0]
    axial = study.series[0].model_copy(update={"id": "ax", "plane": Plane.AXIAL})
    both = study.model_copy(update={"series": (*study.series, axial)})
    lesions = (*study.lesions, study.lesions[0].model_copy(update={"id": "2", "series": "ax"}))
    both = both.model_copy(update={"lesions": lesions})
    counts = [(part.series, part.lesions) for part in (*crossed_over([both]), *crossed_over([both], ["sagittal"]))]
    assert counts == [(2, 2), (1, 1)]


def test_one_fold_is_a_run_of_its_own(folds: Evidence) -> None:
    fold = read_evidence(str(folds.root / "seed-0/fold-1"))
    told = {name: one.text for name, one in automatic(fold).items()}
    assert "4 patients were held out from it" in told["partitions"]
    assert told["participants"].startswith("Held out: centre A (cross-validation), 2 patients")
    assert "performance" not in told
    assert "network 'set'" in told["model"]


def test_all_checklists_and_the_review_row(folds: Evidence) -> None:
    for name in CHECKLISTS:
        filled = fill(name, folds, Answers())
        assert len(filled.rows) == CHECKLISTS[name].items
        assert any(row.open for row in filled.rows)
    assert ",12," in review_row(folds, Answers())


def test_answers_belong_to_the_results(folds: Evidence) -> None:
    assert folds.crossed is not None
    write_cross_validation(folds.root / "crossvalidation.json", folds.crossed.model_copy(update={"name": "again"}))
    assert read_evidence(str(folds.root)).hashes != folds.hashes
