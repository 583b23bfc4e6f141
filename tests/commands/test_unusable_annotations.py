"""Annotations that cannot be used: every converter excludes the study or ignores the place, and says so."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from spinedet.core.manifest import read_manifest
from spinedet.core.types import Study

from ..datasets import test_rsna2024 as rsna
from ..datasets import test_tianchi as tianchi
from ..formats.conftest import write_dicom, write_itk
from ..formats.test_annotated_images import (
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
from ..formats.test_voc import write_xml
from .conftest import Run

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


# --- tables ---


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("a.mha,bulge,-200,-17.25,74.25,8,5,2", "source.anchor"),
        ("a.mha,bulge,12,5,-17,25,74.25,8,5,2", "more cells than columns"),
        ('a.mha,bulge,"2,0",-17.25,74.25,8,5,2', "with a decimal point"),
        ("a.mha,,2,-17.25,74.25,8,5,2", "without a category"),
        ("a.mha,bulge,2,-17.25,74.25,8,5,0", "above 0"),
    ],
)
def test_a_row_without_a_usable_box_excludes_its_study(convert, tmp_path: Path, row: str, reason: str) -> None:
    table = write_csv(tmp_path / "t", f"{HEAD}\n{row}\nb.mha,{GOOD}\n")
    status, studies, unused = convert("source=csv", table)
    assert status == 3
    assert reason in str(studies["a"].excluded)
    assert [(each["study"], each["effect"]) for each in unused] == [("a", "excluded")]
    assert studies["b"].excluded is None
    assert same(studies["b"].lesions[0].box)


def test_nothing_usable_is_refused_and_leaves_the_folder_free(
    convert, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table = write_csv(tmp_path / "t", f"{HEAD}\na.mha,bulge,-200,-17.25,74.25,8,5,2\n")
    assert convert("source=csv", table)[0] == 2
    assert "reaches out of its image" in " ".join(capsys.readouterr().err.split())
    assert list((tmp_path / "out").iterdir()) == []


def test_lower_corners_are_read_with_their_anchor(convert, tmp_path: Path) -> None:
    table = write_csv(tmp_path / "t", f"{HEAD}\na.mha,bulge,-2,-19.75,73.25,8,5,2\n")
    status, studies, _ = convert("source=csv", table, "source.anchor=low")
    assert status == 0
    assert same(studies["a"].lesions[0].box)


@pytest.mark.parametrize("delimiter", [";", "\t"])
def test_decimal_commas_are_read_where_commas_do_not_separate(convert, tmp_path: Path, delimiter: str) -> None:
    numbers = "2,0 -17,25 74,25 8 5,0 2 2,5".replace(" ", delimiter)
    head = f"{HEAD},severity".replace(",", delimiter)
    table = write_csv(tmp_path / "t", f"{head}\na.mha{delimiter}bulge{delimiter}{numbers}\n", "utf-8-sig")
    status, studies, _ = convert("source=csv", table)
    (lesion,) = studies["a"].lesions
    assert status == 0
    assert same(lesion.box)
    assert lesion.severity == 2.5


@pytest.mark.parametrize("level", ["L4-L5", "l4/l5", "L4_L5", "L45", "L4/5"])
def test_levels_are_read_as_tables_write_them(convert, tmp_path: Path, level: str) -> None:
    table = write_csv(tmp_path / "t", f"{HEAD},level\na.mha,{GOOD},{level}\n")
    status, studies, _ = convert("source=csv", table)
    assert (status, studies["a"].lesions[0].level) == (0, "L4/L5")


def test_an_unknown_level_makes_the_place_one_to_ignore(convert, tmp_path: Path) -> None:
    table = write_csv(tmp_path / "t", f"{HEAD},level\na.mha,{GOOD},L9\nb.mha,{GOOD},\n")
    status, studies, unused = convert("source=csv", table)
    (lesion,) = studies["a"].lesions
    assert (status, lesion.ignore, lesion.level, studies["a"].excluded) == (3, True, None, None)
    assert same(lesion.box)
    assert [each["effect"] for each in unused] == ["ignored"]


def test_severity_is_a_number_and_words_are_listed(convert, tmp_path: Path) -> None:
    table = write_csv(tmp_path / "t", f"{HEAD},severity,reader\na.mha,{GOOD},2,07\nb.mha,{GOOD},bad,07\n")
    status, studies, unused = convert("source=csv", table)
    assert status == 0
    assert studies["a"].lesions[0].attributes == {"severity": 2, "reader": "07"}
    assert studies["b"].lesions[0].attributes == {"severity": "bad", "reader": "07"}
    assert ["severity is 'bad'" in each["reason"] for each in unused] == [True]


def test_rows_of_one_image_that_disagree_exclude_it(convert, tmp_path: Path) -> None:
    rows = f"a.mha,{GOOD},S1\na.mha,{GOOD},S2\nb.mha,{GOOD},S3\n"
    status, studies, _ = convert("source=csv", write_csv(tmp_path / "t", f"{HEAD},study\n{rows}"))
    assert status == 3
    assert "another study" in str(studies["S1"].excluded)


def test_images_of_one_name_in_two_folders_are_two_studies(convert, tmp_path: Path) -> None:
    for name in ("case1", "case2"):
        write_image(tmp_path / "t" / name / "out.mha")
    table = write_csv(tmp_path / "t", f"{HEAD}\ncase1/out.mha,{GOOD}\ncase2/out.mha,\n")
    status, studies, _ = convert("source=csv", table)
    assert status == 0
    assert {name: len(study.lesions) for name, study in studies.items()} == {"case1-out": 1, "case2-out": 0}


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_tables_are_read_with_a_byte_order_mark(convert, tmp_path: Path, encoding: str) -> None:
    table = write_csv(tmp_path / "t", f"{HEAD},note\na.mha,{GOOD},Höhe\n", encoding)
    status, studies, _ = convert("source=csv", table)
    assert (status, studies["a"].lesions[0].attributes) == (0, {"note": "Höhe"})


def test_a_table_in_another_encoding_is_refused(convert, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert convert("source=csv", write_csv(tmp_path / "t", f"{HEAD},n\na.mha,{GOOD},Höhe\n", "cp1252"))[0] == 2
    assert "not in UTF-8 (line 2)" in " ".join(capsys.readouterr().err.split())


# --- COCO ---


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


# --- VOC ---


def write_voc(root: Path) -> str:
    """Two studies of three slices at L = 0, 4, 8, with a box on the middle one of each."""
    for study in ("P1", "P2"):
        for n in range(3):
            uids = (f"1.{study[1]}", f"1.{study[1]}.2", f"1.{study[1]}.3.{n}")
            write_dicom(root / study / f"{study}_{n}.dcm", (4.0 * n, 10.0, 100.0), uids)
        write_xml(root / study / f"{study}_1.xml", ("L4-L5_Severe", 11, 21, 20, 30))
    return f"root={root}"


def resize(path: Path, size: str, factor: int = 1) -> None:
    text = path.read_text("utf-8").replace("<object>", f"{size}<object>")
    if factor != 1:
        for tag, value in {"xmin": 11, "ymin": 21}.items():
            text = text.replace(f"<{tag}>{value}<", f"<{tag}>{(value - 1) * factor + 1}<")
        for tag, value in {"xmax": 20, "ymax": 30}.items():
            text = text.replace(f"<{tag}>{value}<", f"<{tag}>{value * factor}<")
    path.write_text(text, "utf-8")


def test_voc_boxes_of_an_enlarged_picture_are_scaled(convert, tmp_path: Path) -> None:
    root = write_voc(tmp_path / "voc")
    resize(tmp_path / "voc/P1/P1_1.xml", "<size><width>60</width><height>80</height></size>", 2)
    status, studies, _ = convert("source=voc", root)
    scaled, plain = studies["P1"].lesions[0].box, studies["P2"].lesions[0].box
    assert status == 0
    # Slices of 30 x 40 pixels of 0.8 x 0.5 mm; edges 10..20 and 20..30 on slice 1: L 2..6, P 17.6..25.6,
    # S 85.25..90.25.
    assert scaled.center == pytest.approx((-4.0, -21.6, 87.75))
    assert scaled.size == pytest.approx((4.0, 8.0, 5.0))
    assert (scaled.center, scaled.size) == (pytest.approx(plain.center), pytest.approx(plain.size))


@pytest.mark.parametrize(
    ("size", "reason"),
    [
        ("<size><width>40</width><height>30</height></size>", "40 x 30 pixels"),
        ("<size><width>15</width><height>20</height></size>", "reaches out"),
    ],
)
def test_voc_boxes_of_another_picture_exclude_the_study(convert, tmp_path: Path, size: str, reason: str) -> None:
    root = write_voc(tmp_path / "voc")
    resize(tmp_path / "voc/P1/P1_1.xml", size)
    status, studies, _ = convert("source=voc", root)
    assert status == 3
    assert reason in str(studies["P1"].excluded)
    assert studies["P2"].excluded is None


def test_voc_files_without_a_slice_exclude_the_study(convert, tmp_path: Path) -> None:
    root = write_voc(tmp_path / "voc")
    write_xml(tmp_path / "voc/P1/P1_9.xml", ("L4-L5_Severe", 11, 21, 20, 30))
    write_xml(tmp_path / "voc/other.xml", ("L4-L5_Severe", 11, 21, 20, 30))
    status, studies, unused = convert("source=voc", root)
    assert status == 3
    assert "there is no slice P1_9.dcm" in str(studies["P1"].excluded)
    assert {each["study"]: each["where"] for each in unused} == {"": "other.xml", "P1": "P1_9.xml"}


@pytest.mark.parametrize(
    ("declared", "encoding"), [("GB2312", "gb18030"), ("windows-1252", "cp1252"), ("Shift_JIS", "shift_jis")]
)
def test_voc_files_are_read_in_the_encoding_that_they_declare(
    convert, tmp_path: Path, declared: str, encoding: str
) -> None:
    root = write_voc(tmp_path / "voc")
    word = {"gb18030": "腰椎", "cp1252": "Höhe", "shift_jis": "腰椎"}[encoding]
    xml = tmp_path / "voc/P1/P1_1.xml"
    text = xml.read_text("utf-8").replace("L4-L5_Severe", f"L4-L5_{word}_Severe")
    xml.write_bytes(f"<?xml version='1.0' encoding='{declared}'?>\n{text}".encode(encoding))
    status, studies, _ = convert("source=voc", root)
    (lesion,) = studies["P1"].lesions
    assert (status, lesion.level, lesion.severity) == (0, "L4/L5", 3)
    assert lesion.attributes["name"] == f"L4-L5_{word}_Severe"


@pytest.mark.parametrize("declared", ["klingon", "utf-8"])
def test_voc_files_in_another_encoding_exclude_the_study(convert, tmp_path: Path, declared: str) -> None:
    root = write_voc(tmp_path / "voc")
    xml = tmp_path / "voc/P1/P1_1.xml"
    xml.write_bytes(f"<?xml version='1.0' encoding='{declared}'?>".encode() + "<a>腰</a>".encode("gb18030"))
    status, studies, _ = convert("source=voc", root)
    assert status == 3
    assert "no readable XML" in str(studies["P1"].excluded)


# --- 3D Slicer and masks ---


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


# --- what check says ---


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


# --- published data sets ---


def rsna_root(root: Path, *points: tuple[str, ...], **grades: str) -> str:
    """The competition's folder with one study that has these points and grades, all others Normal/Mild."""
    rsna.write_tables(root, points=points, grades=grades)
    rsna.write_images(root)
    return f"root={root}"


CANAL = (rsna.T2, "3", "Spinal Canal Stenosis", "L4/L5")
SEVERE = {"spinal_canal_stenosis_l4_l5": "Severe"}
SOUND = (rsna.T2, "3", "Spinal Canal Stenosis", "L5/S1", "20.0", "36.0")


@pytest.mark.parametrize(
    ("points", "reason"),
    [
        ([(*CANAL, "400.0", "30.0")], "the point lies outside its image"),
        ([(*CANAL, "", "30.0")], "x or y is no number"),
        ([(rsna.T2, "77", *CANAL[2:], "20.0", "30.0")], "has an image 77.dcm"),
        ([("1", "3", *CANAL[2:], "20.0", "30.0")], "no volume of series 1"),
        ([(rsna.T2, "3", "Canal", "L4/L5", "20.0", "30.0")], "graded Severe, but it has no usable point"),
        ([], "graded Severe, but it has no usable point"),
    ],
)
def test_a_lesion_of_rsna_without_a_place_excludes_its_study(
    convert, tmp_path: Path, points: list[tuple[str, ...]], reason: str, capsys: pytest.CaptureFixture[str]
) -> None:
    root = rsna_root(tmp_path / "rsna", *points, SOUND, **SEVERE)
    assert convert("source=rsna2024", root)[0] == 2  # its only study
    assert reason in " ".join(capsys.readouterr().err.split())
    rsna.add_study(tmp_path / "rsna", "4003254")
    status, studies, unused = convert("source=rsna2024", root)
    assert status == 3
    assert reason in str(studies[f"RSNA-{rsna.STUDY}"].excluded)
    assert studies["RSNA-4003254"].excluded is None
    assert ("excluded", f"RSNA-{rsna.STUDY}") in {(each.get("effect"), each["study"]) for each in unused}


def test_a_sound_place_of_rsna_that_cannot_be_found_is_only_listed(convert, tmp_path: Path) -> None:
    root = rsna_root(tmp_path / "rsna", (*CANAL, "20.0", "30.0"), (*SOUND[:4], "", "36.0"), **SEVERE)
    status, studies, unused = convert("source=rsna2024", root)
    assert status == 0
    assert [(each.get("effect"), each["reason"]) for each in unused] == [(None, "x or y is no number")]
    (study,) = studies.values()
    assert study.excluded is None
    assert {lesion.level for lesion in study.lesions} == {"L4/L5"}


@pytest.mark.parametrize("grade", ["severe", "2", "Sevre"])
def test_an_unknown_grade_of_rsna_is_never_taken_for_sound(convert, tmp_path: Path, grade: str) -> None:
    wrong = {"spinal_canal_stenosis_l4_l5": grade}
    root = rsna_root(tmp_path / "rsna", (*CANAL, "20.0", "30.0"), SOUND, **wrong)
    status, studies, unused = convert("source=rsna2024", root)
    (study,) = studies.values()
    assert status == 3
    assert {(each.get("effect"), each["reason"]) for each in unused} == {("ignored", f"unknown grade {grade!r}")}
    assert {(lesion.level, lesion.ignore) for lesion in study.lesions} == {("L4/L5", True)}


def test_an_unknown_grade_of_rsna_without_a_place_excludes_its_study(convert, tmp_path: Path) -> None:
    root = rsna_root(tmp_path / "rsna", SOUND, spinal_canal_stenosis_l4_l5="severe")
    assert convert("source=rsna2024", root)[0] == 2


def test_a_lesion_of_tianchi_without_a_place_excludes_its_study(
    convert, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = tmp_path / "tianchi"
    tianchi.write_study(
        root, (tianchi.point("L4-L5", [20, 400], disc="v2"), tianchi.point("L5-S1", [20, 36], disc="v1"))
    )
    assert convert("source=tianchi", f"root={root}")[0] == 2
    assert "point 1 (L4-L5): the point lies outside its image" in " ".join(capsys.readouterr().err.split())


@pytest.mark.parametrize("points", [(), (tianchi.point("L4", [20, 28], vertebra="v2"),)])
def test_a_study_of_tianchi_without_annotated_discs_is_not_free_of_lesions(
    convert, tmp_path: Path, points: tuple[dict[str, Any], ...], capsys: pytest.CaptureFixture[str]
) -> None:
    tianchi.write_study(tmp_path / "tianchi", points)
    assert convert("source=tianchi", f"root={tmp_path / 'tianchi'}")[0] == 2
    assert "no disc of it is annotated" in " ".join(capsys.readouterr().err.split())


def test_unknown_codes_and_discs_of_tianchi_are_ignored_and_sound_ones_outside_listed(convert, tmp_path: Path) -> None:
    points = (
        tianchi.point("L4-L5", [20, 30], disc="v9"),
        tianchi.point("X-Y", [20, 36], disc="v2"),
        tianchi.point("L2-L3", [20, 400], disc="v1"),
    )
    tianchi.write_study(tmp_path / "tianchi", points)
    status, studies, unused = convert("source=tianchi", f"root={tmp_path / 'tianchi'}")
    assert status == 3
    (study,) = studies.values()
    assert [(lesion.level, lesion.ignore) for lesion in study.lesions] == [("L4/L5", True), (None, True)]
    assert [each.get("effect") for each in unused] == ["ignored", "ignored", None]
