"""One stack from a folder of DICOM files, or a message that says what the folder is instead."""

from pathlib import Path

import numpy as np
import pytest
import SimpleITK
from pydicom.uid import generate_uid

from spinedet.core.errors import InputError
from spinedet.imaging.dicom import index_folder
from spinedet.imaging.dicom.records import Pseudonyms
from spinedet.imaging.volume import find_images, read_volume

from ..conftest import SERIES, STUDY, WriteSlice
from .conftest import AXIAL_DIRECTIONS, tilted

PIXELS = np.arange(12).reshape(3, 4)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "dicom"


def write_stack(write_slice: WriteSlice, lefts: tuple[float, ...] = (2.0, -6.0, -2.0), **tags: object) -> None:
    """Sagittal slices at LPS x = `lefts`, each brighter by its place in the list, names and numbers shuffled."""
    for order, left in enumerate(lefts):
        name = f"{(order * 7) % 5}-{order}.dcm"
        write_slice(name, PIXELS + 100 * order, (left, -30.0, 40.0), InstanceNumber=9 - order, **tags)


def test_slices_are_sorted_by_position_and_placed_in_ras(write_slice: WriteSlice, folder: Path) -> None:
    write_stack(write_slice)
    volume = read_volume(folder)
    # The normal points right: from LPS x = 2 over -2 to -6. RAS turns the signs of x and y.
    assert volume.array.shape == (4, 3, 3)
    assert volume.array[0, 0].tolist() == [0, 200, 100]
    assert volume.array[:, 0, 0].tolist() == [0, 1, 2, 3], "i runs along a row"
    expected = [[0, 0, 4, -2], [-0.8, 0, 0, 30], [0, -0.5, 0, 40], [0, 0, 0, 1]]
    assert volume.grid.affine == pytest.approx(np.array(expected))


def test_pitch_comes_from_positions_not_from_thickness(write_slice: WriteSlice, folder: Path) -> None:
    write_stack(write_slice, SliceThickness=9.0, SpacingBetweenSlices=1.0)
    assert read_volume(folder).grid.spacing == pytest.approx([0.8, 0.5, 4.0])


def test_a_tilted_axial_stack_keeps_its_tilt(write_slice: WriteSlice, folder: Path) -> None:
    along_columns, along_rows, normal = tilted(20).T
    for index in range(3):
        position = tuple(np.array([5.0, 6.0, 7.0]) + 4.4 * index * normal)
        write_slice(f"{index}.dcm", PIXELS, position, ImageOrientationPatient=[*along_columns, *along_rows])
    grid = read_volume(folder).grid
    assert grid.spacing == pytest.approx([0.8, 0.5, 4.4])
    assert grid.axes[2] == pytest.approx(normal * [-1, -1, 1])
    assert grid.affine[:3, 3] == pytest.approx([-5, -6, 7])


def test_simpleitk_reads_the_same_stack(write_slice: WriteSlice, folder: Path, tmp_path: Path) -> None:
    along_columns, along_rows, normal = (tilted(20) @ np.array([[0.6, 0.8, 0], [-0.8, 0.6, 0], [0, 0, 1]])).T
    for index in (2, 0, 1):
        position = tuple(np.array([5.0, 6.0, 7.0]) + 4.4 * index * normal)
        tags = {"ImageOrientationPatient": [*along_columns, *along_rows], "RescaleSlope": 2, "RescaleIntercept": 3}
        write_slice(f"{index}.dcm", PIXELS + 50 * index, position, **tags)
    reader = SimpleITK.ImageSeriesReader()
    reader.SetFileNames(reader.GetGDCMSeriesFileNames(str(folder)))
    SimpleITK.WriteImage(reader.Execute(), tmp_path / "theirs.mha")
    ours, theirs = read_volume(folder), read_volume(tmp_path / "theirs.mha")
    assert np.array_equal(ours.array, theirs.array)
    assert ours.grid.affine == pytest.approx(theirs.grid.affine, abs=1e-5)


def test_slope_and_intercept_of_each_slice_are_applied(write_slice: WriteSlice, folder: Path) -> None:
    write_slice("a.dcm", PIXELS, (0, 0, 0), RescaleSlope=2, RescaleIntercept=-5)
    write_slice("b.dcm", PIXELS, (-4, 0, 0), RescaleSlope=3, RescaleIntercept=1)
    array = read_volume(folder).array
    assert array[1, 0].tolist() == [2 * 1 - 5, 3 * 1 + 1]


def test_files_that_are_no_images_are_passed_over(write_slice: WriteSlice, folder: Path) -> None:
    write_stack(write_slice)
    (folder / "readme.txt").write_text("notes")
    write_slice("report.dcm", PIXELS, (0, 0, 0), Rows=None, Columns=None, PixelData=None, SeriesInstanceUID="1.2.3")
    assert read_volume(folder).array.shape == (4, 3, 3)


def test_nothing_of_the_patient_leaves_the_reader(write_slice: WriteSlice, folder: Path) -> None:
    write_stack(write_slice, PatientBirthDate="19500101", SeriesDescription="T2 sag Secret^Name")
    (study,) = index_folder(folder)
    assert [series.id for series in study.series] == ["series-3"]
    assert study.series[0].slices[0].acquisition.words == {"T2", "sagittal"}
    for reported in ("ecret", "19500101", STUDY, SERIES):
        assert reported not in repr(study)


def test_one_salt_gives_one_pseudonym_and_two_salts_two(write_slice: WriteSlice, folder: Path) -> None:
    write_stack(write_slice)
    patients = [index_folder(folder, Pseudonyms.of_salt(salt))[0].patient for salt in ("a", "a", "b", None, None)]
    assert patients[0] == patients[1]
    assert len(set(patients)) == 4


def test_a_study_is_split_by_series(write_slice: WriteSlice, folder: Path) -> None:
    write_stack(write_slice)
    for number, name in ((8, "c"), (8, "d"), (1, "e")):
        uid = generate_uid()
        for left in (0.0, -4.0):
            tags = {"SeriesInstanceUID": uid, "SeriesNumber": number}
            write_slice(f"{name}{left}.dcm", PIXELS, (left, 0, 0), **tags)
    (study,) = index_folder(folder)
    counted = [(series.id, len(series.slices)) for series in study.series]
    assert counted == [("series-1", 2), ("series-3", 3), ("series-8-1", 2), ("series-8-2", 2)]
    with pytest.raises(InputError, match=r"holds 4 DICOM series: series-1 \(2 images\).*own folder"):
        read_volume(folder)


def test_studies_and_patients_of_one_folder_come_apart(write_slice: WriteSlice, folder: Path) -> None:
    write_stack(write_slice)
    write_slice("other.dcm", PIXELS, (0, 0, 0), StudyInstanceUID=generate_uid())
    write_slice("third.dcm", PIXELS, (0, 0, 0), StudyInstanceUID=generate_uid(), PatientID="another")
    studies = index_folder(folder)
    assert [len(study.series[0].slices) for study in studies] == [3, 1, 1]
    assert [study.patient == studies[0].patient for study in studies] == [True, True, False]


@pytest.mark.parametrize(
    ("lefts", "message"),
    [
        ((0.0, -4.0, -12.0, -16.0), r"1 slice\(s\) are missing"),
        ((0.0, -4.0, -8.0, -4.0), "lies where another slice lies already"),
        ((0.0, -4.0, 0.0, -4.0), "2 images at each of 2 positions"),
        ((0.0, -4.0, -9.0, -13.5), "unevenly spaced"),
        ((0.0,), "single slice"),
    ],
)
def test_stacks_with_holes_or_repeats_are_refused(
    write_slice: WriteSlice, folder: Path, lefts: tuple[float, ...], message: str
) -> None:
    write_stack(write_slice, lefts)
    with pytest.raises(InputError, match=f"dicom, series-3.*{message}"):
        read_volume(folder)


@pytest.mark.parametrize(
    ("tags", "message"),
    [
        ({"SamplesPerPixel": 3, "PhotometricInterpretation": "RGB"}, "colour"),
        ({"PhotometricInterpretation": "PALETTE COLOR"}, r"colour .*PALETTE COLOR"),
        ({"ImagePositionPatient": None}, "does not say where"),
        ({"ImageOrientationPatient": None}, "does not say where"),
        ({"PixelSpacing": None}, "does not say where"),
        ({"PixelSpacing": [0.5, 0.9]}, "2 stacks of slices: series-3-block-1"),
        ({"Rows": 2, "PixelData": bytes(16)}, r"2 images of 3 x 4.*1 image of 2 x 4"),
        ({"ImageOrientationPatient": list(AXIAL_DIRECTIONS)}, r"2 images.*normal \[1.0, 0.0, 0.0\].*\[0.0, 0.0, 1.0\]"),
        ({"ImagePositionPatient": [-6.0, 3.0, 40.0]}, "2 stacks"),
        ({"PixelData": bytes(10)}, "odd.dcm: no pixels"),
    ],
)
def test_a_slice_unlike_the_others_is_refused(
    write_slice: WriteSlice, folder: Path, tags: dict[str, object], message: str
) -> None:
    write_stack(write_slice, (2.0, -2.0))
    write_slice("odd.dcm", PIXELS, (-6.0, -30.0, 40.0), **tags)
    with pytest.raises(InputError, match=message):
        read_volume(folder)


def test_slices_that_all_drift_sideways_are_no_volume(write_slice: WriteSlice, folder: Path) -> None:
    for index in range(4):
        write_slice(f"{index}.dcm", PIXELS, (-4.0 * index, 3.0 * index, 0.0))
    with pytest.raises(InputError, match="shifted sideways"):
        read_volume(folder)


@pytest.mark.parametrize("size", [0, 200])
def test_a_file_cut_short_is_passed_over_with_a_warning(write_slice: WriteSlice, folder: Path, size: int) -> None:
    write_stack(write_slice)
    cut = write_slice("cut.dcm", PIXELS, (-10.0, -30.0, 40.0))
    cut.write_bytes(cut.read_bytes()[:size])
    with pytest.warns(UserWarning, match=r"cut.dcm is damaged"):
        assert read_volume(folder).array.shape == (4, 3, 3)


def test_a_folder_without_dicom_is_refused(folder: Path, write_slice: WriteSlice) -> None:
    (folder / "notes.txt").write_text("nothing here")
    with pytest.raises(InputError, match="holds no DICOM images"):
        read_volume(folder)
    with pytest.raises(InputError, match="holds no image"):
        find_images(folder)
