"""Boxes from CSV, COCO, 3D Slicer and instance masks, against millimetres worked out by hand."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from spinedet.core.errors import InputError
from spinedet.core.types import Box
from spinedet.formats.annotated_dataset import Dataset, Reading
from spinedet.formats.coco import CocoConfig, open_coco
from spinedet.formats.csv_boxes import CsvConfig, open_csv
from spinedet.formats.instance_masks import MasksConfig, open_masks
from spinedet.formats.slicer import SlicerConfig, open_slicer

from .conftest import SAGITTAL_LPS, grey, write_itk

# Slices of 4 mm to the left, rows of 0.5 mm to the feet, columns of 0.5 mm to the back; stored (column, row, slice).
SHAPE, SPACING, ORIGIN = (40, 60, 4), (0.5, 0.5, 4.0), (-8.0, 10.0, 100.0)
# Columns 10..19, rows 50..53, slices 1..2 in LPS edges: L -6..2, P 14.75..19.75, S 73.25..75.25.
BOX = Box(center=(2.0, -17.25, 74.25), size=(8.0, 5.0, 2.0))


def write_image(path: Path) -> Path:
    return write_itk(path, grey(SHAPE), SPACING, ORIGIN, SAGITTAL_LPS)


def only(dataset: Dataset) -> Reading:
    (case,) = dataset.cases
    return case.read()


def same(box: Box, other: Box = BOX) -> bool:
    return (
        np.allclose(box.center, other.center)
        and np.allclose(box.size, other.size)
        and np.allclose(box.axes, other.axes)
    )


def csv_file(folder: Path, *rows: str, extra: str = "") -> Path:
    head = f"image,category,x,y,z,width,height,depth{extra}"
    path = folder / "boxes.csv"
    path.write_text("\n".join((head, *rows, "")), "utf-8")
    return path


@pytest.mark.parametrize(
    ("words", "numbers"),
    [
        ({}, "2,-17.25,74.25,8,5,2"),
        ({"anchor": "low"}, "-2,-19.75,73.25,8,5,2"),
        ({"frame": "lps"}, "-2,17.25,74.25,8,5,2"),
        ({"frame": "voxel", "anchor": "low"}, "10,50,1,10,4,2"),
        ({"frame": "voxel"}, "15,52,2,10,4,2"),
    ],
)
def test_a_table_of_boxes_in_every_frame(tmp_path: Path, words: dict[str, str], numbers: str) -> None:
    write_image(tmp_path / "a.nii.gz")
    reading = only(open_csv(csv_file(tmp_path, f"a.nii.gz,bulge,{numbers}"), CsvConfig(**words)))
    (lesion,) = reading.study.lesions
    assert reading.unused == ()
    assert same(lesion.box)
    assert (lesion.category, lesion.origin.value) == ("bulge", "manual")


def test_a_table_may_tell_more_and_an_image_may_have_no_box(tmp_path: Path) -> None:
    for name in ("a", "b", "c"):
        write_image(tmp_path / f"{name}.mha")
    table = csv_file(
        tmp_path,
        "a.mha,bulge,2,-17.25,74.25,8,5,2,S1,P1,H,train,L4/L5,yes,XY",
        "a.mha,bulge,2,-17.25,74.25,8,five,2,S1,P1,H,train,L4/L5,,",
        "a.mha,bulge,2,-17.25,74.25,8,0,2,S1,P1,H,train,L4/L5,,",
        "a.mha,bulge,-200,-17.25,74.25,8,5,2,S1,P1,H,train,L4/L5,,",
        "a.mha,bulge,2,-17.25,74.25,8,5,2,S1,P1,H,train,L9,,",
        "b.mha,,,,,,,,S1,P1,H,train,,,",
        "c.mha,,,,,,,,S2,P2,H,test,,,",
        extra=",study,patient,center,split,level,ignore,reader",
    )
    dataset = open_csv(table, CsvConfig())
    assert dataset.categories == ("bulge",)
    first, second = (case.read() for case in dataset.cases)
    assert [s.id for s in first.study.series] == ["a", "b"]
    lesion, without_level = first.study.lesions
    assert (lesion.level, lesion.ignore, lesion.attributes) == ("L4/L5", True, {"reader": "XY"})
    assert (without_level.level, without_level.ignore) == (None, True)
    assert str(first.study.excluded).endswith(
        "line 3: x, y, z, width, height and depth must be numbers, with a decimal point, and 2 more"
    )
    assert [(each.where, each.reason.split()[0]) for each in first.unused] == [
        ("line 3", "x,"),
        ("line 4", "a"),
        ("line 5", "the"),
        ("line 6", "unknown"),
    ]
    assert (second.study.id, second.study.lesions) == ("S2", ())


def test_a_study_with_two_patients_is_refused(tmp_path: Path) -> None:
    for name in ("a", "b"):
        write_image(tmp_path / f"{name}.mha")
    table = csv_file(tmp_path, "a.mha,,,,,,,,S,P1", "b.mha,,,,,,,,S,P2", extra=",study,patient")
    with pytest.raises(InputError, match="more than one patient"):
        only(open_csv(table, CsvConfig()))


@pytest.mark.parametrize(
    ("words", "message"), [({"frame": "mm"}, "frame=mm"), ({"anchor": "top"}, "anchor"), ({"region": "knee"}, "knee")]
)
def test_wrong_settings_of_a_table_are_refused(words: dict[str, str], message: str) -> None:
    with pytest.raises(InputError, match=message):
        CsvConfig(**words)


def test_a_table_without_a_column_or_with_a_wrong_word_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "boxes.csv"
    path.write_text("image,category\n", "utf-8")
    with pytest.raises(InputError, match="no column 'x'"):
        open_csv(path, CsvConfig())
    with pytest.raises(InputError, match="line 2, split: 'validate'"):
        open_csv(csv_file(tmp_path, "a.mha,,,,,,,,validate", extra=",split"), CsvConfig())


# --- COCO ---


def coco(folder: Path, *annotations: dict[str, Any], **info: str) -> Path:
    content = {
        "info": info,
        "images": [{"id": 1, "file_name": "a.nrrd"}],
        "categories": [{"id": 7, "name": "bulge"}],
        "annotations": [{"id": n, "image_id": 1, "category_id": 7} | one for n, one in enumerate(annotations, start=1)],
    }
    path = folder / "boxes.json"
    path.write_text(json.dumps(content), "utf-8")
    return path


def test_coco_boxes_are_voxel_edges_unless_said_otherwise(tmp_path: Path) -> None:
    write_image(tmp_path / "a.nrrd")
    voxel, ras = {"bbox": [10, 50, 1, 10, 4, 2]}, {"bbox": [-2, -19.75, 73.25, 8, 5, 2]}
    assert same(only(open_coco(coco(tmp_path, voxel), CocoConfig())).study.lesions[0].box)
    assert same(only(open_coco(coco(tmp_path, ras), CocoConfig(frame="ras"))).study.lesions[0].box)
    assert same(only(open_coco(coco(tmp_path, ras, frame="ras"), CocoConfig())).study.lesions[0].box)
    crowd = only(open_coco(coco(tmp_path, voxel | {"iscrowd": 1}), CocoConfig())).study.lesions[0]
    assert crowd.ignore


def test_coco_entries_that_fit_nothing_are_listed(tmp_path: Path) -> None:
    write_image(tmp_path / "a.nrrd")
    flat, stray = {"bbox": [10, 50, 10, 4]}, {"bbox": [10, 50, 1, 10, 4, 2], "image_id": 9}
    unnamed = {"bbox": [10, 50, 1, 10, 4, 2], "category_id": 3}
    dataset = open_coco(coco(tmp_path, flat, stray, unnamed), CocoConfig())
    assert [each.where for each in dataset.unused] == ["annotation 2"]
    assert [each.reason for each in only(dataset).unused] == [
        "bbox has 4 numbers; [x, y, z, width, height, depth] is needed",
        "there is no category 3",
    ]


def test_a_file_that_is_not_coco_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "other.json"
    path.write_text("[1]", "utf-8")
    with pytest.raises(InputError, match="no COCO file"):
        open_coco(path, CocoConfig())
    path.write_text('{"images": [], "categories": [{"id": 1}], "annotations": []}', "utf-8")
    with pytest.raises(InputError, match="name"):
        open_coco(path, CocoConfig())


# --- 3D Slicer ---


def roi(**changes: Any) -> dict[str, Any]:
    plain = {
        "type": "ROI",
        "coordinateSystem": "LPS",
        "roiType": "Box",
        "center": [-2.0, 17.25, 74.25],
        "orientation": [-1, 0, 0, 0, -1, 0, 0, 0, 1],
        "size": [8.0, 5.0, 2.0],
    }
    return plain | changes


def markups(path: Path, *rois: dict[str, Any]) -> None:
    path.write_text(json.dumps({"markups": rois}), "utf-8")


def test_slicer_boxes_in_lps_and_ras(tmp_path: Path) -> None:
    folder = tmp_path / "S1"
    write_image(folder / "sag.nii.gz")
    markups(folder / "sag.bulge L4-L5.mrk.json", roi())
    markups(folder / "sag.R_1.mrk.json", roi(coordinateSystem="RAS", center=[2.0, -17.25, 74.25]))
    markups(folder / "sag.bulge ignore_2.mrk.json", roi())
    reading = only(open_slicer(tmp_path, SlicerConfig()))
    assert reading.study.id == "S1"
    assert all(same(lesion.box) for lesion in reading.study.lesions)
    assert [(lesion.category, lesion.level, lesion.ignore) for lesion in reading.study.lesions] == [
        ("degeneration", None, False),
        ("bulge", "L4/L5", False),
        ("bulge", None, True),
    ]


def test_a_turned_slicer_box_keeps_its_axes(tmp_path: Path) -> None:
    c, s = np.cos(np.radians(20)), np.sin(np.radians(20))
    write_image(tmp_path / "sag.nii.gz")
    # Columns are the box's axes in LPS: the second points back and up, the third up and forward.
    markups(tmp_path / "sag.mrk.json", roi(orientation=[1, 0, 0, 0, c, -s, 0, s, c]))
    (lesion,) = only(open_slicer(tmp_path, SlicerConfig())).study.lesions
    # In RAS, pointed to +A: forward and down.
    assert same(lesion.box, Box(center=BOX.center, size=BOX.size, axes=((1, 0, 0), (0, c, -s), (0, s, c))))


def test_markups_that_are_no_boxes_or_belong_nowhere_are_listed(tmp_path: Path) -> None:
    for name in ("a.nii.gz", "b.nii.gz"):
        write_image(tmp_path / name)
    sheared = roi(orientation=[1, 0.5, 0, 0, 1, 0, 0, 0, 1])
    markups(
        tmp_path / "a.mrk.json",
        {"type": "Fiducial"},
        sheared,
        roi(center=[0, 0]),
        roi(size=[8, 0, 2]),
        roi(size=[5, 2]),
    )
    markups(tmp_path / "z.mrk.json", roi())
    dataset = open_slicer(tmp_path, SlicerConfig())
    assert {each.where for each in dataset.unused} == {"z.mrk.json", "b.nii.gz"}
    assert [each.where for each in only(dataset).unused] == [f"a.mrk.json, markup {n}" for n in (1, 2, 3, 4, 5)]


def test_a_folder_without_markups_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="holds no markups"):
        open_slicer(tmp_path, SlicerConfig())
    write_image(tmp_path / "a.nii.gz")
    (tmp_path / "a.mrk.json").write_text("{}", "utf-8")
    with pytest.raises(InputError, match="no markups file"):
        open_slicer(tmp_path, SlicerConfig())


# --- instance masks ---


def write_masks(root: Path, labels: dict[str, str], instances: dict[str, int] | None, empty: bool = False) -> Path:
    folder = root / "raw_splitted_data" if instances is not None else root
    mask = np.zeros(SHAPE, np.int16)
    if not empty:
        mask[10:20, 50:54, 1:3] = 1
        mask[12:16, 10:12, 1:3] = 2 if instances is not None else 1
        mask[0, 0, 0] = 1 if instances is None else 0
    write_image(folder / "imagesTr" / "case_0000.nii.gz")
    write_itk(folder / "labelsTr" / "case.nii.gz", mask, SPACING, ORIGIN, SAGITTAL_LPS)
    (root / "dataset.json").write_text(json.dumps({"labels": labels}), "utf-8")
    if instances is not None:
        (folder / "labelsTr" / "case.json").write_text(json.dumps({"instances": instances}), "utf-8")
    return root


def test_nndetection_instances(tmp_path: Path) -> None:
    root = write_masks(tmp_path, {"0": "bulge", "1": "protrusion"}, {"1": 1, "2": 0, "3": 0})
    dataset = open_masks(root, MasksConfig())
    assert dataset.categories == ("bulge", "protrusion")
    reading = only(dataset)
    assert [(lesion.id, lesion.category) for lesion in reading.study.lesions] == [("1", "protrusion"), ("2", "bulge")]
    assert same(reading.study.lesions[0].box)
    assert reading.study.lesions[0].origin.value == "mask"
    assert [each.reason for each in reading.unused] == ["the mask has no voxel of it"]


@pytest.mark.parametrize("labels", [{"background": 0, "bulge": 1}, {"0": "background", "1": "bulge"}])
def test_nnunet_classes_become_connected_parts(tmp_path: Path, labels: dict[str, Any]) -> None:
    reading = only(open_masks(write_masks(tmp_path, labels, None), MasksConfig()))
    assert sorted(lesion.category for lesion in reading.study.lesions if not lesion.ignore) == ["bulge", "bulge"]
    assert [lesion.box.size for lesion in reading.study.lesions if lesion.ignore] == [(4.0, 0.5, 0.5)]
    assert reading.study.excluded is None
    assert sum(same(lesion.box) for lesion in reading.study.lesions) == 1
    assert [each.reason for each in reading.unused] == ["1 voxels, under source.min_voxels"]


def test_a_mask_without_a_finding_is_a_study_without_lesions(tmp_path: Path) -> None:
    reading = only(open_masks(write_masks(tmp_path, {"0": "bulge"}, {}, empty=True), MasksConfig()))
    assert reading.study.lesions == ()
    assert reading.unused == ()


def test_wrong_mask_folders_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"dataset\.json does not exist"):
        open_masks(tmp_path, MasksConfig())
    (tmp_path / "dataset.json").write_text('{"labels": ["bulge"]}', "utf-8")
    with pytest.raises(InputError, match="class numbers to names"):
        open_masks(tmp_path, MasksConfig())
    root = write_masks(tmp_path, {"0": "bulge"}, {"1": 5})
    with pytest.raises(InputError, match="instance numbers to classes"):
        only(open_masks(root, MasksConfig()))
    with pytest.raises(InputError, match="min_voxels"):
        MasksConfig(min_voxels=0)
