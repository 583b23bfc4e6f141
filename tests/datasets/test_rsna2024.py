"""RSNA 2024: points of real DICOM files to boxes, grades to lesions, and the traps of its tables."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

import numpy as np
import pytest

from spinedet.core.errors import InputError
from spinedet.core.geometry import inside
from spinedet.core.types import Box
from spinedet.datasets.rsna2024 import RsnaConfig, open_rsna
from spinedet.datasets.rsna2024_faults import SWAPPED_SIDES
from spinedet.formats.annotated_dataset import Reading
from spinedet.imaging.volume import read_volume

from ..formats.conftest import write_dicom

STUDY, T1, T2, AXIAL = "4003253", "702807833", "1054713880", "2448190387"
LEVELS = ("l1_l2", "l2_l3", "l3_l4", "l4_l5", "l5_s1")
CONDITIONS = (
    "spinal_canal_stenosis",
    "left_neural_foraminal_narrowing",
    "right_neural_foraminal_narrowing",
    "left_subarticular_stenosis",
    "right_subarticular_stenosis",
)
POINTS = (
    # Instance 3 of the sagittal series is the second slice from the right: file numbers run against position.
    (T2, "3", "Spinal Canal Stenosis", "L4/L5", "20.0", "30.0"),
    (T2, "3", "Spinal Canal Stenosis", "L5/S1", "20.0", "36.0"),
    (T1, "2", "Left Neural Foraminal Narrowing", "L4/L5", "20.0", "30.0"),
    (AXIAL, "2", "Right Subarticular Stenosis", "L4/L5", "5.0", "10.0"),
    (AXIAL, "5", "Left Subarticular Stenosis", "L5/S1", "5.0", "10.0"),
    (AXIAL, "77", "Left Subarticular Stenosis", "L4/L5", "5.0", "10.0"),
    (T2, "3", "Spinal Canal Stenosis", "L3/L4", "400.0", "30.0"),
    (T2, "3", "Spinal Canal Stenosis", "L6/S1", "20.0", "30.0"),
    (T2, "3", "Spinal Canal Stenosis", "L2/L3", "", "30.0"),
)
GRADES = {
    "spinal_canal_stenosis_l4_l5": "Severe",
    "spinal_canal_stenosis_l5_s1": "Normal/Mild",
    "left_neural_foraminal_narrowing_l4_l5": "Moderate",
    "right_subarticular_stenosis_l4_l5": "Moderate",
    "left_subarticular_stenosis_l5_s1": "",
}


def write_table(path: Path, head: str, rows: list[tuple[str, ...]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as stream:
        csv.writer(stream).writerows([head.split(","), *rows])


def write_tables(
    root: Path,
    study: str = STUDY,
    points: tuple[tuple[str, ...], ...] = POINTS,
    grades: Mapping[str, str] = MappingProxyType(GRADES),
) -> None:
    names = [f"{condition}_{level}" for condition in CONDITIONS for level in LEVELS]
    root.mkdir(exist_ok=True)
    row = (study, *(grades.get(name, "Normal/Mild") for name in names))
    write_table(root / "train.csv", ",".join(["study_id", *names]), [row, ("999", *row[1:])])
    head = "study_id,series_id,instance_number,condition,level,x,y"
    write_table(root / "train_label_coordinates.csv", head, [(study, *point) for point in points])
    described = [(T1, "Sagittal T1"), (T2, "Sagittal T2/STIR"), (AXIAL, "Axial T2")]
    head = "study_id,series_id,series_description"
    write_table(root / "train_series_descriptions.csv", head, [(study, *row) for row in described])


def write_images(root: Path, study: str = STUDY) -> None:
    """Sagittal slices at L = -8, -4, 0, 4 (instances 4, 3, 2, 1), and axial ones in two angled blocks."""
    folder = root / "train_images" / study
    for series in (T1, T2):
        for n in range(4):
            uids = ("1.1", f"1.2.{series}", f"1.3.{series}.{n}")
            write_dicom(folder / series / f"{4 - n}.dcm", (-8.0 + 4 * n, 10.0, 100.0), uids)
    c, s = np.cos(np.radians(20)), np.sin(np.radians(20))
    for n in range(3):
        place = (-15.0, 10.0 - s * 4 * n, 80.0 + c * 4 * n)
        uids = ("1.1", "1.2.9", f"1.3.9.{n}")
        write_dicom(folder / AXIAL / f"{n + 1}.dcm", place, uids, (1, 0, 0, 0, c, s), (1.0, 1.0))
        place, uids = (-15.0, 10.0, 60.0 + 4 * n), ("1.1", "1.2.9", f"1.3.9.{n + 3}")
        write_dicom(folder / AXIAL / f"{n + 4}.dcm", place, uids, (1, 0, 0, 0, 1, 0), (1.0, 1.0))


def add_study(root: Path, study: str) -> None:
    """One more study, graded Normal/Mild everywhere, without points."""
    write_images(root, study)
    names = 5 * len(CONDITIONS)
    described = [(study, T2, "Sagittal T2/STIR"), (study, AXIAL, "Axial T2")]
    for name, rows in (("train", [(study, *["Normal/Mild"] * names)]), ("train_series_descriptions", described)):
        with (root / f"{name}.csv").open("a", encoding="utf-8", newline="") as stream:
            csv.writer(stream).writerows(rows)


@pytest.fixture
def rsna(tmp_path: Path) -> Path:
    root = tmp_path / "rsna"
    write_tables(root)
    write_images(root)
    return root


def read(root: Path, **words: object) -> Reading:
    (case,) = open_rsna(root, root.parent / "links", RsnaConfig(**words)).cases
    return case.read()


def box_of(reading: Reading, series: str, finding: str) -> Box:
    (lesion,) = (x for x in reading.study.lesions if x.series == series and x.attributes["finding"] == finding)
    return lesion.box


def test_the_canal_gets_its_box_on_the_sagittal_series(rsna: Path) -> None:
    box = box_of(read(rsna), T2, "central_stenosis")
    # Instance 3: L = -4. Column 20 x 0.8 mm back from P 10, row 30 x 0.5 mm down from S 100.
    assert box.center == pytest.approx((4.0, -26.0, 85.0))
    # The small image ends 6 mm to the left, 7.6 mm behind and 4.75 mm below.
    assert box.size == pytest.approx((12.0, 15.2, 9.5))


def test_the_foramen_goes_from_t1_to_the_t2_series(rsna: Path) -> None:
    reading = read(rsna)
    # Instance 2 of T1: L = 0.
    assert box_of(reading, T2, "foraminal_stenosis").center == pytest.approx((0.0, -26.0, 85.0))
    assert {series.id for series in reading.study.series} == {T2, f"{AXIAL}-1", f"{AXIAL}-2"}
    with_t1 = read(rsna, weightings=["T1", "T2"])
    assert box_of(with_t1, T1, "foraminal_stenosis").center == pytest.approx((0.0, -26.0, 85.0))
    assert {series.id: series.weighting for series in with_t1.study.series}[T1] == "T1"


def test_angled_axial_blocks_are_series_of_their_own(rsna: Path) -> None:
    reading = read(rsna)
    box = box_of(reading, f"{AXIAL}-1", "subarticular_stenosis")
    c, s = np.cos(np.radians(20)), np.sin(np.radians(20))
    # Instance 2 of the turned block: IPP + 5 mm to the left + 10 mm along (0, c, s), all in LPS.
    lps = np.array([-10.0, 10 - s * 4 + 10 * c, 80 + c * 4 + 10 * s])
    assert box.center == pytest.approx(tuple(lps * (-1, -1, 1)))
    assert box.size == pytest.approx((11.0, 20.0, 8.0))  # the image ends 5.5 mm to the right
    assert np.allclose(box.axes, [[1, 0, 0], [0, c, -s], [0, s, c]])
    paths = {series.id: series.path for series in reading.study.series}
    assert paths[T2] == rsna / "train_images" / STUDY / T2
    assert read_volume(paths[f"{AXIAL}-1"]).grid.shape == (30, 40, 3)


def test_the_canal_also_goes_on_the_axial_block_that_shows_its_place(rsna: Path) -> None:
    lesions = [x for x in read(rsna).study.lesions if x.attributes["finding"] == "central_stenosis"]
    assert {x.series for x in lesions} == {T2, f"{AXIAL}-1"}
    assert np.allclose([x.box.center for x in lesions], (4.0, -26.0, 85.0))
    grids = {series.id: read_volume(series.path).grid for series in read(rsna).study.series}
    assert all(inside(x.box, grids[x.series]) for x in lesions)


def test_grades_make_lesions_negatives_and_regions_to_ignore(rsna: Path) -> None:
    study = read(rsna).study
    told = {(x.attributes["finding"], x.level): x for x in study.lesions}
    severe = told["central_stenosis", "L4/L5"]
    assert (severe.attributes["grade"], severe.attributes["severity"]) == ("Severe", 2)
    assert (severe.category, severe.origin.value) == ("degeneration", "point")
    assert told["foraminal_stenosis", "L4/L5"].attributes["side"] == "left"
    assert told["subarticular_stenosis", "L4/L5"].attributes["side"] == "right"
    assert told["subarticular_stenosis", "L5/S1"].ignore
    assert {negative.level for negative in study.negatives} == {"L5/S1"}
    types = read(rsna, classes="types", positive=["Severe"])
    assert {x.category for x in types.study.lesions if not x.ignore} == {"central_stenosis"}


def test_points_that_fit_nothing_are_listed(rsna: Path) -> None:
    assert {unused.where.rpartition(" ")[2]: unused.reason for unused in read(rsna).unused} == {
        "7": f"no volume of series {AXIAL} has an image 77.dcm",
        "8": "the point lies outside its image",
        "9": "train.csv has no grade for 'Spinal Canal Stenosis' at 'L6/S1'",
        "10": "x or y is no number",
    }


def test_a_far_point_goes_on_no_other_series(rsna: Path) -> None:
    reading = read(rsna, max_distance_mm=0.01)
    assert not [x for x in reading.study.lesions if x.series.startswith(AXIAL) and "central" in str(x.attributes)]


def test_a_study_with_known_faults_is_excluded_unless_kept(tmp_path: Path) -> None:
    root, study = tmp_path / "rsna", sorted(SWAPPED_SIDES)[0]
    write_tables(root, study)
    write_images(root, study)
    assert read(root).study.excluded == "participants report left and right swapped"
    assert read(root, known_faults="keep").study.excluded is None


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ({"positive": ["Bad"]}, "Bad"),
        ({"classes": "two"}, "classes"),
        ({"weightings": []}, "weightings"),
        ({"known_faults": "mend"}, "known_faults"),
        ({"central_mm": [1.0, 2.0]}, "three lengths"),
        ({"max_distance_mm": 0.0}, "above 0"),
    ],
)
def test_wrong_settings_are_refused(words: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        RsnaConfig(**words)


def test_a_folder_without_images_is_refused(tmp_path: Path) -> None:
    write_tables(tmp_path / "rsna")
    with pytest.raises(InputError, match="no study of"):
        open_rsna(tmp_path / "rsna", tmp_path / "links", RsnaConfig())
