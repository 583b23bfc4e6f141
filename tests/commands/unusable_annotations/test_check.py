"""What `check` reports of annotations that a conversion could not use."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from spinedet.core.manifest import read_manifest

from ..conftest import Run
from .conftest import GOOD, HEAD, write_coco, write_csv


def test_check_reports_what_a_conversion_could_not_use(convert, run: Run, tmp_path: Path) -> None:
    rows = f"a.mha,bulge,-200,-17.25,74.25,8,5,2,\nb.mha,{GOOD},L9\nb.mha,{GOOD},L4/L5\n"
    assert convert("source=csv", write_csv(tmp_path / "t", f"{HEAD},level\n{rows}"))[0] == 3
    manifest = tmp_path / "out" / "manifest.json"

    def faults(name: str) -> tuple[int, dict[str, str]]:
        out = tmp_path / name
        status = run("check", f"data.manifests=[{manifest}]", f"out={out}", "pictures=false", "workers=1")
        listed = json.loads((out / "faults.json").read_text("utf-8"))
        return status, {f["where"][0]: f["severity"] for f in listed if f["code"] == "unused_annotation"}

    assert faults("first")[1] == {"a": "warning", "b": "warning"}
    content = json.loads(manifest.read_text("utf-8"))
    content["studies"][0]["excluded"] = None
    manifest.write_text(json.dumps(content), "utf-8")
    assert faults("second") == (2, {"a": "error", "b": "warning"})


def test_categories_that_differ_in_case_are_told(convert, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert convert("source=csv", write_csv(tmp_path / "t", f"{HEAD}\na.mha,{GOOD}\nb.mha,B{GOOD[1:]}\n"))[0] == 0
    assert "'Bulge', 'bulge' differ in case alone" in " ".join(capsys.readouterr().err.split())


def test_a_coco_category_under_two_ids_is_one(convert, tmp_path: Path) -> None:
    twice = {"categories": [{"id": 7, "name": "bulge"}, {"id": 8, "name": "bulge"}]}
    root = write_coco(tmp_path / "c", {}, {"image_id": 2, "category_id": 8}, **twice)
    assert convert("source=coco", root)[0] == 0
    assert read_manifest(tmp_path / "out/manifest.json").categories == ("bulge",)
