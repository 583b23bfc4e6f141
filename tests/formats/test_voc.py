"""PASCAL VOC boxes on DICOM slices, linked into boxes in millimetres."""

from __future__ import annotations

from pathlib import Path

import pytest

from spinedet.core.errors import InputError
from spinedet.formats.annotated_dataset import Reading
from spinedet.formats.voc import VocConfig, meaning_of, open_voc

from .conftest import write_dicom


def write_xml(path: Path, *objects: tuple[str, int, int, int, int]) -> None:
    items = "".join(
        f"<object><name>{name}</name><bndbox><xmin>{a}</xmin><ymin>{b}</ymin><xmax>{c}</xmax><ymax>{d}</ymax></bndbox>"
        "</object>"
        for name, a, b, c, d in objects
    )
    path.write_text(f"<annotation><filename>{path.stem}.dcm</filename>{items}</annotation>", "utf-8")


@pytest.fixture
def voc(tmp_path: Path) -> Path:
    """Five slices at L = 0, 4, ..., 16 with boxes of one lesion on slices 2 and 3, and of a sound side on 4."""
    root = tmp_path / "lss"
    for n in range(5):
        write_dicom(root / "P1" / f"P1_{n}.dcm", (4.0 * n, 10.0, 100.0), ("1.1", "1.2", f"1.3.{n}"))
    write_xml(root / "P1" / "P1_1.xml", ("L4-L5_LFS_Moderate", 11, 21, 20, 30))
    write_xml(root / "P1" / "P1_2.xml", ("L4-L5_LFS_Moderate", 11, 21, 20, 32))
    write_xml(root / "P1" / "P1_3.xml", ("L5-S1_RFS_Normal", 5, 21, 10, 30), ("L4-L5_LFS_Moderate", 1, 1, 4, 4))
    write_dicom(root / "P2" / "P2_0.dcm", (0.0, 10.0, 100.0), ("2.1", "2.2", "2.3"))
    return root


def read(root: Path, number: int = 0, **words: object) -> Reading:
    return open_voc(root, root.parent / "links", VocConfig(**words)).cases[number].read()


def test_boxes_of_neighbouring_slices_are_one_lesion(voc: Path) -> None:
    study = read(voc).study
    apart, linked = study.lesions
    # Pixels 11..20 and 21..32 counted from 1: columns 10..20, rows 20..32 as edges; slices at L 4 and 8: edges 2..10.
    # Back: 10 + 0.8 (15 - 0.5) = 21.6; down: 100 - 0.5 (26 - 0.5) = 87.25.
    assert linked.box.center == pytest.approx((-6.0, -21.6, 87.25))
    assert linked.box.size == pytest.approx((8.0, 8.0, 6.0))
    assert (linked.level, linked.attributes["side"], linked.attributes["severity"]) == ("L4/L5", "left", 2)
    assert apart.box.size == pytest.approx((4.0, 3.2, 2.0))
    (negative,) = study.negatives
    assert (negative.level, negative.attributes["severity"]) == ("L5/S1", 0)


def test_the_settings_change_the_boxes(voc: Path) -> None:
    assert read(voc, first_pixel=0).study.lesions[1].box.center == pytest.approx((-6.0, -22.4, 86.75))
    assert read(voc, grow_slices=1).study.lesions[1].box.size[0] == pytest.approx(16.0)
    assert len(read(voc, link_iou=0.9).study.lesions) == 3
    assert len(read(voc, minimum_severity=0).study.lesions) == 3


def test_a_study_without_xml_is_refused(voc: Path) -> None:
    with pytest.raises(InputError, match="no series with XML files"):
        read(voc, 1)


def test_xml_that_cannot_be_used_is_listed(voc: Path) -> None:
    (voc / "P1" / "P1_0.xml").write_text("<annotation>", "utf-8")
    write_xml(voc / "P1" / "P1_4.xml", ("L4-L5", 9, 9, 3, 3))
    (voc / "P1" / "P1_2.xml").write_text("<a><object><name>L4-L5</name></object></a>", "utf-8")
    assert [unused.where for unused in read(voc).unused] == ["P1_0.xml", "P1_2.xml, object 1", "P1_4.xml, object 1"]


@pytest.mark.parametrize(
    ("name", "level", "told"),
    [
        ("L4-L5_LFS_Moderate", "L4/L5", {"side": "left", "severity": 2}),
        ("RFS_L5-S1_3", "L5/S1", {"side": "right", "severity": 3}),
        ("left L45", "L4/L5", {"side": "left"}),
        ("T12/L1 Severe", "T12/L1", {"severity": 3}),
        ("L5/S1", "L5/S1", {}),
        ("stenosis", None, {}),
        ("L9-L10", None, {}),
    ],
)
def test_names_tell_level_side_and_severity(name: str, level: str | None, told: dict[str, object]) -> None:
    assert meaning_of(name) == (level, {"name": name, **told})


def test_wrong_folders_and_settings_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="0 XML files"):
        open_voc(tmp_path, tmp_path, VocConfig())
    with pytest.raises(InputError, match="first_pixel"):
        VocConfig(first_pixel=2)
