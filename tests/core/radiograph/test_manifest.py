"""A manifest of radiographs is read whole or refused with the file, the study, the image and the field."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from spinedet.core.errors import InputError
from spinedet.core.manifest import PHANTOM_NOTE
from spinedet.core.radiograph import (
    VIEWS,
    RadiographStudy,
    Task,
    phantom_note,
    read_radiograph_cohort,
    read_radiographs,
    write_radiographs,
)
from spinedet.core.types import Split

Content = dict[str, Any]
Write = Callable[[Content], Path]
NAN = float("nan")


def put(content: Content, place: str, value: Any) -> None:
    """Set `studies/0/images/0/view` and the like."""
    *steps, last = [int(step) if step.isdigit() else step for step in place.split("/")]
    here: Any = content
    for step in steps:
        here = here[step]
    here[last] = value


def test_a_manifest_says_what_its_file_says(reference: Content, write: Write) -> None:
    path = write(reference)
    manifest = read_radiographs(path)
    assert (manifest.name, manifest.task.name, manifest.task.labels) == ("two", "implants", ("A", "B", "C"))
    first, second = manifest.studies
    assert (first.id, first.patient, first.center, first.split) == ("A-1", "p1", "A", Split.TRAIN)
    assert second.split is Split.TEST
    frontal, side = first.images
    assert frontal.path == path.parent / "A-1" / "ap.dcm"
    assert (frontal.mm, frontal.truth) == (None, ())
    assert (side.view, side.mm, side.truth) == ("lateral", 0.14, ((10.0, 20.0, 30.5, 60.0),))
    assert [first.label_of(image, manifest.task) for image in first.images] == ["C", "C"]


def test_what_may_be_absent(reference: Content, write: Write) -> None:
    for key in ("attributes", "split", "label", "excluded"):
        del reference["studies"][0][key]
    del reference["task"]["positive"]
    study = read_radiographs(write(reference)).studies[0]
    assert (study.split, study.label, study.excluded, study.phantom) == (None, None, None, False)


@pytest.mark.parametrize(
    ("place", "value", "words"),
    [
        ("format", "spinedet-manifest", ['"format" must be "spinedet-radiographs"']),
        ("version", 2, ["has version 2", "reads version 1"]),
        ("space", "RAS", ["has space 'RAS'", "no position in the patient", 'leave "space" out']),
        ("space", "LPS", ["has space 'LPS'"]),
        ("name", "", ["name"]),
        ("task", None, ["task"]),
        ("task/labels", ["A"], ["task, labels"]),
        ("task/labels", ["A", "A", "C"], ["names a label twice"]),
        ("task/labels", ["A", "other", "C"], ["'other' means none of the labels"]),
        ("task/views", [], ["task, views"]),
        ("task/views", ["ap", "ap"], ["names a view twice"]),
        ("task/views", ["ap", "lordotic"], ["unknown view 'lordotic'", "ap, lateral"]),
        ("task/views", ["ap"], ["study 'A-1', image 'lat', view", "no view 'lateral'"]),
        ("task/positive", "A", ["a task with two labels"]),
        ("studies/0/id", "A-2", ["study id 'A-2' appears more than once"]),
        ("studies/0/split", "validation", ["study 'A-1'", "split", "validation"]),
        ("studies/0/label", "D", ["study 'A-1', image 'ap', label", "unknown label 'D'", "A, B, C, other or null"]),
        ("studies/0/attributes/age", NAN, ["study 'A-1'", "finite"]),
        ("studies/0/images/0/id", "lat", ["study 'A-1'", "image id 'lat' appears more than once"]),
        ("studies/0/images/0/view", "AP", ["study 'A-1'", "image 'ap'", "unknown view 'AP'"]),
        ("studies/0/images/0/label", "D", ["image 'ap', label", "unknown label 'D'"]),
        ("studies/0/images/0/label", "A", ["labelled 'A' and its study 'C'"]),
        ("studies/0/images/1/mm", 0, ["image 'lat'", "mm", "greater than 0"]),
        ("studies/0/images/1/mm", NAN, ["image 'lat'", "mm", "finite"]),
        ("studies/0/images/1/mm", "0.14", ["image 'lat'", "mm"]),
        ("studies/0/images/1/truth", [10, 20, 10, 60], ["x0 < x1"]),
        ("studies/0/images/1/truth", [10, 20, 30], ["truth"]),
        ("studies/0/images/1/truth", [-1, 20, 30, 60], ["0 <= x0"]),
        ("studies/0/images/1/truth", [NAN, 20, 30, 60], ["finite"]),
        ("studies/0/images/1/places", [{"name": "L1"}], ["place 0", "box"]),
    ],
)
def test_a_fault_is_refused_by_name(reference: Content, write: Write, place: str, value: Any, words: list[str]) -> None:
    put(reference, place, value)
    path = write(reference)
    with pytest.raises(InputError) as refused:
        read_radiographs(path)
    assert [word for word in [str(path), *words] if word not in str(refused.value)] == []


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"patient": "p1"}, ["patient 'p1' is in two splits (train and test"]),
        ({"patient": "p1", "split": "train", "center": "B"}, ["patient 'p1' is in two centres (A and B"]),
    ],
)
def test_a_patient_has_one_split_and_one_center(
    reference: Content, write: Write, changes: Content, words: list[str]
) -> None:
    reference["studies"][1].update(changes)
    with pytest.raises(InputError) as refused:
        read_radiographs(write(reference))
    assert [word for word in words if word not in str(refused.value)] == []


def test_one_image_in_two_splits_is_refused_and_in_one_split_is_not(reference: Content, write: Write) -> None:
    reference["studies"][0]["images"][0]["sha256"] = "AB" * 32
    reference["studies"][1]["images"][1]["sha256"] = "ab" * 32
    with pytest.raises(InputError, match="'A-1' \\(train\\) and 'A-2' \\(test\\) hold the same image"):
        read_radiographs(write(reference))
    reference["studies"][1]["split"] = "train"
    assert len(read_radiographs(write(reference)).studies) == 2


def test_leakage_between_files_is_refused(reference: Content, write: Write) -> None:
    second = copy.deepcopy(reference)
    second["studies"] = [{**second["studies"][1], "id": "A-3", "patient": "p1"}]
    with pytest.raises(InputError, match="patient 'p1' is in two splits"):
        read_radiograph_cohort([write(reference), write(second)])


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"labels": ["A", "B", "C", "D"]}, "other labels"),
        ({"views": ["lateral"]}, "other views"),
        ({"labels": ["C", "B", "A"], "name": "same"}, None),
    ],
)
def test_one_task_at_a_time(reference: Content, write: Write, change: Content, words: str | None) -> None:
    second = copy.deepcopy(reference)
    second["task"].update(change)
    second["studies"] = []
    paths = [write(reference), write(second)]
    if words is None:
        assert read_radiograph_cohort(paths).task.labels == ("A", "B", "C")
        return
    with pytest.raises(InputError, match=words):
        read_radiograph_cohort(paths)


def test_no_manifest_is_refused() -> None:
    with pytest.raises(InputError, match=r"pass data.manifests="):
        read_radiograph_cohort([])


def test_written_and_read_again_it_is_the_same(reference: Content, write: Write, tmp_path: Path) -> None:
    reference["studies"][0]["images"][1]["places"] = [{"name": "L1", "box": [1, 2, 3, 4], "attributes": {"grade": 2}}]
    reference["studies"][0]["images"][0]["excluded"] = "oblique"
    reference["studies"][1]["phantom"] = True
    reference["studies"][1]["custom"] = 7
    manifest = read_radiographs(write(reference))
    path = tmp_path / "deeper" / "again.json"
    write_radiographs(path, manifest)
    assert read_radiographs(path) == manifest
    content = json.loads(path.read_text())
    assert "space" not in content
    assert content["studies"][0]["images"][0]["path"] == "../A-1/ap.dcm"
    assert "places" not in content["studies"][0]["images"][0]
    assert content["studies"][1]["custom"] == 7
    write_radiographs(path, manifest, absolute=True)
    assert json.loads(path.read_text())["studies"][0]["images"][0]["path"] == str(tmp_path / "A-1" / "ap.dcm")


def test_excluded_images_are_never_used(reference: Content, write: Write) -> None:
    reference["studies"][0]["images"][0]["excluded"] = "oblique"
    reference["studies"][1]["excluded"] = "consent withdrawn"
    manifest = read_radiographs(write(reference))
    assert [(study.id, image.id) for study, image in manifest.images()] == [("A-1", "lat")]


# --- labels of one view ---


def scoliosis() -> Task:
    labels = ("ap/plain", "ap/fusion", "lateral/plain", "lateral/fusion")
    return Task(name="scoliosis", labels=labels, views=("ap", "lateral"))


@pytest.mark.parametrize(
    ("written", "view", "label"),
    [
        ("fusion", "ap", "ap/fusion"),
        ("fusion", "lateral", "lateral/fusion"),
        ("ap/fusion", "ap", "ap/fusion"),
        ("ap/fusion", None, "ap/fusion"),
        ("other", "ap", "other"),
        (None, "ap", None),
    ],
)
def test_a_label_of_one_view(written: str | None, view: str | None, label: str | None) -> None:
    assert scoliosis().label_of(written, view) == label


@pytest.mark.parametrize(("written", "view"), [("lateral/fusion", "ap"), ("fusion", None), ("brace", "ap")])
def test_a_label_of_another_view_is_refused(written: str, view: str | None) -> None:
    with pytest.raises(ValueError, match="unknown label"):
        scoliosis().label_of(written, view)


def test_a_label_of_a_view_that_the_task_does_not_have() -> None:
    with pytest.raises(ValueError, match="which the task does not have"):
        Task(name="x", labels=("ap/a", "lateral/a"), views=("ap",))


def test_the_labels_of_a_view() -> None:
    assert scoliosis().labels_of("ap") == ("ap/plain", "ap/fusion")
    assert len(scoliosis().labels_of(None)) == 4


def test_the_positive_label_of_two() -> None:
    assert Task(name="f", labels=("none", "fresh"), views=("lateral",), positive="fresh").positive == "fresh"


# --- views and phantoms ---


def test_a_view_is_seen_along_its_beam() -> None:
    for name, spec in VIEWS.items():
        assert spec.name == name
        across = [sum(a * b for a, b in zip(spec.beam, one, strict=True)) for one in (spec.columns, spec.rows)]
        assert across == [0, 0]


def test_phantoms_are_called_phantoms() -> None:
    drawn = RadiographStudy(id="1", patient="1", center="A", images=(), phantom=True)
    assert phantom_note([drawn]) == (PHANTOM_NOTE,)
    assert phantom_note([drawn.model_copy(update={"phantom": False})]) == ()


def test_the_manifest_that_the_documents_show_is_valid(tmp_path: Path) -> None:
    text = (Path(__file__).parents[3] / "docs" / "radiographs.md").read_text(encoding="utf-8")
    [block] = [one for one in re.findall(r"```json\n(.*?)```", text, re.DOTALL) if "spinedet-radiographs" in one]
    path = tmp_path / "shown.json"
    path.write_text(block)
    assert [study.id for study in read_radiographs(path).studies] == ["B-17"]
