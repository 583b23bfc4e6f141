"""3D Slicer markups and masks that cannot be used."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ...formats.conftest import write_itk
from ...formats.test_annotated_images import (
    BOX,
    ORIGIN,
    SAGITTAL_LPS,
    SHAPE,
    SPACING,
    roi,
    same,
    write_image,
    write_masks,
)


def test_a_markup_that_is_no_box_excludes_its_study(convert, tmp_path: Path) -> None:
    for name, *markups in (("a", roi(), {"type": "Fiducial"}), ("b", roi())):
        write_image(tmp_path / "s" / f"{name}.nii.gz")
        (tmp_path / "s" / f"{name}.mrk.json").write_text(json.dumps({"markups": markups}), "utf-8")
    status, studies, _ = convert("source=slicer", f"root={tmp_path / 's'}")
    assert status == 3
    assert "not a box (ROI)" in str(studies["a"].excluded)
    assert same(studies["b"].lesions[0].box)


def write_regions(root: Path, labels: dict[str, Any]) -> str:
    """Label 1 fills `BOX`, label 2 the half of it on slice 2, label 3 a block of its own."""
    mask = np.zeros(SHAPE, np.int16)
    mask[10:20, 50:54, 1:3] = 1
    mask[10:20, 50:54, 2] = 2
    mask[5:10, 20:30, 1:3] = 3
    write_image(root / "imagesTr" / "case_0000.nii.gz")
    write_itk(root / "labelsTr" / "case.nii.gz", mask, SPACING, ORIGIN, SAGITTAL_LPS)
    (root / "dataset.json").write_text(json.dumps({"labels": labels}), "utf-8")
    return f"root={root}"


def test_regions_are_united_and_the_ignore_label_makes_boxes_to_ignore(convert, tmp_path: Path) -> None:
    labels = {"background": 0, "whole": [1, 2], "core": [2], "ignore": 3}
    status, studies, unused = convert("source=masks", write_regions(tmp_path / "m", labels))
    lesions = {(lesion.category, lesion.ignore): lesion.box for lesion in studies["case"].lesions}
    assert (status, unused) == (0, [])
    assert set(lesions) == {(name, ignore) for name in ("whole", "core") for ignore in (True, False)}
    assert same(lesions["whole", False])
    # Slice 2 of the block: L -2..2.
    assert lesions["core", False].center == pytest.approx((0.0, *BOX.center[1:]))
    assert lesions["core", False].size == pytest.approx((4.0, 5.0, 2.0))
    # Columns 5..9, rows 20..29, slices 1..2: P 12.25..14.75, S 85.25..90.25.
    assert lesions["whole", True].center == pytest.approx((2.0, -13.5, 87.75))
    assert lesions["whole", True].size == pytest.approx((8.0, 2.5, 5.0))


def test_a_label_without_a_class_excludes_its_study(convert, tmp_path: Path) -> None:
    assert convert("source=masks", write_regions(tmp_path / "m", {"background": 0, "whole": [1, 2]}))[0] == 2


@pytest.mark.parametrize("labels", [{"a": 1, "ignore": [2, 3]}, {"a": [1, "2"]}, {"a": []}, {"a": {"b": 1}}])
def test_labels_that_cannot_be_read_are_refused(convert, tmp_path: Path, labels: dict[str, Any]) -> None:
    assert convert("source=masks", write_regions(tmp_path / "m", labels))[0] == 2


def test_small_parts_become_boxes_to_ignore(convert, tmp_path: Path) -> None:
    root = write_masks(tmp_path / "m", {"background": 0, "bulge": 1}, None)  # type: ignore[dict-item]
    status, studies, unused = convert("source=masks", f"root={root}")
    assert (status, [each["effect"] for each in unused]) == (3, ["ignored"])
    assert [lesion.ignore for lesion in studies["case"].lesions].count(True) == 1
