"""The T2 sagittal and axial series of a study that holds everything else too, with the reason for every decision."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from spinedet.core.anatomy import Plane
from spinedet.core.errors import InputError
from spinedet.imaging.settings import SelectionRules
from spinedet.imaging.volume import ImageIndex, Volume, index_images

from .conftest import (
    AXIAL,
    CORONAL,
    SAGITTAL,
    SECONDARY_CAPTURE,
    STIR_TAGS,
    T1_TAGS,
    T2_TAGS,
    Cut,
    Hospital,
    tilted_axial,
    tissue,
)

BACK = Cut(SAGITTAL, (0, 0, 0), slices=9, shape=(160, 60))
DISCS = (
    Cut(tilted_axial(-8), (0, 5, 70), slices=4, shape=(80, 80)),
    Cut(tilted_axial(12), (0, 0, 35), slices=5, shape=(80, 80)),
    Cut(tilted_axial(12), (0, 8, 5), slices=4, shape=(80, 80)),
    Cut(tilted_axial(48), (0, 12, -45), slices=4, shape=(80, 80)),
)


@pytest.fixture(scope="module")
def messy(tmp_path_factory: pytest.TempPathFactory) -> Hospital:
    """All the troubles at once; the right answer is series 5 and the four blocks of series 7."""
    hospital = Hospital(tmp_path_factory.mktemp("messy") / "study")
    scouts = [Cut(frame, (0, 0, 0), 3, 20.0, (32, 32), 5.0) for frame in (SAGITTAL, AXIAL, CORONAL)]
    hospital.series(1, scouts, T2_TAGS)
    hospital.series(2, [BACK], {**T1_TAGS, "SeriesDescription": "T2 sag (it is not)"})
    hospital.series(3, [BACK], {**STIR_TAGS, "SeriesDescription": "sag stir"})
    hospital.series(4, [Cut(CORONAL, (0, 0, 0), 9, shape=(160, 80))], T2_TAGS)
    hospital.series(5, [BACK], {**T2_TAGS, "SpacingBetweenSlices": 0.4, "RescaleSlope": 1, "RescaleIntercept": 0})
    hospital.series(6, [Cut(SAGITTAL, (0, 0, 0), 4, 8.0, (160, 60))], T2_TAGS)
    hospital.series(7, DISCS, {**T2_TAGS, "SeriesDescription": "ax T2 discs"})
    hospital.series(8, [Cut(AXIAL, (0, 0, 20), 20, shape=(80, 80))], T1_TAGS)
    hospital.write(9, {**_screenshot(), "Modality": "MR"}, SECONDARY_CAPTURE)
    hospital.series(10, [BACK], {**T2_TAGS, "ImageType": ["DERIVED", "SECONDARY", "MPR"]})
    (hospital.folder / "0" / "DICOMDIR").write_bytes(b"not read")
    (hospital.folder / "notes.txt").write_text("none of this is DICOM")
    (hospital.folder / "empty").write_bytes(b"")
    return hospital


def _screenshot() -> dict[str, object]:
    pixels = np.zeros((50, 60, 3), np.uint8)
    return {
        "Rows": 50,
        "Columns": 60,
        "SamplesPerPixel": 3,
        "PhotometricInterpretation": "RGB",
        "PlanarConfiguration": 0,
        "BitsAllocated": 8,
        "BitsStored": 8,
        "HighBit": 7,
        "PixelRepresentation": 0,
        "PixelData": pixels.tobytes(),
    }


def reasons(index: ImageIndex) -> dict[str, str]:
    return {v.series: "; ".join(v.reasons) for choice in index.choices for v in choice.decisions}


def shows_the_tissue(volume: Volume) -> bool:
    """Every voxel has the value that the tissue has where the affine says the voxel is."""
    indices = np.moveaxis(np.indices(volume.array.shape), 0, -1)
    points = indices @ volume.grid.affine[:3, :3].T + volume.grid.affine[:3, 3]
    return bool(np.abs(tissue(points * [-1, -1, 1]) - volume.array).max() <= 1.0)


def test_everything_at_once_is_sorted_rightly(messy: Hospital) -> None:
    index = index_images(messy.folder)
    blocks = [f"series-7-block-{number}" for number in (1, 2, 3, 4)]
    assert [source.id for source in index.images] == ["series-5", *blocks]
    assert [source.plane for source in index.images] == [Plane.SAGITTAL, *[Plane.AXIAL] * 4]
    assert {source.study for source in index.images} == {"study"}
    assert all(shows_the_tissue(source.read()) for source in index.images)
    reported = reasons(index)
    assert "several planes, as localisers do" in reported["series-1-block-1"]
    assert reported["series-2"].endswith("tags: T1: TE 11 ms, TR 600 ms")
    assert reported["series-3"].endswith("tags: STIR: inversion recovery, TI 160 ms")
    assert reported["series-4"] == "geometry: coronal slices"
    assert "TE 102 ms, TR 3500 ms" in reported["series-5"]
    assert "SpacingBetweenSlices says 0.4 mm, the positions 4.00 mm" in reported["series-5"]
    assert reported["series-6"] == "geometry: only 4 slices, a sagittal stack has at least 5"
    assert reported["series-8"].endswith("T1: TE 11 ms, TR 600 ms")
    assert reported["series-9"] == "geometry: a secondary capture (screenshot)"
    assert "series-5 shows the same part and is preferred: it is original" in reported["series-10"]
    assert len([name for name in reported if name.startswith("series-1-")]) == 3


def test_angled_blocks_keep_their_own_tilt_from_head_to_foot(messy: Hospital) -> None:
    index = index_images(messy.folder)
    for source, cut in zip(index.images[1:], DISCS, strict=True):
        grid = source.read().grid
        assert grid.shape == (80, 80, cut.slices)
        assert grid.spacing == pytest.approx([1.25, 1.25, 4.0], abs=1e-4)
        assert grid.axes[2] == pytest.approx(cut.frame[2] * [-1, -1, 1], abs=1e-6)
        middle = grid.corner + grid.axes.T @ (grid.extent / 2)
        assert middle == pytest.approx(np.array(cut.center) * [-1, -1, 1], abs=1e-4)


def test_nothing_of_the_patient_is_told(messy: Hospital) -> None:
    index = index_images(messy.folder)
    reported = repr(index.choices)
    assert all(secret not in reported for secret in ("ecret", "19500101", messy.study, *messy.uids.values()))


def test_the_caller_has_the_last_word(messy: Hospital) -> None:
    folder = messy.folder
    by_uid = index_images(folder, SelectionRules(series=[messy.uids[3]]))
    by_name = index_images(folder, SelectionRules(series=["series-3", "series-7-block-4"]))
    assert [source.id for source in by_uid.images] == ["series-3"]
    assert [source.id for source in by_name.images] == ["series-3", "series-7-block-4"]
    assert reasons(by_uid)["series-5"].startswith("not named by series=")
    with pytest.raises(InputError, match=r"series-77.*it holds series-1-block-1"):
        index_images(folder, SelectionRules(series=["series-77"]))
    with pytest.raises(InputError, match=r"series-4.*coronal"):
        index_images(folder, SelectionRules(series=["series-4"]))


def test_without_tags_the_description_tells(hospital: Hospital) -> None:
    hospital.series(1, [BACK], {"SeriesDescription": "T1 sag"})
    hospital.series(2, [BACK], {"SeriesDescription": "t2_tse_sag"})
    hospital.series(3, [BACK], {})
    index = index_images(hospital.folder)
    assert [source.id for source in index.images] == ["series-2"]
    reported = reasons(index)
    assert reported["series-1"].endswith("description: T1: not in the tags, by the description")
    assert reported["series-3"].endswith("series-2 shows the same part and is preferred: it is declared T2")


def test_what_says_nothing_is_taken_when_there_is_nothing_better(hospital: Hospital) -> None:
    hospital.series(1, [BACK], {})
    index = index_images(hospital.folder)
    assert [source.id for source in index.images] == ["series-1"]
    assert "neither tags nor description give the weighting" in reasons(index)["series-1"]


def test_stations_of_a_whole_spine_are_all_read(hospital: Hospital) -> None:
    for number, height in ((1, 180.0), (2, 0.0), (3, 4.0)):
        hospital.series(number, [Cut(SAGITTAL, (0, 0, height), 9, shape=(160, 60))], T2_TAGS)
    index = index_images(hospital.folder)
    assert [source.id for source in index.images] == ["series-1", "series-2"]
    assert "shows the same part" in reasons(index)["series-3"]


def test_a_study_without_t2_is_refused_with_the_reasons(hospital: Hospital) -> None:
    hospital.series(1, [BACK], T1_TAGS)
    with pytest.raises(InputError, match=r"no T2 sagittal or axial series: series-1, tags: T1.*series="):
        index_images(hospital.folder)


def test_copies_under_one_name_and_under_another_are_left_out(hospital: Hospital) -> None:
    files = hospital.series(1, [BACK], T2_TAGS)
    shutil.copy(files[0], files[0].with_name("copy"))
    hospital.image(1, BACK, BACK.positions()[4], T2_TAGS)
    index = index_images(hospital.folder)
    assert index.images[0].read().array.shape == (60, 160, 9)
    reported = reasons(index)["series-1"]
    assert "2 copies (equal position and pixels) left out" in reported


def test_echoes_of_one_series_come_apart(hospital: Hospital) -> None:
    hospital.series(1, [BACK], {**T2_TAGS, "EchoTime": 20.0})
    hospital.series(1, [BACK], T2_TAGS)
    index = index_images(hospital.folder)
    (source,) = index.images
    assert source.block is not None
    assert source.block.acquisition.echo_time == 102.0
    assert any("PD: TE 20 ms" in reason for reason in reasons(index).values())


def test_an_odd_image_in_a_series_does_not_spoil_it(hospital: Hospital) -> None:
    hospital.series(1, [BACK], T2_TAGS)
    hospital.series(1, [Cut(SAGITTAL, (0, 0, 0), 1, shape=(64, 64))], T2_TAGS)
    index = index_images(hospital.folder)
    assert [source.read().array.shape for source in index.images] == [(60, 160, 9)]
    assert "single slice" in "".join(reasons(index).values())


def test_a_hole_is_a_fault_of_a_sagittal_stack_and_an_end_of_an_axial_one(hospital: Hospital) -> None:
    for position in np.delete(BACK.positions(), 4, axis=0):
        hospital.image(1, BACK, position, T2_TAGS)
    hospital.series(2, [BACK], T2_TAGS)
    upper, lower = (Cut(AXIAL, (0, 0, height), 5, shape=(80, 80)) for height in (40.0, 0.0))
    hospital.series(3, [upper, lower], T2_TAGS)
    index = index_images(hospital.folder)
    assert [source.id for source in index.images] == ["series-2", "series-3-block-1", "series-3-block-2"]
    assert all(shows_the_tissue(source.read()) for source in index.images)
    assert "1 slice(s) are missing" in reasons(index)["series-1"]


def test_an_enhanced_file_is_read_frame_by_frame(hospital: Hospital) -> None:
    hospital.enhanced(1, BACK, T2_TAGS, slopes=(1.0, 0.5))
    hospital.enhanced(2, DISCS[1], T2_TAGS)
    hospital.enhanced(3, BACK, T1_TAGS)
    index = index_images(hospital.folder)
    assert [source.id for source in index.images] == ["series-1", "series-2"]
    assert all(shows_the_tissue(source.read()) for source in index.images)


def test_two_studies_are_kept_apart(tmp_path: Path) -> None:
    for name in ("one", "two"):
        Hospital(tmp_path / name).series(1, [BACK], T2_TAGS)
    index = index_images(tmp_path, SelectionRules(salt="pepper"))
    studies = [source.study for source in index.images]
    assert len(set(studies)) == 2
    assert all(name.startswith("study-") for name in studies)
    assert studies == [source.study for source in index_images(tmp_path, SelectionRules(salt="pepper")).images]
