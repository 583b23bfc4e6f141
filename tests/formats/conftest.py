"""Small images written as data sets publish them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import SimpleITK
from numpy.typing import NDArray
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian

from tests.scoring.conftest import draw

__all__ = ["draw"]

MR_IMAGE = "1.2.840.10008.5.1.4.1.1.4"
# A sagittal stack as scanners store it, in ITK's LPS: slices to the patient's left, rows to the feet, columns back.
SAGITTAL_LPS = np.array([[0.0, 0.0, 1.0], [1.0, 0.0, 0.0], [0.0, -1.0, 0.0]])


def write_itk(
    path: Path,
    array: NDArray[np.generic],
    spacing: tuple[float, float, float] = (1.0, 1.0, 1.0),
    origin: tuple[float, float, float] = (0.0, 0.0, 0.0),
    directions: NDArray[np.float64] | None = None,
) -> Path:
    """Write `array` (i, j, k) with LPS origin and directions (columns) as any file that ITK knows."""
    image = SimpleITK.GetImageFromArray(np.ascontiguousarray(array.T))
    image.SetSpacing(spacing)
    image.SetOrigin(origin)
    image.SetDirection((np.eye(3) if directions is None else directions).ravel().tolist())
    path.parent.mkdir(parents=True, exist_ok=True)
    SimpleITK.WriteImage(image, str(path))
    return path


def grey(shape: tuple[int, int, int]) -> NDArray[np.float32]:
    """An image that is not constant."""
    return np.random.default_rng(0).integers(0, 1000, shape).astype(np.float32)


def write_dicom(
    path: Path,
    position: tuple[float, float, float],
    uids: tuple[str, str, str],
    orientation: tuple[float, ...] = (0, 1, 0, 0, 0, -1),
    spacing: tuple[float, float] = (0.5, 0.8),
    shape: tuple[int, int] = (40, 30),
    echo_ms: float = 100.0,
) -> Path:
    """Write one real DICOM slice: `uids` of study, series and instance; `spacing` between rows, between columns."""
    meta = FileMetaDataset()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.MediaStorageSOPClassUID = MR_IMAGE
    meta.MediaStorageSOPInstanceUID = uids[2]
    image = FileDataset(str(path), {}, file_meta=meta, preamble=bytes(128))
    image.SOPClassUID, image.SOPInstanceUID = MR_IMAGE, uids[2]
    image.StudyInstanceUID, image.SeriesInstanceUID, image.SeriesNumber = uids[0], uids[1], 1
    image.PatientName, image.PatientID = "Secret^Name", "secret"
    image.Rows, image.Columns = shape
    image.SamplesPerPixel, image.PhotometricInterpretation = 1, "MONOCHROME2"
    image.BitsAllocated, image.BitsStored, image.HighBit, image.PixelRepresentation = 16, 16, 15, 0
    image.PixelSpacing, image.EchoTime = list(spacing), echo_ms
    image.ImageOrientationPatient, image.ImagePositionPatient = list(orientation), list(position)
    rows, columns = shape
    image.PixelData = (np.arange(rows * columns, dtype=np.uint16) + len(str(path))).tobytes()
    path.parent.mkdir(parents=True, exist_ok=True)
    image.save_as(path, enforce_file_format=True)
    return path
