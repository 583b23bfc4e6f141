"""A conversion whose manifest and unused annotations are read back."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from spinedet.core.manifest import read_manifest
from spinedet.core.types import Study

from ...formats.test_annotated_images import (
    write_image,
)
from ..conftest import Run

HEAD = "image,category,x,y,z,width,height,depth"
GOOD = "bulge,2,-17.25,74.25,8,5,2"


def write_csv(folder: Path, text: str, encoding: str = "utf-8") -> str:
    folder.mkdir(exist_ok=True)
    for name in ("a", "b"):
        write_image(folder / f"{name}.mha")
    (folder / "boxes.csv").write_text(text, encoding)
    return f"root={folder / 'boxes.csv'}"


def write_coco(folder: Path, *annotations: dict[str, Any], **content: Any) -> str:
    folder.mkdir(exist_ok=True)
    for name in ("a", "b"):
        write_image(folder / f"{name}.mha")
    whole = {
        "images": [{"id": 1, "file_name": "a.mha"}, {"id": 2, "file_name": "b.mha"}],
        "categories": [{"id": 7, "name": "bulge"}],
        "annotations": [
            {"id": n, "image_id": 1, "category_id": 7, "bbox": [10, 50, 1, 10, 4, 2]} | one
            for n, one in enumerate(annotations, 1)
        ],
    }
    (folder / "boxes.json").write_text(json.dumps(whole | content), "utf-8")
    return f"root={folder / 'boxes.json'}"


@pytest.fixture
def convert(run: Run, tmp_path: Path) -> Callable[..., tuple[int, dict[str, Study], list[dict[str, str]]]]:
    """Convert; the exit status, the studies by id, and what could not be used."""

    def convert(*words: str) -> tuple[int, dict[str, Study], list[dict[str, str]]]:
        out = tmp_path / "out"
        status = run("convert", *words, f"out={out}", "pictures=0", "workers=1")
        if status == 2:
            assert not (out / "manifest.json").exists()
            return status, {}, []
        unused = json.loads((out / "unused.json").read_text("utf-8")) if (out / "unused.json").exists() else []
        return status, {study.id: study for study in read_manifest(out / "manifest.json").studies}, unused

    return convert
