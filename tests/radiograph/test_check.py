"""`radiograph.check`: every fault, a contact sheet in one file, and an exit status."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from tests.imaging.radiograph.films import as_integers, dicom, film, save

Content = dict[str, Any]
Audit = Callable[..., tuple[int, list[Content], str]]


def study(name: str, split: str = "test", **changes: Any) -> Content:
    images = [{"id": "ap", "view": "ap", "path": f"{name}.png"}]
    usual = {"id": name, "patient": f"p-{name}", "center": "A", "split": split, "label": "x", "images": images}
    return {**usual, **changes}


@pytest.fixture
def cohort(tmp_path: Path) -> Content:
    for number, name in enumerate(("one", "two", "three")):
        save(tmp_path / f"{name}.png", film(seed=number))
    task = {"name": "t", "labels": ["x", "y"], "views": ["ap"]}
    return {
        "format": "spinedet-radiographs",
        "version": 1,
        "name": "cohort",
        "task": task,
        "studies": [study("one"), study("two"), study("three")],
    }


@pytest.fixture
def audit(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Audit:
    """Exit status, faults, and everything on the terminal."""

    def run(*contents: Content, words: tuple[str, ...] = ()) -> tuple[int, list[Content], str]:
        paths = []
        for number, content in enumerate(contents):
            paths.append(tmp_path / f"manifest{number}.json")
            paths[-1].write_text(json.dumps(content))
        before, out = sys.argv, tmp_path / "out"
        sys.argv = ["x", f"data.manifests=[{','.join(map(str, paths))}]", f"out={out}", "workers=1", *words]
        try:
            with pytest.raises(SystemExit) as stop:
                import_module("spinedet.radiograph.check").main()
        finally:
            sys.argv = before
        printed = capsys.readouterr()
        faults = json.loads((out / "faults.json").read_text()) if (out / "faults.json").exists() else []
        return int(stop.value.code or 0), faults, printed.out + printed.err

    return run


def codes(faults: list[Content]) -> set[str]:
    return {fault["code"] for fault in faults} - {"few_patients"}


def test_a_sound_cohort(cohort: Content, audit: Audit, tmp_path: Path) -> None:
    status, faults, printed = audit(cohort)
    assert (status, codes(faults)) == (0, set())
    page = (tmp_path / "out/index.html").read_text()
    assert page.count('src="data:image/png;base64,') == 3
    assert "http" not in page.replace("http-equiv", "")
    assert "3 (–)" in page
    assert "3 x" in printed


def test_no_pictures(cohort: Content, audit: Audit, tmp_path: Path) -> None:
    audit(cohort, words=("pictures=0",))
    assert "data:image" not in (tmp_path / "out/index.html").read_text()


def test_few_pictures_show_faults_first(cohort: Content, audit: Audit, tmp_path: Path) -> None:
    cohort["studies"][2]["images"][0]["truth"] = [0, 0, 5000, 10]
    audit(cohort, words=("pictures=1",))
    page = (tmp_path / "out/index.html").read_text()
    assert "<strong>three / ap</strong>" in page
    assert "2 more images are not shown" in page


@pytest.mark.parametrize(
    ("change", "code", "status"),
    [
        ({"label": "z"}, "unknown_label", 2),
        ({"split": "dev"}, "format", 2),
        ({"id": "one"}, "repeated_id", 2),
        ({"patient": "p-two"}, None, 0),
        ({"patient": "p-two", "split": "train"}, "patient_in_two_splits", 2),
        ({"patient": "p-two", "center": "B"}, "patient_in_two_centres", 2),
        ({"label": None}, "no_label", 0),
        ({"images": [{"id": "ap", "view": "ap", "path": "missing.png"}]}, "unreadable", 3),
        ({"images": [{"id": "ap", "view": "ap", "path": "three.png", "sha256": "00" * 32}]}, "sha256", 3),
        ({"images": [{"id": "ap", "view": "ap", "path": "two.png"}]}, "same_picture", 2),
        ({"images": [{"id": "ap", "view": "ap", "path": "two.png"}], "patient": "p-two"}, "same_picture", 0),
        ({"images": [{"id": "l", "view": "lateral", "path": "three.png"}]}, "unknown_view", 2),
        ({"images": [{"id": "ap", "view": "ap", "path": "three.png", "truth": [0, 0, 400, 10]}]}, "box_outside", 2),
        ({"images": [{"id": "ap", "path": "three.png"}]}, "doubtful", 0),
        ({"excluded": "no consent", "label": "y"}, None, 0),
    ],
)
def test_a_fault(cohort: Content, audit: Audit, change: Content, code: str | None, status: int) -> None:
    cohort["studies"][2].update(change)
    found, faults, _ = audit(cohort)
    assert found == status
    assert code is None or code in codes(faults)
    assert code is not None or codes(faults) == set()


def test_other_views_and_unfit_images_are_skipped(cohort: Content, audit: Audit, tmp_path: Path) -> None:
    dicom(tmp_path / "mr.dcm", as_integers(film(seed=9)), Modality="MR", PatientName="Doe^Jane")
    cohort["studies"][2]["images"][0]["path"] = "mr.dcm"
    status, faults, printed = audit(cohort)
    assert (status, codes(faults)) == (3, {"unfit"})
    [skipped] = json.loads((tmp_path / "out/skipped.json").read_text())
    assert skipped["study"] == "three/ap"
    assert "MR" in skipped["reason"]
    assert "Doe^Jane" not in printed + (tmp_path / "out/index.html").read_text()


def test_images_resized_to_one_square(cohort: Content, audit: Audit, tmp_path: Path) -> None:
    cohort["studies"] = [study(f"s{number}") for number in range(5)]
    for number in range(5):
        save(tmp_path / f"s{number}.png", film(331, 331, seed=number))
    assert codes(audit(cohort)[1]) == {"equal_squares"}


def test_phantoms_may_be_squares_of_one_size(cohort: Content, audit: Audit, tmp_path: Path) -> None:
    cohort["studies"] = [study(f"s{number}", phantom=True) for number in range(5)]
    for number in range(5):
        save(tmp_path / f"s{number}.png", film(331, 331, seed=number))
    status, faults, printed = audit(cohort)
    assert (status, codes(faults)) == (0, set())
    assert "phantoms drawn by software" in printed


def test_odd_spacing_and_a_missing_view(cohort: Content, audit: Audit, tmp_path: Path) -> None:
    cohort["task"]["views"] = ["ap", "lateral"]
    cohort["studies"] = [study(f"s{number}") for number in range(6)]
    for number, one in enumerate(cohort["studies"]):
        one["images"][0]["mm"] = 0.14 if number else 0.5
        save(tmp_path / f"s{number}.png", film(seed=number))
        one["images"].append({"id": "lat", "view": "lateral", "path": f"l{number}.png"})
        save(tmp_path / f"l{number}.png", film(seed=10 + number))
    del cohort["studies"][5]["images"][1]
    _, faults, _ = audit(cohort)
    assert {tuple(fault["where"]) for fault in faults if fault["code"] == "odd_spacing"} == {("s0", "ap")}
    assert {tuple(fault["where"]) for fault in faults if fault["code"] == "missing_view"} == {("s5",)}


def test_two_manifests_of_two_tasks(cohort: Content, audit: Audit) -> None:
    other = {**cohort, "studies": [], "task": {**cohort["task"], "labels": ["x", "q"]}}
    status, faults, _ = audit(cohort, other)
    assert (status, codes(faults)) == (2, {"tasks"})


@pytest.mark.parametrize(("key", "value"), [("format", "spinedet-manifest"), ("space", "RAS"), ("task", {})])
def test_a_manifest_that_is_none(cohort: Content, audit: Audit, key: str, value: Any) -> None:
    status, faults, _ = audit({**cohort, key: value})
    assert status == 2
    assert codes(faults) <= {"manifest", "format"}


def test_no_manifest_at_all(audit: Audit, capsys: pytest.CaptureFixture[str]) -> None:
    status, _, printed = audit(words=("data.manifests=[]",))
    assert status == 2
    assert "pass data.manifests=" in printed


def test_several_processes_find_the_same(cohort: Content, audit: Audit, tmp_path: Path) -> None:
    save(tmp_path / "three.png", film(40, 60))
    status, faults, _ = audit(cohort, words=("workers=2",))
    assert (status, codes(faults)) == (3, {"unfit"})
