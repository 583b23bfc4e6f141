"""Voxels of compressed files are those of the uncompressed ones."""

from __future__ import annotations

from pathlib import Path

import gdcm
import numpy as np
import pytest
from pydicom import dcmread
from pydicom.uid import RLELossless

from spinedet.core.errors import InputError
from spinedet.imaging.volume import read_volume

from .conftest import SAGITTAL, T2_TAGS, Cut, Hospital, tissue

STACK = Cut(SAGITTAL, (0, 0, 0), slices=3, shape=(24, 20))


def compress(path: Path, syntax: int) -> None:
    reader = gdcm.ImageReader()
    reader.SetFileName(str(path))
    assert reader.Read()
    change = gdcm.ImageChangeTransferSyntax()
    change.SetTransferSyntax(gdcm.TransferSyntax(syntax))
    change.SetInput(reader.GetImage())
    assert change.Change()
    writer = gdcm.ImageWriter()
    writer.SetFileName(str(path))
    writer.SetFile(reader.GetFile())
    writer.SetImage(change.GetOutput())
    assert writer.Write()


@pytest.mark.parametrize("name", ["JPEGLosslessProcess14_1", "JPEGLSLossless", "JPEG2000Lossless", "RLELossless"])
def test_lossless_compression_changes_nothing(hospital: Hospital, name: str) -> None:
    files = hospital.series(1, [STACK], T2_TAGS)
    plain = read_volume(hospital.folder).array
    for path in files:
        if name == "RLELossless":
            image = dcmread(path)
            image.compress(RLELossless)
            image.save_as(path)
        else:
            compress(path, getattr(gdcm.TransferSyntax, name))
    assert {dcmread(path).file_meta.TransferSyntaxUID.is_compressed for path in files} == {True}
    assert np.array_equal(read_volume(hospital.folder).array, plain)


def test_a_compressed_multi_frame_file_is_read_frame_by_frame(hospital: Hospital) -> None:
    path = hospital.enhanced(1, STACK, T2_TAGS)
    plain = read_volume(hospital.folder).array
    image = dcmread(path)
    image.compress(RLELossless)
    image.save_as(path)
    assert np.array_equal(read_volume(hospital.folder).array, plain)


def test_a_slope_of_nought_counts_as_none(hospital: Hospital) -> None:
    hospital.series(1, [STACK], {**T2_TAGS, "RescaleSlope": 0, "RescaleIntercept": 5})
    first = STACK.positions()[0]
    assert read_volume(hospital.folder).array[0, 0, 0] == tissue(first) + 5


def test_a_file_written_without_preamble_is_read(hospital: Hospital) -> None:
    for path in hospital.series(1, [STACK], T2_TAGS):
        image = dcmread(path)
        del image.file_meta
        image.preamble = None
        image.save_as(path, implicit_vr=True, little_endian=True, enforce_file_format=False)
    assert read_volume(hospital.folder).array.shape == (20, 24, 3)


def test_damaged_pixels_are_named(hospital: Hospital) -> None:
    hospital.series(1, [STACK], {**T2_TAGS, "PixelData": bytes(100)})
    with pytest.raises(InputError, match="no pixels can be read"):
        read_volume(hospital.folder)


def pad(path: Path, value: int, limit: int | None = None, vr: str = "SS", **tags: object) -> None:
    """Fill the lowest rows of a file with a padding value, half of them with its range limit."""
    image = dcmread(path)
    pixels = np.frombuffer(image.PixelData, "<u2").reshape(image.Rows, image.Columns).astype("<i8")
    pixels[-8:] = value
    pixels[-4:] = value if limit is None else limit
    image.PixelRepresentation = 1
    image.add_new("PixelPaddingValue", vr, value)
    if limit is not None:
        image.add_new("PixelPaddingRangeLimit", vr, limit)
    for keyword, content in tags.items():
        setattr(image, keyword, content)
    image.PixelData = pixels.astype("<i8").astype("<u8").astype("<u2").tobytes()
    image.save_as(path)


@pytest.mark.parametrize(
    ("value", "limit", "vr", "tags"),
    [
        (0, None, "SS", {}),
        (-32768, None, "SS", {}),
        (32767, None, "SS", {}),
        (-2000, -1000, "SS", {}),
        (-1000, -2000, "SS", {}),
        (63536, None, "US", {}),
        (-2000, None, "SS", {"RescaleSlope": 2, "RescaleIntercept": 0}),
    ],
)
def test_padding_is_background(
    hospital: Hospital, value: int, limit: int | None, vr: str, tags: dict[str, object]
) -> None:
    files = hospital.series(1, [STACK], T2_TAGS)
    plain = read_volume(hospital.folder)
    for path in files:
        pad(path, value, limit, vr, **tags)
    padded = read_volume(hospital.folder)
    slope = float(str(tags.get("RescaleSlope", 1)))
    assert padded.grid.affine == pytest.approx(plain.grid.affine)
    assert np.array_equal(padded.array[:, :-8], slope * plain.array[:, :-8])
    assert not padded.array[:, -8:].any()


def test_padding_lies_below_values_under_zero(hospital: Hospital) -> None:
    for path in hospital.series(1, [STACK], T2_TAGS):
        pad(path, -32768, RescaleSlope=1, RescaleIntercept=-3000)
    array = read_volume(hospital.folder).array
    assert np.all(array[:, -8:] == array[:, :-8].min())
    assert array.min() < 0


def test_padding_that_no_tag_declares_is_background(hospital: Hospital) -> None:
    files = hospital.series(1, [STACK], T2_TAGS)
    plain = read_volume(hospital.folder)
    for number, path in enumerate(files):
        pad(path, -32768)
        image = dcmread(path)
        del image.PixelPaddingValue
        if number == 0:  # a slice of nothing else
            image.PixelData = np.full((image.Rows, image.Columns), -32768, "<i2").tobytes()
        image.save_as(path)
    array = read_volume(hospital.folder).array
    slices = array[..., 1:], plain.array[..., 1:]
    if array[..., 0].any():
        slices = array[..., :-1], plain.array[..., :-1]
    assert np.array_equal(slices[0][:, :-8], slices[1][:, :-8])
    assert not slices[0][:, -8:].any()
    assert array.min() == 0


def test_an_image_of_nothing_but_padding_is_refused(hospital: Hospital) -> None:
    for path in hospital.series(1, [STACK], T2_TAGS):
        pad(path, 0, 32767)
    with pytest.raises(InputError, match="every pixel is padding"):
        read_volume(hospital.folder)


def test_a_file_that_begins_with_group_2_is_read(hospital: Hospital) -> None:
    files = hospital.series(1, [STACK], T2_TAGS)
    plain = read_volume(hospital.folder)
    for path in files:
        path.write_bytes(path.read_bytes()[132:])
    bare = read_volume(hospital.folder)
    assert np.array_equal(bare.array, plain.array)
    assert bare.grid.affine == pytest.approx(plain.grid.affine)


def test_an_open_private_sequence_behind_the_pixels_is_passed_over(hospital: Hospital) -> None:
    files = hospital.series(1, [STACK], T2_TAGS)
    plain = read_volume(hospital.folder)
    owner = b"\xe1\x7f\x10\x00LO\x08\x00PRIVATE "
    for path, kind in zip(files, (b"OB", b"SQ", b"UN"), strict=True):
        sequence = b"\xe1\x7f\x10\x10" + kind + b"\0\0\xff\xff\xff\xff" + b"\xfe\xff\x00\xe0\xff\xff\xff\xff"
        path.write_bytes(path.read_bytes() + owner + sequence)
    opened = read_volume(hospital.folder)
    assert np.array_equal(opened.array, plain.array)
    assert opened.grid.affine == pytest.approx(plain.grid.affine)


def test_a_matrix_beyond_memory_is_refused_before_memory_is_taken(hospital: Hospital) -> None:
    hospital.series(1, [STACK], {**T2_TAGS, "Rows": 65535, "Columns": 65535})
    with pytest.raises(InputError, match="65535 x 65535 x 3 voxels"):
        read_volume(hospital.folder)
