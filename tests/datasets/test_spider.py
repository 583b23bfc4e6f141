"""SPIDER: boxes of discs, what makes one a lesion, and what happens to rows and files that do not fit."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

from spinedet.core.errors import InputError
from spinedet.datasets.spider import GRADES, SpiderConfig, open_spider
from spinedet.formats.annotated_dataset import Dataset, Reading

from ..formats.conftest import SAGITTAL_LPS, grey, write_itk

OVERVIEW = (
    "new_file_name,num_vertebrae,num_discs,sex,birth_date,subset,EchoTime,MagneticFieldStrength,Manufacturer,"
    "ManufacturerModelName,RepetitionTime,SliceThickness,SpacingBetweenSlices"
)
SHAPE = (40, 60, 4)  # columns to the back, rows to the feet, slices to the left
SPACING, ORIGIN = (0.5, 0.5, 4.0), (-8.0, 10.0, 100.0)
# Masks by label: voxels of disc 1 (L5/S1) lowest.
DISCS = {201: (slice(10, 20), slice(50, 54), slice(1, 3)), 202: (slice(10, 20), slice(40, 44), slice(1, 3))}
SOUND, BULGING, WORN = (0, 0, 0, 0, 0, 0, 0, 2), (0, 0, 0, 0, 0, 1, 1, 3), (2, 1, 1, 0, 0, 1, 0, 4)


def write_series(root: Path, name: str, labels: dict[int, tuple[slice, ...]]) -> None:
    mask = np.zeros(SHAPE, np.int16)
    mask[5:8, :, 1:3] = 100
    for label, place in labels.items():
        mask[place] = label
    write_itk(root / "images" / f"{name}.mha", grey(SHAPE), SPACING, ORIGIN, SAGITTAL_LPS)
    write_itk(root / "masks" / f"{name}.mha", mask, SPACING, ORIGIN, SAGITTAL_LPS)


def write_tables(root: Path, names: list[str], grades: list[tuple[int | str, ...]]) -> None:
    rows = [f"{name},2,2,F ,61.0,validation,102.0,1.5,SIEMENS,Aera,4200.0,3.0,3.3" for name in names]
    root.mkdir(exist_ok=True)
    (root / "overview.csv").write_text("\n".join([OVERVIEW, *rows, ""]), "utf-8")
    with (root / "radiological_gradings.csv").open("w", encoding="utf-8", newline="") as stream:
        head = "Modic,UP endplate,LOW endplate,Spondylolisthesis,Disc herniation,Disc narrowing,Disc bulging"
        csv.writer(stream).writerows([["Patient", "IVD label", *head.split(","), "Pfirrman grade"], *grades])


@pytest.fixture
def spider(tmp_path: Path) -> Path:
    """Patient 1 with two graded discs, patient 2 with T1 only; patient 3 of the tables is not here."""
    root = tmp_path / "spider"
    write_tables(
        root, ["1_t1", "1_t2", "2_t1", "3_t2"], [(1, 1, *BULGING), (1, 2, *SOUND), (2, 1, *WORN), (3, 1, *WORN)]
    )
    write_series(root, "1_t2", DISCS)
    write_series(root, "2_t1", {201: DISCS[201]})
    return root


def read(dataset: Dataset, number: int = 0) -> Reading:
    return dataset.cases[number].read()


def test_a_bulging_disc_is_a_lesion_and_a_sound_one_a_negative(spider: Path) -> None:
    dataset = open_spider(spider, SpiderConfig())
    assert [case.id for case in dataset.cases] == ["SPIDER-1", "SPIDER-2"]
    study = read(dataset).study
    (lesion,) = study.lesions
    assert (lesion.level, lesion.category, lesion.origin.value) == ("L5/S1", "degeneration", "mask")
    assert not lesion.ignore
    assert lesion.attributes["bulging"] == 1
    assert lesion.attributes["pfirrmann"] == 3
    # Slices 1 and 2, columns 10..19, rows 50..53. In LPS: L = -8 + 4 k, P = 10 + i / 2, S = 100 - j / 2.
    # Edges: L -6..2, P 14.75..19.75, S 75.25..73.25; R and A are the other way round.
    assert lesion.box.center == pytest.approx((2.0, -17.25, 74.25))
    assert lesion.box.size == pytest.approx((8.0, 5.0, 2.0))
    (negative,) = study.negatives
    assert negative.level == "L4/L5"
    assert negative.box.center == pytest.approx((2.0, -17.25, 79.25))


def test_the_study_carries_person_and_scanner(spider: Path) -> None:
    study = read(open_spider(spider, SpiderConfig())).study
    assert study.attributes["sex"] == "F"
    assert study.attributes["age"] == 61.0
    assert study.attributes["vendor"] == "SIEMENS"
    assert study.attributes["field_strength"] == 1.5
    assert study.attributes["spacing_between_slices"] == 3.3
    assert study.split is not None
    assert study.split.value == "tune"
    assert [(s.id, s.plane.value, s.weighting) for s in study.series] == [("t2", "sagittal", "T2")]


def test_a_patient_without_t2_is_excluded_unless_t1_is_asked_for(spider: Path) -> None:
    assert read(open_spider(spider, SpiderConfig()), 1).study.excluded == "no T2 series here"
    with_t1 = open_spider(spider, SpiderConfig(weightings=["T1", "T2"]))
    study = read(with_t1, 1).study
    assert study.excluded is None
    assert [s.weighting for s in study.series] == ["T1"]
    assert [lesion.level for lesion in study.lesions] == ["L5/S1"]


def test_types_apart_give_a_box_for_each_finding(spider: Path) -> None:
    config = SpiderConfig(classes="types", findings=["bulging", "narrowing"], weightings=["T1", "T2"])
    dataset = open_spider(spider, config)
    assert dataset.categories == ("degeneration", "bulging", "narrowing")
    assert [lesion.category for lesion in read(dataset, 0).study.lesions] == ["bulging", "narrowing"]
    assert [lesion.category for lesion in read(dataset, 1).study.lesions] == ["degeneration", "narrowing"]


def test_the_pfirrmann_rule_is_a_setting(spider: Path) -> None:
    strict = open_spider(spider, SpiderConfig(findings=[], minimum_pfirrmann=4))
    assert read(strict).study.lesions == ()
    loose = open_spider(spider, SpiderConfig(findings=[], minimum_pfirrmann=2))
    assert len(read(loose).study.lesions) == 2


def test_ungraded_discs_are_ignored_and_gradings_without_a_mask_listed(tmp_path: Path) -> None:
    root = tmp_path / "spider"
    faulty = (1, 6, 0, 0, 0, 0, 0, 0, 0, "?")
    write_tables(root, ["1_t2"], [(1, 1, *WORN), (1, 5, *WORN), faulty, (1, 1, *SOUND)])
    write_series(root, "1_t2", DISCS)
    reading = read(open_spider(root, SpiderConfig()))
    assert [(lesion.level, lesion.ignore) for lesion in reading.study.lesions] == [("L5/S1", False), ("L4/L5", True)]
    assert {unused.where: unused.reason for unused in reading.unused} == {
        "radiological_gradings.csv, line 4": "a grade or the disc's number is blank or no whole number",
        "radiological_gradings.csv, line 5": "disc 1 was graded before",
        "radiological_gradings.csv, disc 5": "series t2 has no mask 205",
    }


def test_an_extra_caudal_disc_leaves_every_level_unknown(tmp_path: Path) -> None:
    root = tmp_path / "spider"
    write_tables(root, ["107_t2_SPACE"], [(107, 0, *WORN), (107, 1, *WORN)])
    lowest = {200: DISCS[201], 201: DISCS[202]}
    write_series(root, "107_t2_SPACE", lowest)
    study = read(open_spider(root, SpiderConfig())).study
    assert [(lesion.attributes["ivd_label"], lesion.level) for lesion in study.lesions] == [(0, None), (1, None)]
    assert study.series[0].weighting == "T2"


def test_a_mask_of_another_image_skips_the_study(spider: Path) -> None:
    write_itk(spider / "masks" / "1_t2.mha", np.ones((40, 60, 5), np.int16), SPACING, ORIGIN, SAGITTAL_LPS)
    with pytest.raises(InputError, match=r"\(40, 60, 5\) voxels"):
        read(open_spider(spider, SpiderConfig()))
    shifted = np.zeros(SHAPE, np.int16)
    shifted[DISCS[201]] = 201
    write_itk(spider / "masks" / "1_t2.mha", shifted, SPACING, (0.0, 10.0, 100.0), SAGITTAL_LPS)
    with pytest.raises(InputError, match=r"1_t2\.mha: the mask lies up to 8\.00 mm away"):
        read(open_spider(spider, SpiderConfig()))


def test_a_missing_mask_skips_the_study(spider: Path) -> None:
    (spider / "masks" / "1_t2.mha").unlink()
    with pytest.raises(InputError, match=r"1_t2\.mha does not exist"):
        read(open_spider(spider, SpiderConfig()))


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ({"findings": ["cough"]}, "cough"),
        ({"classes": "two"}, "classes=two"),
        ({"weightings": ["PD"]}, "PD"),
        ({"weightings": []}, "weightings"),
    ],
)
def test_wrong_settings_are_refused(words: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        SpiderConfig(**words)


def test_a_folder_that_is_not_spider_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"overview\.csv does not exist"):
        open_spider(tmp_path, SpiderConfig())
    write_tables(tmp_path, ["1_t2"], [])
    with pytest.raises(InputError, match="none of the images"):
        open_spider(tmp_path, SpiderConfig())
    (tmp_path / "radiological_gradings.csv").write_text("Patient,IVD label\n1,1\n", "utf-8")
    write_series(tmp_path, "1_t2", DISCS)
    with pytest.raises(InputError, match="no column 'Pfirrman grade'"):
        open_spider(tmp_path, SpiderConfig())
    assert set(GRADES.values()) >= {"pfirrmann", "bulging", "herniation"}
