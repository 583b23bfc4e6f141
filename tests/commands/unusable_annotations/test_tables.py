"""Rows of tables that cannot be used."""

from __future__ import annotations

from pathlib import Path

import pytest

from ...formats.test_annotated_images import (
    same,
    write_image,
)
from .conftest import GOOD, HEAD, write_csv


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
