"""Annotations of published data sets that cannot be used."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ...datasets import test_rsna2024 as rsna
from ...datasets import test_tianchi as tianchi


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
