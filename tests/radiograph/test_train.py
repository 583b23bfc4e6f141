"""Training, external test and prediction from manifests to files, on hand-made images."""

from __future__ import annotations

import csv
import json
import os
from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image

from spinedet.cli.app import conf_folder
from spinedet.core.files import sha256
from spinedet.core.radiograph import read_radiographs
from spinedet.core.radiograph.readings import Readings, read_readings, write_readings
from spinedet.radiograph.finished import open_classification
from spinedet.scoring.classification.evaluate import AS_ANSWERED
from spinedet.scoring.classification.operating_point import read_label_operating_point
from spinedet.scoring.classification.records import read_label_scores
from tests.commands.conftest import run_command
from tests.imaging.radiograph.films import save
from tests.radiograph.cohorts import FRACTURES, PLATES, cohort, plated

QUICK = ("input.pixels=64", "network=linear", "test.bootstrap.samples=50", "workers=1")
SPLITS = {"train": 16, "tune": 10, "test": 10}


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a finished run with two views and rejection."""
    folder = tmp_path_factory.mktemp("plates")
    manifest = cohort(folder / "A", PLATES, SPLITS)
    words = (f"data.manifests=[{manifest}]", f"out={folder / 'run'}", "name=plates", *QUICK)
    assert run_command("radiograph.train", *words) == 0
    return folder / "run"


@pytest.fixture(scope="session")
def elsewhere(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The manifest of another centre."""
    return cohort(tmp_path_factory.mktemp("plates-b"), PLATES, {"test": 10}, center="B")


def test_what_a_run_leaves(trained: Path) -> None:
    names = {path.relative_to(trained).as_posix() for path in trained.rglob("*") if path.is_file()}
    assert names >= {
        "config.yaml",
        "run.json",
        "splits.json",
        "operating_point.json",
        "readings.json",
        "registry.csv",
        "scores.json",
        "report.html",
        "model/model.json",
        "model/model.safetensors",
    }
    assert not [name for name in names if name.endswith((".pkl", ".pt", ".pth"))]
    assert str(trained.parent) not in (trained / "report.html").read_text()
    assert "data:image/png" in (trained / "report.html").read_text()


def test_views_are_tested_apart_and_together(trained: Path) -> None:
    scores = read_label_scores(trained / "scores.json")
    assert [group.by for group in scores.groups] == [
        {"unit": "patient"},
        {"unit": "image", "view": "ap"},
        {"unit": "image", "view": "lateral"},
    ]
    whole = scores.group(unit="patient")
    assert whole.items == 8
    assert whole.answer(AS_ANSWERED).accuracy_of_answered.value == 1
    assert scores.flow[0].other == 4


def test_the_operating_point_rejects_what_tuning_images_show_can_be_told(trained: Path) -> None:
    point = read_label_operating_point(trained / "operating_point.json")
    assert [part.part for part in point.parts] == ["ap", "lateral"]
    for part in point.parts:
        assert (part.images, part.patients) == (8, 8)
        assert part.novelty_auroc is not None
        assert (part.novelty_limit is not None) == (part.novelty_auroc >= 0.7)
    rejection = read_label_scores(trained / "scores.json").rejection
    assert {one.by["view"] for one in rejection} == {"ap", "lateral"}
    assert all(one.other == 2 for one in rejection)


def test_an_external_test_beside_a_reader(trained: Path, elsewhere: Path, tmp_path: Path) -> None:
    own = read_readings(trained / "readings.json")
    manifest = read_radiographs(elsewhere)
    said = [
        {
            "id": study.id,
            "images": [{"id": image.id, "view": image.view, "label": "high"} for image in study.images],
        }
        for study in manifest.studies
    ]
    reader = Readings.model_validate_json(json.dumps({"model": {"name": "senior", "kind": "reader"}, "studies": said}))
    write_readings(tmp_path / "senior.json", reader)
    words = (f"run={trained}", f"data.manifests=[{elsewhere}]", f"readers=[{tmp_path / 'senior.json'}]")
    assert run_command("radiograph.evaluate", *words, f"out={tmp_path / 'out'}", "test.bootstrap.samples=50") == 0
    scores = read_label_scores(tmp_path / "out/scores.json")
    assert scores.model == own.model
    assert scores.others[0].model_name == "senior"
    assert scores.others[0].group(unit="patient").answer(AS_ANSWERED).accuracy.value == pytest.approx(0.5)
    assert {pair.kind for pair in scores.pairs} == {"a network and a reader"}
    assert not scores.notes


def test_testing_on_what_was_trained_on_is_said(trained: Path, tmp_path: Path) -> None:
    manifest = trained.parent / "A/radiographs.json"
    words = (f"run={trained}", f"data.manifests=[{manifest}]", f"out={tmp_path / 'out'}", "test.bootstrap.samples=0")
    assert run_command("radiograph.evaluate", *words) == 0
    assert "26 of the studies have ids of studies" in read_label_scores(tmp_path / "out/scores.json").notes[0]


def test_predicting_a_folder(trained: Path, tmp_path: Path) -> None:
    images = tmp_path / "images"
    (images / "patient").mkdir(parents=True)
    save(images / "patient/ap.png", plated("low", "ap", 1))
    save(images / "patient/lateral.png", plated("low", "lateral", 2))
    (images / "broken.png").write_bytes(b"\x89PNG nothing")
    out = tmp_path / "out"
    words = (f"run={trained}", f"input={images}", f"out={out}", "workers=1")
    assert run_command("radiograph.predict", *words) == 3
    readings = {study.id: study for study in read_readings(out / "readings.json").studies}
    # No file says which view it is: the router sees it.
    assert [image.view for image in readings["patient"].images] == ["ap", "lateral"]
    assert readings["patient"].label == "low"
    assert readings["broken.png"].rejected
    assert str(tmp_path) not in (out / "readings.json").read_text()
    with (out / "registry.csv").open() as stream:
        rows = {row["image"]: row for row in csv.DictReader(stream)}
    assert rows["patient/ap.png"]["label"] == "low"
    assert rows["patient/ap.png"]["view_seen"] == "ap"
    assert rows["patient/ap.png"]["view_told"] == ""
    assert json.loads((out / "skipped.json").read_text())[0]["study"] == "broken.png/broken.png"


def test_predicting_a_manifest_of_another_task(trained: Path, tmp_path: Path) -> None:
    manifest = cohort(tmp_path / "A", FRACTURES, {"test": 2})
    words = (f"run={trained}", f"input={manifest}", f"out={tmp_path / 'out'}", "workers=1")
    assert run_command("radiograph.predict", *words) == 0
    assert [one.id for one in read_readings(tmp_path / "out/readings.json").studies] == ["A-test-0", "A-test-1"]


def test_names_of_files_that_are_no_unicode(trained: Path, tmp_path: Path) -> None:
    images = tmp_path / "images"
    images.mkdir()
    named = os.fsdecode(b"b\xe9d.png")
    save(images / "a.png", plated("low", "ap", 1)).rename(images / named)
    for number, path in enumerate((images, images / named)):
        out = tmp_path / f"out{number}"
        assert run_command("radiograph.predict", f"run={trained}", f"input={path}", f"out={out}") == 0
        assert read_readings(out / "readings.json").studies[0].id == r"b\udce9d.png"


def test_answers_do_not_depend_on_what_else_is_read(trained: Path, tmp_path: Path) -> None:
    manifest = trained.parent / "A/radiographs.json"
    one = read_radiographs(manifest).studies[-1].images[0].path
    words = (f"run={trained}", f"input={one}", f"out={tmp_path / 'out'}")
    assert run_command("radiograph.predict", *words) == 0
    alone = read_readings(tmp_path / "out/readings.json").studies[0].images[0]
    among = read_readings(trained / "readings.json").studies[-1].images[0]
    assert alone.scores == pytest.approx(among.scores, abs=1e-6)


def test_a_finding_is_told_at_the_frozen_threshold_and_shown(tmp_path: Path) -> None:
    manifest = cohort(tmp_path / "A", FRACTURES, {"train": 8, "tune": 6, "test": 4})
    run = tmp_path / "run"
    words = (f"data.manifests=[{manifest}]", f"out={run}", *QUICK, "network=lite0", "trainer.max_steps=2")
    assert run_command("radiograph.train", *words, "rule=sensitivity>=0.75", "test.pictures=2") == 0
    point = read_label_operating_point(run / "operating_point.json")
    assert point.rule == "sensitivity>=0.75"
    threshold = point.parts[0].threshold
    assert threshold is not None
    for study in read_readings(run / "readings.json").studies:
        for image in study.images:
            assert image.label == ("fresh" if image.scores["fresh"] >= threshold else "none")
    record = json.loads((run / "run.json").read_text())
    assert record["trainings"]["lateral"]["steps"] == 2
    assert record["parameters"]["lateral"] > 1000
    assert record["weights_sha256"] == sha256(run / "model/model.safetensors")
    assert {part["split"] for part in record["radiographs"]} >= {"train", "tune"}
    assert all(part["images"] >= part["patients"] > 0 and part["labels"] for part in record["radiographs"])
    out = tmp_path / "out"
    shown = (f"run={run}", f"input={tmp_path / 'A'}", f"out={out}", "heat_maps=true")
    # The manifest lies among the images and is none.
    assert run_command("radiograph.predict", *shown) == 3
    pictures = sorted((out / "heat_maps").iterdir())
    assert len(pictures) == 18
    assert np.asarray(Image.open(pictures[0])).shape == (320, 320, 3)


def test_fine_tuning_begins_with_an_earlier_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first = cohort(tmp_path / "A", PLATES, {"train": 8, "tune": 4, "test": 4})
    words = (
        *QUICK,
        "network=lite0",
        "trainer.max_steps=1",
        "test.pictures=0",
        "trainer.accelerator=cpu",
        "per_view=false",
    )
    run = tmp_path / "run"
    assert run_command("radiograph.train", f"data.manifests=[{first}]", f"out={run}", "name=plates", *words) == 0
    second = cohort(tmp_path / "B", FRACTURES, {"train": 4, "tune": 4, "test": 4}, center="B")
    tuned = tmp_path / "tuned"
    slow = ("learning.lr=1e-9", "learning.weight_decay=0", f"init={run}")
    other = (f"data.manifests=[{second}]", *words)
    assert run_command("radiograph.train", *other, *slow, f"out={tuned}") == 0
    record = json.loads((tuned / "run.json").read_text())["init"]
    begun = record["planes"]["all"]
    assert record["model"] == "plates"
    # Other labels begin anew; all else is the earlier run's.
    assert set(begun["new"]) == {name for name in begun["new"] if name.startswith("head.") or "num_batches" in name}
    assert begun["share"] > 0.99
    before, after = (open_classification(str(one)).classifier.parts[0].network.state_dict() for one in (run, tuned))
    weight = next(name for name in before if name.endswith("weight") and not name.startswith("head."))
    assert np.allclose(before[weight], after[weight], atol=1e-6)
    capsys.readouterr()
    for more, message in (
        ((f"init={run}", "network=mobilenet"), "its network is another one than network= names"),
        ((f"init={run}", "network.weights=x.pth"), "both name weights to begin with; keep one"),
        ((f"init={tmp_path}",), f"init={tmp_path} is no run folder"),
    ):
        assert run_command("radiograph.train", *other, *more, f"out={tmp_path / message[:6]}") == 2
        assert message in " ".join(capsys.readouterr().err.split())


@pytest.mark.parametrize("command", ["evaluate", "predict"])
def test_a_device_that_is_not_there(
    trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    data = {"evaluate": f"data.manifests=[{trained.parent / 'A/radiographs.json'}]", "predict": f"input={trained}"}
    for device, message in (("gpu", "use auto, cpu, cuda, or cuda:N"), ("cuda", "use device=cpu, or leave it out")):
        words = (f"run={trained}", data[command], f"device={device}", f"out={tmp_path / device}")
        assert run_command(f"radiograph.{command}", *words) == 2
        assert message in " ".join(capsys.readouterr().err.split())


def test_a_shipped_task_is_settings_alone() -> None:
    """Labels, views and finding are the manifest's, so that another task takes one file like these and no Python."""
    for file in (conf_folder("radiograph.train") / "experiment").glob("*.yaml"):
        content = yaml.safe_load(file.read_text())
        assert set(content) <= {
            "name",
            "data",
            "input",
            "network",
            "learning",
            "augment",
            "trainer",
            "per_view",
            "rule",
        }


@pytest.mark.parametrize("experiment", ["implants", "scoliosis", "fractures"])
def test_every_experiment_composes(capsys: pytest.CaptureFixture[str], experiment: str) -> None:
    words = (f"+experiment={experiment}", "network=efficientnet_b6", "--cfg", "job")
    assert run_command("radiograph.train", *words) == 0
    printed = capsys.readouterr().out
    assert f"name: {experiment}" in printed
    assert "variant: b6" in printed


def test_patients_are_parted_where_the_manifest_has_no_splits(tmp_path: Path) -> None:
    manifest = cohort(tmp_path / "A", FRACTURES, {"train": 20})
    content = json.loads(manifest.read_text())
    for number, study in enumerate(content["studies"]):
        study["split"], study["patient"] = None, f"p{number // 2}"
    manifest.write_text(json.dumps(content))
    run = tmp_path / "run"
    words = (f"data.manifests=[{manifest}]", f"out={run}", *QUICK, "data.tune=0.3", "data.test=0.2")
    assert run_command("radiograph.train", *words) == 0
    splits = json.loads((run / "splits.json").read_text())
    assert [len(splits[name]) for name in ("train", "tune", "test")] == [10, 6, 4]
    patients = {study["id"]: study["patient"] for study in content["studies"]}
    parts = [{patients[study] for study in splits[name]} for name in ("train", "tune", "test")]
    assert sum(map(len, parts)) == len(set.union(*parts)) == 10


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["rule=youden"], "use plateau_youden"),
        (["input.focus=head"], "input.focus=head: use one of image, metal, vertebra, rim"),
        (["trainer.devices=2"], "radiographs are trained on one device"),
        (["data.tune=0.9"], "use shares such as 0.15 that leave a rest"),
        (["network.weights=nowhere.pth", "network=frozen"], "network.weights=nowhere.pth does not exist"),
        (["network.penalty=-1"], "network.penalty=-1"),
        (["network.side=0"], "network.side=0: use 2 to 256"),
        (["input.pixels=100000"], "input.pixels=100000: use 32 to 2048"),
        (["learning.batch=0"], "learning.batch=0"),
        (["learning.lr=-1"], "learning.lr=-1"),
        (["learning.ema=1"], "learning.ema=1"),
        (["augment.shift=1"], "augment.shift=1"),
        (["augment.noise=-0.1"], "augment.noise=-0.1"),
    ],
)
def test_what_training_refuses(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], words: list[str], message: str
) -> None:
    manifest = cohort(tmp_path / "A", FRACTURES, {"train": 4, "tune": 2, "test": 2})
    assert run_command("radiograph.train", f"data.manifests=[{manifest}]", f"out={tmp_path / 'r'}", *QUICK, *words) == 2
    assert message in " ".join(capsys.readouterr().err.split())


def test_images_of_a_training_that_are_not_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    manifest = cohort(tmp_path / "A", PLATES, {"train": 2, "tune": 2})
    moved = manifest.rename(tmp_path / "moved.json")
    assert run_command("radiograph.train", f"data.manifests=[{moved}]", f"out={tmp_path / 'run'}", *QUICK) == 2
    said = " ".join(capsys.readouterr().err.split())
    assert "no training image with a label can be used for the view ap" in said
    assert "2 were rejected, the first: the file does not exist; check the path" in said


def test_a_label_without_training_images(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    manifest = cohort(tmp_path / "A", FRACTURES, {"train": 1, "tune": 2, "test": 2})
    assert run_command("radiograph.train", f"data.manifests=[{manifest}]", f"out={tmp_path / 'r'}", *QUICK) == 2
    assert "no training image has the label 'fresh'" in " ".join(capsys.readouterr().err.split())


def test_a_run_of_another_task(trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    manifest = cohort(tmp_path / "A", FRACTURES, {"test": 2})
    words = (f"run={trained}", f"data.manifests=[{manifest}]", f"out={tmp_path / 'out'}")
    assert run_command("radiograph.evaluate", *words) == 2
    assert "its task has other labels than that of run=" in " ".join(capsys.readouterr().err.split())


@pytest.mark.parametrize("name", ["model.json", "model.safetensors"])
def test_a_damaged_model(trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str) -> None:
    for file in ("operating_point.json", "model/model.json", "model/model.safetensors"):
        (tmp_path / file).parent.mkdir(exist_ok=True)
        (tmp_path / file).write_bytes((trained / file).read_bytes())
    open_classification(str(tmp_path))
    content = (tmp_path / "model" / name).read_bytes()
    (tmp_path / "model" / name).write_bytes(content[: len(content) // 2])
    assert run_command("radiograph.predict", f"run={tmp_path}", "input=x", f"out={tmp_path / 'out'}") == 2
    assert name in " ".join(capsys.readouterr().err.split())
