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
