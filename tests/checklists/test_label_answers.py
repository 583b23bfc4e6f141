"""Checklists of a classification of radiographs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from spinedet.checklists.answers import Answers
from spinedet.checklists.automatic import automatic
from spinedet.checklists.cards import review_row
from spinedet.checklists.checklist import fill
from spinedet.checklists.evidence import Evidence, read_evidence
from spinedet.core.radiograph import read_radiograph_cohort
from spinedet.core.radiograph.readings import read_readings
from spinedet.scoring import BootstrapSettings
from spinedet.scoring.classification.operating_point import (
    LabelOperatingPoint,
    PartPoint,
    write_label_operating_point,
)
from spinedet.scoring.classification.records import write_label_scores
from spinedet.scoring.classification.report import Contestant, LabelSettings, score_readings

from .test_automatic import known_numbers, unknown_numbers

# Source and a digit of the digest of weights that a network may begin with.
WEIGHTS = (("file", "a"), ("phantoms", "b"))


def classified(folder: Path, phantom: bool) -> Path:
    """Twelve patients of two centres, of whom one is called wrongly."""
    studies: list[dict[str, Any]] = []
    read: list[dict[str, Any]] = []
    for row in range(12):
        label = "fresh" if row % 3 == 0 else "none"
        image = {"id": "lat", "view": "lateral", "path": f"{row}.png"}
        about = {"id": f"s{row}", "patient": f"Secret {row}", "center": "AB"[row % 2], "split": "test"}
        studies.append({**about, "label": label, "images": [image], "phantom": phantom})
        answer = "none" if row == 3 else label
        score = {"fresh": 0.9 - row / 50, "none": 0.1 + row / 50}[answer]
        scores = {answer: score, ({"fresh", "none"} - {answer}).pop(): 1 - score}
        read.append({"id": f"s{row}", "images": [{"id": "lat", "view": "lateral", "label": answer, "scores": scores}]})
    task = {"name": "fractures", "labels": ["none", "fresh"], "views": ["lateral"], "positive": "fresh"}
    manifest = {"format": "spinedet-radiographs", "version": 1, "name": "films", "task": task, "studies": studies}
    readings = {
        "format": "spinedet-readings",
        "version": 1,
        "model": {"name": "net", "kind": "network"},
        "studies": read,
    }
    folder.mkdir()
    (folder / "radiographs.json").write_text(json.dumps(manifest))
    (folder / "readings.json").write_text(json.dumps(readings))
    cohort = read_radiograph_cohort([folder / "radiographs.json"])
    settings = LabelSettings(None, "A", BootstrapSettings(samples=30))
    contestant = Contestant(read_readings(folder / "readings.json"), "readings.json")
    write_label_scores(folder / "scores.json", score_readings(cohort, contestant, [], settings))
    (folder / "run.json").write_text(json.dumps(trained_on(phantom)))
    settings = "search: {trials: 6}\nnetwork: {weights: null}\nlearning: {balance: 0.5, lr: 0.01}\n"
    (folder / "config.yaml").write_text(settings)
    part = PartPoint(part="lateral", images=6, patients=5, threshold=0.5123)
    point = LabelOperatingPoint(task=task, rule="plateau_youden", parts=(part,), chosen_on=("x",))
    write_label_operating_point(folder / "operating_point.json", point)
    return folder


def trained_on(phantom: bool) -> dict[str, Any]:
    """`run.json` of the training."""
    part = {"simulated": phantom, "patients": 6, "studies": 6, "images": 6}
    radiographs = [
        {**part, "split": "train", "center": "A", "patients": 21, "labels": {"fresh": 5, "none": 15}, "unlabelled": 1},
        {**part, "split": "test", "center": "A", "labels": {"fresh": 2, "none": 4}},
        {**part, "split": "test", "center": "B", "labels": {"fresh": 2, "none": 4}},
    ]
    about = {"command": "radiograph.train", "seed": 3, "internal_centers": ["A"], "splits": {"train": ["x"] * 21}}
    return {
        "format": "spinedet-run",
        "version": 1,
        **about,
        "radiographs": radiographs,
        "parameters": {"lateral": 1234},
        "trainings": {"lateral": {"steps": 90, "planned": 100}},
    }


@pytest.fixture
def films(tmp_path: Path) -> Evidence:
    return read_evidence(str(classified(tmp_path / "films", phantom=True)))


def test_every_number_is_in_the_scores(films: Evidence) -> None:
    answers = automatic(films)
    known = known_numbers(films.root / "scores.json")
    topics = ("performance", "estimates", "analysed", "flow", "uncertainty", "external", "uncertain_results")
    assert {name: found for name in topics if (found := unknown_numbers(answers[name].text, known))} == {}
    assert "1 of 12 not given their label" in answers["errors"].text


def test_who_was_tested_and_trained_on(films: Evidence) -> None:
    told = {name: one.text for name, one in automatic(films).items()}
    assert (
        "Tested: centre B (test), 6 patients (simulated), 6 studies, 6 images; images by label: fresh 2, none 4."
        in (told["participants"])
    )
    assert "Developed on: centre A (train), 21 patients" in told["participants"]
    assert "without a label 1" in told["participants"]
    assert "Trained on simulated data (phantoms)." in told["participants"]
    assert told["setting"].startswith("Tested at 2 centres: A and B.")
    assert "train 21 patients with 6 images, test 12 patients with 12 images" in told["partitions"]
    assert "At centre A images by label: fresh 2, none 4." in told["representative"]
    assert "1,234 parameters" in told["model"]
    assert "A search tried 6 recipes" in told["choice"]
    assert told["initialisation"].startswith("Random weights. Seed 3.")
    assert "power of -0.5" in told["imbalance"]
    assert (
        "fresh from a score of 0.512, chosen by the rule plateau_youden on 6 tuning images of 5 patients"
        in (told["threshold"])
    )
    training = "Training lateral: 90 of 100 planned steps. Settings: lr 0.01 (all values, with the augmentation, in"
    assert told["training"] == f"{training} config.yaml). {films.simulated}"
    assert all(one.text.endswith(".") for one in automatic(films).values())


def test_initial_weights_are_those_that_the_run_recorded(films: Evidence) -> None:
    (films.root / "config.yaml").write_text("network: {weights: /data/lite0.pth}\n")
    told = automatic(read_evidence(str(films.root)))["initialisation"].text
    assert told.startswith("Random weights. Seed 3.")  # as recorded, whatever was configured
    record = json.loads((films.root / "run.json").read_text())
    file, shipped = ({"source": source, "sha256": digit * 64, "matched": "by name"} for source, digit in WEIGHTS)
    (films.root / "run.json").write_text(json.dumps(record | {"pretrained": {"lateral": file}}))
    told = automatic(read_evidence(str(films.root)))["initialisation"].text
    assert told.startswith("Network lateral: began with the weights of a local file, lite0.pth (SHA-256 aaa")
    assert "aaa; matched by name). Seed 3." in told
    assert "taught on simulated" not in told
    (films.root / "run.json").write_text(json.dumps(record | {"pretrained": {"ap": file, "lateral": shipped}}))
    answers = automatic(read_evidence(str(films.root)))
    assert "Network lateral: began with the shipped weights that were taught" in answers["initialisation"].text
    assert answers["performance"].text.endswith("The initial weights were taught on simulated radiographs.")


def test_labels_are_not_explained_as_boxes_are(films: Evidence) -> None:
    row = next(row for row in fill("claim-2024", films, Answers()).rows if row.topic == "explanation")
    assert row.state == "auto"
    assert "no heat map was drawn" in row.answer
    (films.root / "config.yaml").write_text("test: {pictures: 4}\n")
    assert "Grad-CAM" in automatic(read_evidence(str(films.root)))["explanation"].text


def test_internal_and_external_centres_are_apart(films: Evidence) -> None:
    told = {name: one.text for name, one in automatic(films).items()}
    assert "centre A" in told["internal"]
    assert "centre B" not in told["internal"]
    assert "centre B" in told["external"]
    assert "B minus A, by patient, accuracy" in told["external"]


def test_a_result_without_a_record_leaves_them_open(films: Evidence) -> None:
    (films.root / "run.json").unlink()
    told = automatic(read_evidence(str(films.root)))
    assert not {"participants", "partitions", "setting", "internal"} & set(told)


def test_phantoms_are_called_simulated(films: Evidence) -> None:
    answers = automatic(films)
    assert len(answers) > 10
    assert [name for name, one in answers.items() if "simulated" not in one.text] == []
    assert "Secret" not in str(answers)


def test_patients_are_not(tmp_path: Path) -> None:
    answers = automatic(read_evidence(str(classified(tmp_path / "films", phantom=False))))
    assert [name for name, one in answers.items() if "simulated" in one.text] == []


def test_nothing_of_a_detector_is_said(films: Evidence) -> None:
    told = " ".join(one.text for one in automatic(films).values())
    for words in ("Boxes", "T2", "IoU", "MRI"):
        assert words not in told
    row = review_row(films, Answers())
    assert "classification" in row
    assert "radiography" in row
