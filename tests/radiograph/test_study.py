"""The study of radiographs: every training once, a page for each task, nothing done twice."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from spinedet.core.files import sha256
from spinedet.core.radiograph import read_radiographs
from spinedet.core.radiograph.readings import read_readings
from spinedet.radiograph.experiment.metadata_baseline import read_metadata
from spinedet.radiograph.experiment.plan import StudyInput, TaskManifests, plan_steps
from spinedet.radiograph.experiment.simulated_readers import simulate_reader
from spinedet.radiograph.experiment.sizes import SIZES, SimulatedReaderConfig
from spinedet.report.radiograph_study_results import baselines_of, repeats_of
from spinedet.scoring.classification.records import read_label_scores
from tests.commands.conftest import run_command
from tests.radiograph.cohorts import FRACTURES, PLATES, cohort
from tests.radiograph.conftest import Run

LEAN = ("size=smoke", "tasks=[fractures]", "bootstrap.samples=50", "workers=2")


@pytest.fixture(scope="session")
def studied(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a finished study of one task."""
    out = tmp_path_factory.mktemp("radiograph-study") / "study"
    assert run_command("radiograph.study", *LEAN, f"out={out}") == 0
    return out


def test_every_training_is_done_and_none_twice(run: Run, studied: Path) -> None:
    stamps = {file: file.stat().st_mtime_ns for file in studied.glob("steps/*/run.json")}
    networks, baselines = ["fine-tuned", "frozen-features"], ["32x32-pixels", "rim-alone"]
    names = {f"fractures-{name}-seed0" for name in (*networks, *baselines)}
    names |= {f"fractures-{name}-seed0-control" for name in networks}
    names |= {f"fractures-{name}-seed0-{part}" for name in baselines for part in ("confounded", "confounder-removed")}
    assert {file.parent.name for file in stamps} == names
    assert run("study", *LEAN, f"out={studied}")[0] == 0
    assert {file: file.stat().st_mtime_ns for file in stamps} == stamps
    assert {one["state"] for one in json.loads((studied / "steps.json").read_text())} == {"kept"}


def test_algorithms_are_compared_at_every_centre_readers_on_the_control_set_and_baselines_apart(studied: Path) -> None:
    scores = read_label_scores(studied / "scores/fractures/seed0.json")
    assert [one.model_name for one in (scores, *scores.others)] == ["fine-tuned", "frozen-features"]
    assert {group.by.get("center") for group in scores.groups} == {None, "A", "B", "C"}
    assert {contrast.external for contrast in scores.contrasts} == {"B", "C"}
    assert {pair.kind for pair in scores.pairs} == {"two networks"}
    control = read_label_scores(studied / "scores/fractures/control.json")
    everyone = [one.model_name for one in (control, *control.others)]
    assert everyone == ["fine-tuned", "frozen-features", "simulated-senior", "simulated-junior"]
    assert {pair.kind for pair in control.pairs} == {
        "two networks",
        "a network and a reader",
        "two readers",
    }
    corrected = {(pair.kind, one.among) for pair in control.pairs for one in pair.discordance if one.p_holm is not None}
    assert corrected >= {
        ("two networks", "all"),
        ("a network and a reader", "with fresh"),
        ("a network and a reader", "without fresh"),
    }
    floors = read_label_scores(studied / "scores/fractures/baselines.json")
    assert [floors.model_name, *(one.model_name for one in floors.others)] == [
        "metadata-alone",
        "32x32-pixels",
        "rim-alone",
    ]
    for one in baselines_of(floors):
        area = one.group.auc.bootstrap
        assert area.low is not None
        assert area.high is not None
        assert one.at_chance == (area.low <= 0.5 <= area.high)


def test_every_test_uses_the_operating_point_that_its_training_froze(studied: Path) -> None:
    page = (studied / "fractures.html").read_text()
    for run in (studied / "steps").glob("fractures-*-seed0"):
        control = run.with_name(f"{run.name}-control")
        if control.is_dir():
            model = read_readings(control / "readings.json").model
            assert model["operating_point_sha256"] == sha256(run / "operating_point.json")
        frozen = sha256(run / "operating_point.json")
        assert read_readings(run / "readings.json").model["operating_point_sha256"] == frozen
        assert frozen[:12] in page
    assert "not the one in the readings" not in page


def test_pages_count_patients_and_images_and_keep_published_numbers_apart(studied: Path) -> None:
    index, page = (studied / "index.html").read_text(), (studied / "fractures.html").read_text()
    manifest = read_radiographs(studied / "cohorts/fractures/manifest.json")
    train = [one for one in manifest.studies if one.split == "train"]
    images = sum(len(one.used) for one in train)
    for text in (index, page):
        assert f"<td>{len(train)}</td><td>{len(train)}</td><td>{images}</td>" in text
        assert ".861 / .852 / .865" in text
        assert str(studied) not in text
        assert "not patients" in text
    assert "published: other patients, definitions unknown" in index
    assert "drawn by chance" in page
    assert 'src="http' not in index + page


def test_the_control_set_trained_tuned_and_tested_no_network(studied: Path) -> None:
    manifest = read_radiographs(studied / "cohorts/fractures/manifest.json")
    control = read_radiographs(studied / "cohorts/fractures-control/manifest.json")
    assert not {one.patient for one in control.studies} & {one.patient for one in manifest.studies}
    assert not {d for one in control.studies for d in one.digests} & {
        d for one in manifest.studies for d in one.digests
    }
    notes = read_label_scores(studied / "steps/fractures-fine-tuned-seed0-control/scores.json").notes
    assert not any("no external test" in note for note in notes)


def test_the_confounder_is_on_the_same_patients_and_nowhere_else(studied: Path) -> None:
    plain, leaky = (
        {
            one.id: one
            for one in read_radiographs(studied / f"cohorts/{name}/manifest.json").studies
            if one.split == "test"
        }
        for name in ("fractures", "fractures-confounded")
    )
    assert set(leaky) == {name for name, study in plain.items() if study.center == "A"}
    for name, study in leaky.items():
        assert study.label == plain[name].label
        assert study.attributes == plain[name].attributes
        assert [image.places for image in study.images] == [image.places for image in plain[name].images]
        assert study.digests != plain[name].digests
    assert "without the letter" in (studied / "study.md").read_text()


def test_a_training_that_breaks_is_named_and_leaves_the_rest(run: Run, studied: Path, tmp_path: Path) -> None:
    copy = tmp_path / "study"
    shutil.copytree(studied, copy)
    broken = copy / "steps/fractures-fine-tuned-seed0"
    (broken / "run.json").unlink()
    (broken / "config.yaml").write_text("name: another\n")
    assert run("study", *LEAN, f"out={copy}")[0] == 1
    index = (copy / "index.html").read_text()
    assert "Step fractures-fine-tuned-seed0 failed" in index
    scores = read_label_scores(copy / "scores/fractures/seed0.json")
    assert scores.model_name == "frozen-features"


def test_repeats_stand_side_by_side(studied: Path) -> None:
    scores = read_label_scores(studied / "scores/fractures/seed0.json")
    found = [one for one in repeats_of({0: scores, 1: scores}) if one.by == {"unit": "patient"}]
    assert [one.name for one in found] == ["fine-tuned", "frozen-features"]
    for one in found:
        assert len(one.accuracy) == 2
        assert one.mean[0] == pytest.approx(one.accuracy[0])


@pytest.mark.parametrize("size", SIZES)
def test_every_size_takes_each_training_once(size: str, tmp_path: Path) -> None:
    tasks = SIZES[size].tasks
    path = tmp_path / "m.json"
    manifests = {
        t.cohort.task: TaskManifests(path, path if t.control else None, path if t.confounded else None) for t in tasks
    }
    steps = plan_steps(tasks, StudyInput(manifests, tmp_path, "lite0.pth", ("logger=none",)), (0, 1))
    trained = 2 * sum(len(t.algorithms + t.baselines) for t in tasks)
    controlled = sum(len(t.algorithms) for t in tasks if t.control)
    confounded = sum(2 * len(t.baselines) for t in tasks if t.confounded)
    assert len({step.name for step in steps}) == len(steps) == trained + controlled + confounded
    for number, step in enumerate(steps):
        assert set(step.needs) <= {before.name for before in steps[:number]}
        networks = [word for word in step.words if word.startswith("network=")]
        wants = any(word in ("network=lite0", "network=frozen") for word in networks)
        assert ("network.weights=lite0.pth" in step.words) == wants


def test_readers_are_right_as_often_as_is_said(tmp_path: Path) -> None:
    manifest = read_radiographs(cohort(tmp_path, FRACTURES, {"test": 60}))
    reader = SimulatedReaderConfig("simulated", 0.9, 0.5)
    labels = {study.id: study.label for study in manifest.studies}
    right: dict[str, list[bool]] = {"fresh": [], "none": []}
    for seed in range(20):
        for study in simulate_reader(manifest, reader, seed).studies:
            label = labels[study.id] or ""
            right[label] += [image.label == label for image in study.images]
    assert sum(right["fresh"]) / len(right["fresh"]) == pytest.approx(0.9, abs=0.05)
    assert sum(right["none"]) / len(right["none"]) == pytest.approx(0.5, abs=0.07)
    assert simulate_reader(manifest, reader, 3) == simulate_reader(manifest, reader, 3)


def test_metadata_that_tell_the_label_are_seen(tmp_path: Path) -> None:
    manifest = read_radiographs(cohort(tmp_path, PLATES, {"train": 20, "tune": 2, "test": 10}))
    old = {"high": 80, "low": 20}
    studies = tuple(
        one.model_copy(update={"attributes": {"age": old.get(one.label or "", 50)}}) for one in manifest.studies
    )
    readings = read_metadata(manifest.model_copy(update={"studies": studies}))
    labels = {one.id: one.label for one in studies if one.split == "test"}
    assert {one.id for one in readings.studies} == set(labels)
    for study in readings.studies:
        if labels[study.id] in old:
            assert {image.label for image in study.images} == {labels[study.id]}


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["size=huge"], "size=huge: choose one of demo, papers, smoke"),
        (["tasks=[knees]"], "tasks=[knees]"),
        (["seeds=0"], "seeds=0"),
    ],
)
def test_what_the_study_refuses(run: Run, tmp_path: Path, words: list[str], message: str) -> None:
    status, printed = run("study", *words, f"out={tmp_path / 'out'}")
    assert status == 2
    assert message in " ".join(printed.split())
    assert not (tmp_path / "out").exists()
