"""VOC files that cannot be used."""

from __future__ import annotations

from pathlib import Path

import pytest

from ...formats.conftest import write_dicom
from ...formats.test_voc import write_xml


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
