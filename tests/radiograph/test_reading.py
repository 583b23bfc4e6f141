"""The reading page for radiographs: a reader's work in Chromium becomes readings that are scored."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest

from spinedet.core.radiograph.readings import read_readings
from spinedet.scoring.classification.evaluate import AS_ANSWERED
from spinedet.scoring.classification.records import read_label_scores
from tests.imaging.radiograph.films import film, save
from tests.report.chromium import chromium

from .conftest import Run


def manifest(folder: Path) -> Path:
    studies: list[dict[str, Any]] = []
    for number, (name, view) in enumerate((("one", "ap"), ("two", "ap"), ("three", None))):
        save(folder / f"{name}.png", film(seed=number))
        image = {"id": "image", "view": view, "path": f"{name}.png", "truth": [1, 1, 9, 9]}
        label = "lateral/x" if view is None else "ap/y"
        studies.append(
            {"id": name, "patient": f"p-{name}", "center": "A", "split": "test", "label": label, "images": [image]}
        )
    task = {"name": "t", "labels": ["ap/x", "ap/y", "lateral/x", "lateral/y"], "views": ["ap", "lateral"]}
    content = {"format": "spinedet-radiographs", "version": 1, "name": "cohort", "task": task, "studies": studies}
    path = folder / "manifest.json"
    path.write_text(json.dumps(content))
    return path


@pytest.fixture
def page(tmp_path: Path, run: Run) -> Path:
    words = (f"data.manifests=[{manifest(tmp_path)}]", f"out={tmp_path / 'out'}", "workers=1", "reading=true")
    status, printed = run("check", *words)
    assert status == 0, printed
    return tmp_path / "out/reading.html"


def test_neither_labels_nor_boxes_of_the_reference_are_on_the_page(page: Path) -> None:
    text = page.read_text()
    data = json.loads(text.split('id="data">')[1].split("</script>")[0])
    assert [sorted(one) for one in data["images"]] == [["id", "picture", "study", "view"]] * 3
    assert data["labels"]["lateral"] == ["lateral/x", "lateral/y"]
    assert "http" not in text.replace("http-equiv", "")


def test_a_reader_exports_what_is_scored(tmp_path: Path, page: Path, run: Run) -> None:
    with chromium(tmp_path) as browser:
        browser.open(page)
        assert browser.run("return document.getElementById('progress').textContent") == "image 1 of 3; 0 read"
        browser.click("#labels button:nth-of-type(2)")  # ap/y
        browser.press("4", "\ue014")  # confidence, right arrow
        browser.run("document.getElementById('rejected').value = 'too dark'")
        browser.run("document.getElementById('rejected').oninput({target: document.getElementById('rejected')})")
        browser.click("#next")
        browser.click("#view button:nth-of-type(2)")  # the view was not known
        browser.click("#labels button:nth-of-type(1)")
        browser.run("document.getElementById('reader').value = 'senior'")
        browser.picture(tmp_path / "page.png")
        browser.click("#export")
        exported = tmp_path / "readings.json"
        for _ in range(100):
            if exported.is_file():
                break
            time.sleep(0.1)
    readings = read_readings(exported)
    assert readings.by_reader
    assert readings.name == "senior"
    first, second, third = (study.images[0] for study in readings.studies)
    assert (first.label, first.confidence, first.rejected) == ("ap/y", 4, None)
    assert (second.label, second.rejected) == (None, "too dark")
    assert (third.label, third.view, third.confidence) == ("lateral/x", "lateral", None)
    assert all(one.seconds is not None and 0 < one.seconds < 60 for one in (first, second, third))
    words = (f"reference={tmp_path / 'manifest.json'}", f"readings={exported}", "bootstrap.samples=20")
    status, printed = run("score", *words, f"out={tmp_path / 'scored'}")
    assert status == 0, printed
    group = read_label_scores(tmp_path / "scored/scores.json").group(unit="image", view="ap")
    assert group.answer(AS_ANSWERED).accuracy.value == 0.5
