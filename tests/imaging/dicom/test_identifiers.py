"""Identifiers that do not identify: slices are distinguished by position and pixels, series by geometry."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from itertools import count
from pathlib import Path

import numpy as np
import pytest
from pydicom import dcmread
from pydicom.uid import generate_uid

from spinedet.core.errors import InputError
from spinedet.imaging.dicom import index_folder
from spinedet.imaging.volume import Volume, index_images, read_volume

from .conftest import AXIAL, SAGITTAL, T1_TAGS, T2_TAGS, Cut, Hospital, tilted_axial, tissue

BACK = Cut(SAGITTAL, (3.0, -20.0, 40.0), slices=9, shape=(160, 60))
# A value of an identifier for each slice, by its number.
Numbering = Callable[[int], object]


def write(hospital: Hospital, number: int, cut: Cut, tags: dict[str, object], **own: Numbering) -> list[Path]:
    """One series; keywords name tags that each slice has a value of its own of."""
    return [
        hospital.image(number, cut, position, {**tags, **{keyword: value(n) for keyword, value in own.items()}})
        for n, position in enumerate(cut.positions())
    ]


def uid(number: int) -> str:
    return f"1.2.826.0.1.{number + 1}"


def is_exact(volume: Volume, cut: Cut) -> bool:
    """Whether every voxel holds the tissue at its RAS mm, and the corner voxels lie where the cut's do."""
    rows, columns = cut.shape
    assert volume.array.shape == (columns, rows, cut.slices)
    indices = np.stack(np.meshgrid(*map(np.arange, volume.array.shape), indexing="ij"), axis=-1)
    points = indices @ volume.grid.affine[:3, :3].T + volume.grid.affine[:3, 3]
    first = cut.positions()[0] * [-1, -1, 1]
    return bool(np.array_equal(volume.array, tissue(points * [-1, -1, 1]))) and volume.grid.affine[:3, 3] == (
        pytest.approx(first, abs=1e-4)
    )


@pytest.mark.parametrize(
    "instance", [lambda n: uid(n % 5), lambda n: uid(n // 2), lambda _: uid(0)], ids=["half", "pairs", "all"]
)
def test_slices_that_share_a_sop_instance_uid_are_slices(hospital: Hospital, instance: Numbering) -> None:
    write(hospital, 1, BACK, T2_TAGS, SOPInstanceUID=instance)
    volume = read_volume(hospital.folder)
    assert volume.grid.spacing == pytest.approx([1.25, 1.25, 4.0])
    assert is_exact(volume, BACK)


def test_copies_are_left_out_whatever_their_uid_and_echo(hospital: Hospital) -> None:
    files = write(hospital, 1, BACK, T2_TAGS)
    write(hospital, 1, BACK, {**T2_TAGS, "EchoTime": 20.0})
    for number, file in enumerate(files):
        copied = shutil.copy(file, file.with_name(f"copy-{number}"))
        image = dcmread(copied)
        image.SOPInstanceUID = generate_uid()
        image.save_as(copied)
    index = index_images(hospital.folder)
    (source,) = index.images
    assert is_exact(source.read(), BACK)
    assert "9 copies (equal position and pixels) left out" in repr(index.choices)


def test_other_pixels_at_one_place_under_one_uid_are_refused(hospital: Hospital) -> None:
    files = write(hospital, 1, BACK, T2_TAGS, SOPInstanceUID=uid)
    image = dcmread(shutil.copy(files[2], files[2].with_name("again")))
    image.PixelData = bytes(len(image.PixelData))
    image.save_as(files[2].with_name("again"))
    with pytest.raises(InputError, match="lies where another slice lies already"):
        read_volume(hospital.folder)


@pytest.mark.parametrize(
    ("own", "note"),
    [
        ({"SeriesInstanceUID": uid}, "SeriesInstanceUID differs from slice to slice: grouped by SeriesNumber"),
        ({"SeriesNumber": lambda n: 40 + n}, "SeriesNumber differs from slice to slice"),
        ({"SeriesInstanceUID": uid, "SeriesNumber": lambda n: 40 + n}, "grouped by geometry and acquisition"),
        ({"PatientID": uid}, "PatientID differs from slice to slice"),
        ({"PatientID": uid, "SeriesInstanceUID": uid}, "PatientID differs from slice to slice"),
        ({"StudyInstanceUID": uid}, "StudyInstanceUID differs from slice to slice"),
    ],
    ids=["series", "number", "series-and-number", "patient", "patient-and-series", "study"],
)
def test_an_identifier_of_its_own_on_every_slice_is_ignored(
    hospital: Hospital, own: dict[str, Numbering], note: str
) -> None:
    write(hospital, 1, BACK, T2_TAGS, **own)
    index = index_images(hospital.folder)
    (source,) = index.images
    assert is_exact(source.read(), BACK)
    assert note in repr(index.choices)
    assert is_exact(read_volume(hospital.folder), BACK)


def test_a_study_whose_files_all_have_their_own_series_uid_comes_apart_by_number_and_geometry(
    hospital: Hospital,
) -> None:
    every = count(1)
    discs = (
        Cut(tilted_axial(-8), (0, 5, 70), slices=4, shape=(80, 80)),
        Cut(tilted_axial(12), (0, 0, 35), slices=5, shape=(80, 80)),
    )
    write(hospital, 2, BACK, T1_TAGS, SeriesInstanceUID=lambda _: uid(next(every)))
    write(hospital, 5, BACK, T2_TAGS, SeriesInstanceUID=lambda _: uid(next(every)))
    for cut in discs:
        write(hospital, 7, cut, T2_TAGS, SeriesInstanceUID=lambda _: uid(next(every)))
    index = index_images(hospital.folder)
    assert [source.id for source in index.images] == ["series-5", "series-7-block-1", "series-7-block-2"]
    assert all(is_exact(source.read(), cut) for source, cut in zip(index.images, (BACK, *discs), strict=True))


def test_without_numbers_series_come_apart_by_acquisition(hospital: Hospital) -> None:
    every = count(1)
    for tags in (T1_TAGS, T2_TAGS):
        write(hospital, 1, BACK, {**tags, "SeriesNumber": None}, SeriesInstanceUID=lambda _: uid(next(every)))
    (source,) = index_images(hospital.folder).images
    assert source.block is not None
    assert source.block.acquisition.echo_time == 102.0
    assert is_exact(source.read(), BACK)


def test_one_uid_everywhere_does_not_mix_patients(tmp_path: Path) -> None:
    for patient in ("a", "b", "c"):
        write(
            Hospital(tmp_path / patient),
            1,
            Cut(AXIAL, (0, 0, 0), slices=4, shape=(80, 80)),
            {**T2_TAGS, "PatientID": patient, "StudyInstanceUID": uid(0), "SeriesInstanceUID": uid(0)},
        )
    studies = index_folder(tmp_path)
    assert [len(series.slices) for study in studies for series in study.series] == [4, 4, 4]
    assert len({study.patient for study in studies}) == 3
