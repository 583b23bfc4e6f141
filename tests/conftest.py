"""What several floors' tests share: one volume stored in every way, and DICOM files written by hand."""

import os
from collections.abc import Callable, Iterator
from itertools import permutations, product
from pathlib import Path

import numpy as np
import pytest
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, generate_uid

from spinedet.core.geometry import Grid
from spinedet.imaging.volume import Volume

STUDY, SERIES = generate_uid(), generate_uid()
# Inputs that each fuzzing test draws: a few in the suite, more by `SPINEDET_FUZZ=10000 pytest -k fuzz`, then at random.
FUZZ_EXAMPLES = int(os.environ.get("SPINEDET_FUZZ", "40"))
FUZZ_AT_RANDOM = "SPINEDET_FUZZ" in os.environ
# Sagittal: pixels run to posterior along a row and to inferior down the rows (LPS); the normal points right.
SAGITTAL_DIRECTIONS = (0.0, 1.0, 0.0, 0.0, 0.0, -1.0)


def stored_orders(volume: Volume) -> Iterator[Volume]:
    """The same voxels at the same places in all 48 flips and axis orders."""
    for order, flips in product(permutations(range(3)), product((False, True), repeat=3)):
        array, affine = volume.array, volume.grid.affine.copy()
        for axis, flip in enumerate(flips):
            if flip:
                affine[:3, 3] += affine[:3, axis] * (array.shape[axis] - 1)
                affine[:3, axis] *= -1
                array = np.flip(array, axis)
        affine[:, :3] = affine[:, list(order)]
        array = array.transpose(order)
        yield Volume(array, Grid(array.shape, affine))


WriteSlice = Callable[..., Path]


@pytest.fixture
def write_slice(tmp_path: Path) -> WriteSlice:
    """Writes one DICOM file into tmp_path/dicom; keyword arguments replace its tags, None removes one."""
    folder = tmp_path / "dicom"
    folder.mkdir()

    def write(name: str, pixels: np.ndarray, position: tuple[float, float, float], **tags: object) -> Path:
        meta = FileMetaDataset()
        meta.TransferSyntaxUID = ExplicitVRLittleEndian
        meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.4"
        meta.MediaStorageSOPInstanceUID = generate_uid()
        image = FileDataset(str(folder / name), {}, file_meta=meta, preamble=bytes(128))
        content = {
            "SOPClassUID": meta.MediaStorageSOPClassUID,
            "SOPInstanceUID": meta.MediaStorageSOPInstanceUID,
            "StudyInstanceUID": STUDY,
            "SeriesInstanceUID": SERIES,
            "SeriesNumber": 3,
            "PatientName": "Secret^Name",
            "PatientID": "secret-id",
            "Rows": pixels.shape[0],
            "Columns": pixels.shape[1],
            "SamplesPerPixel": 1,
            "PhotometricInterpretation": "MONOCHROME2",
            "BitsAllocated": 16,
            "BitsStored": 16,
            "HighBit": 15,
            "PixelRepresentation": 0,
            "PixelSpacing": [0.5, 0.8],
            "ImageOrientationPatient": list(SAGITTAL_DIRECTIONS),
            "ImagePositionPatient": list(position),
            "SliceThickness": 3.0,
            "PixelData": pixels.astype(np.uint16).tobytes(),
            **tags,
        }
        for keyword, value in content.items():
            if value is not None:
                setattr(image, keyword, value)
        image.save_as(folder / name, enforce_file_format=True)
        return folder / name

    return write
