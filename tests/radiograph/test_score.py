"""The command radiograph.score: what it writes, what it refuses, and that it needs no torch."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from spinedet.core.radiograph.readings import Readings, read_readings, write_readings
from spinedet.scoring.classification.evaluate import AS_ANSWERED
from spinedet.scoring.classification.records import read_label_scores
from tests.commands.conftest import run_command

Paths = dict[str, Path]


@pytest.fixture
def files(tmp_path: Path) -> Paths:
    """A manifest of twelve patients of two centres, every third fresh, and readings of two networks and a reader."""
    studies = [
        {
            "id": f"s{row}",
            "patient": f"p{row}",
            "center": "AB"[row % 2],
            "split": "test",
            "label": "fresh" if row % 3 == 0 else "none",
            "images": [{"id": "lat", "view": "lateral", "path": f"{row}.png", "sha256": None}],
        }
        for row in range(12)
    ]
    task = {"name": "fractures", "labels": ["none", "fresh"], "views": ["lateral"], "positive": "fresh"}
    manifest = {"format": "spinedet-radiographs", "version": 1, "name": "twelve", "task": task, "studies": studies}
    paths = {"manifest": tmp_path / "radiographs.json"}
    paths["manifest"].write_text(json.dumps(manifest))
    wrong: dict[str, set[int]] = {"one": {3}, "two": {3, 4, 5}, "senior": {0, 1}}
    for name, rows in wrong.items():
        paths[name] = tmp_path / f"{name}.json"
        paths[name].write_text(json.dumps(_readings(name, rows)))
    return paths


def _readings(name: str, wrong: set[int]) -> dict[str, Any]:
    studies = []
    for row in range(12):
        fresh = (row % 3 == 0) != (row in wrong)
        image: dict[str, Any] = {"id": "lat", "view": "lateral", "label": "fresh" if fresh else "none"}
        if name != "senior":
            score = (0.7 if fresh else 0.2) + row / 100
            image["scores"] = {"none": 1 - score, "fresh": score}
        studies.append({"id": f"s{row}", "images": [image]})
    kind = "reader" if name == "senior" else "network"
    return {"format": "spinedet-readings", "version": 1, "model": {"name": name, "kind": kind}, "studies": studies}


def _words(files: Paths, out: Path, *more: str) -> list[str]:
    return [f"reference={files['manifest']}", f"readings={files['one']}", f"out={out}", "bootstrap.samples=50", *more]


def test_what_it_leaves(files: Paths, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out"
    more = (f"compare=[{files['two']}]", f"readers=[{files['senior']}]", "internal=A")
    assert run_command("radiograph.score", *_words(files, out, *more)) == 0
    scores = read_label_scores(out / "scores.json")
    group = scores.group(unit="patient")
    assert (group.patients, group.items) == (12, 12)
    assert group.answer(AS_ANSWERED).confusion == ((8, 0, 0), (1, 3, 0))
    assert [one.model_name for one in scores.others] == ["two", "senior"]
    assert {pair.kind for pair in scores.pairs} == {"two networks", "a network and a reader"}
    assert {contrast.external for contrast in scores.contrasts} == {"B"}
    assert scores.worst[0].study == "s3"
    with (out / "registry.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    assert len(rows) == 12
    assert (rows[0]["label"], rows[0]["probability"], rows[0]["runner_up"]) == ("fresh", "0.7000", "none")
    assert not any(value == "p0" for value in rows[0].values())
    page = (out / "scores.html").read_text()
    assert "Published numbers: other patients, definitions unknown" in page
    assert "<script" not in page
    assert page.count('class="curve"') == 3  # of patients: both networks and the reader's (empty) curve
    printed = capsys.readouterr().out
    assert "senior" in printed
    assert "0.917" in printed


def test_scores_without_pages(files: Paths, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert run_command("radiograph.score", *_words(files, out, "pages=false")) == 0
    assert sorted(path.name for path in out.iterdir()) == ["scores.json"]


def test_it_needs_no_torch(files: Paths, tmp_path: Path) -> None:
    words = _words(files, tmp_path / "out")
    code = (
        f"import sys\nsys.argv = ['x', *{words!r}]\nimport spinedet.radiograph.score as command\n"
        "try:\n    command.main()\nexcept SystemExit as stop:\n    assert not stop.code\n"
        "assert not {'torch', 'monai', 'pytorch_lightning', 'SimpleITK'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)


def _without(study: str) -> Callable[[Readings], Readings]:
    return lambda one: one.model_copy(update={"studies": tuple(s for s in one.studies if s.id != study)})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (["split=training"], "split=training: use train, tune or test"),
        (["split=train"], "no study with the split 'train' has an image with a label"),
        (["internal=C"], "internal=C: the studies scored come from A, B"),
        (["readers=[{one}]"], "readers= takes readings of humans"),
        (["compare=[{one}]"], "two files of readings have the model name 'one'"),
    ],
)
def test_what_it_refuses(
    files: Paths, tmp_path: Path, capsys: pytest.CaptureFixture[str], change: list[str], message: str
) -> None:
    words = [word.format(**files) for word in change]
    assert run_command("radiograph.score", *_words(files, tmp_path / "out", *words)) == 2
    assert message in " ".join(capsys.readouterr().err.split())


def test_a_study_that_was_not_read(files: Paths, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_readings(files["one"], _without("s4")(read_readings(files["one"])))
    assert run_command("radiograph.score", *_words(files, tmp_path / "out")) == 2
    assert "study 's4': the study is not among the readings" in " ".join(capsys.readouterr().err.split())


def test_a_study_without_a_split_counts_as_test(files: Paths, tmp_path: Path) -> None:
    content = json.loads(files["manifest"].read_text())
    for row, study in enumerate(content["studies"]):
        study["split"] = "train" if row < 4 else None if row < 8 else "test"
    files["manifest"].write_text(json.dumps(content))
    for split, studies in (("test", 8), ("train", 4)):
        out = tmp_path / split
        assert run_command("radiograph.score", *_words(files, out, f"split={split}", "pages=false")) == 0
        assert read_label_scores(out / "scores.json").flow[0].studies == studies


def test_an_interruption_says_how_to_go_on(
    files: Paths, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("spinedet.radiograph.commands.score.score_readings", interrupted)
    assert run_command("radiograph.score", *_words(files, tmp_path / "out")) == 130
    said = " ".join(capsys.readouterr().err.split())
    assert "give the same command again" in said
    assert "resume" not in said
