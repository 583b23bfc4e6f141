"""COCO annotations that cannot be used."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ...formats.test_annotated_images import (
    same,
)
from .conftest import write_coco


def test_coco_ids_match_whether_they_are_text_or_numbers(convert, tmp_path: Path) -> None:
    status, studies, _ = convert("source=coco", write_coco(tmp_path / "c", {"image_id": "1", "category_id": "7"}))
    assert status == 0
    assert same(studies["a"].lesions[0].box)
    assert studies["b"].lesions == ()


def test_coco_ids_that_match_no_image_exclude_images_without_annotations(convert, tmp_path: Path) -> None:
    status, studies, unused = convert("source=coco", write_coco(tmp_path / "c", {}, {"image_id": 77}))
    assert status == 3
    assert studies["a"].excluded is None
    assert "1 annotations name no image" in str(studies["b"].excluded)
    assert {each["where"] for each in unused} == {"annotation 2", "b.mha"}


def test_coco_ids_that_match_nothing_at_all_are_refused(convert, tmp_path: Path) -> None:
    assert convert("source=coco", write_coco(tmp_path / "c", {"image_id": 77}))[0] == 2


@pytest.mark.parametrize(
    ("what", "content"),
    [
        ("image id '1'", {"images": [{"id": 1, "file_name": "a.mha"}, {"id": "1", "file_name": "b.mha"}]}),
        ("category id '7'", {"categories": [{"id": 7, "name": "bulge"}, {"id": 7, "name": "modic"}]}),
        ("file_name id 'a.mha'", {"images": [{"id": 1, "file_name": "a.mha"}, {"id": 2, "file_name": "a.mha"}]}),
    ],
)
def test_coco_ids_that_come_twice_are_refused(
    convert, tmp_path: Path, capsys: pytest.CaptureFixture[str], what: str, content: dict[str, Any]
) -> None:
    assert convert("source=coco", write_coco(tmp_path / "c", {}, **content))[0] == 2
    assert what in " ".join(capsys.readouterr().err.split())


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"bbox": ["10,5", 50, 1, 10, 4, 2]}, "bbox holds something else"),
        ({"bbox": [10, 50, 10, 4]}, "bbox has 4 numbers"),
        ({"category_id": 9}, "there is no category 9"),
    ],
)
def test_a_coco_box_that_cannot_be_used_excludes_its_study(
    convert, tmp_path: Path, change: dict[str, Any], reason: str
) -> None:
    status, studies, _ = convert("source=coco", write_coco(tmp_path / "c", change, {"image_id": 2, "level": "L4-L5"}))
    assert status == 3
    assert reason in str(studies["a"].excluded)
    assert studies["b"].lesions[0].level == "L4/L5"
