"""Radiographs as files: 16-bit PNG, or DICOM DX."""

from __future__ import annotations

import hashlib
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import UID, DigitalXRayImageStorageForPresentation, ExplicitVRLittleEndian

from spinedet.simulation.radiograph.room import TakenImage

# The letters of DICOM's Patient Orientation (C.7.6.1.1.1) along R, A and S, positive and negative.
_LETTERS = (("R", "L"), ("A", "P"), ("H", "F"))


def write_png(path: Path, image: TakenImage, _identity: str) -> None:
    """Grey values of 16 bit; equal pixels give equal bytes on any machine with the same zlib."""
    rows, columns = image.pixels.shape
    lines = np.zeros((rows, 1 + 2 * columns), np.uint8)
    lines[:, 1:] = image.pixels.astype(">u2").view(np.uint8)
    # The difference to the line above compresses better: filter 2 of the PNG standard.
    lines[:, 0] = 2
    lines[1:, 1:] -= image.pixels.astype(">u2").view(np.uint8)[:-1]
    header = struct.pack(">IIBBBBB", columns, rows, 16, 0, 0, 0, 0)
    chunks = [(b"IHDR", header), (b"IDAT", zlib.compress(lines.tobytes(), 6)), (b"IEND", b"")]
    body = b"".join(_chunk(name, content) for name, content in chunks)
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + body)


def write_dicom(path: Path, image: TakenImage, identity: str) -> None:
    """A DX image for presentation with its view, orientation and pixel spacing at the detector.

    `identity` is study/image; the patient does not exist.
    """
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = DigitalXRayImageStorageForPresentation
    meta.MediaStorageSOPInstanceUID = _uid(identity)
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    data = FileDataset(str(path), {}, file_meta=meta, preamble=b"\0" * 128)
    data.SOPClassUID, data.SOPInstanceUID = meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID
    study = identity.rpartition("/")[0]
    data.StudyInstanceUID, data.SeriesInstanceUID = _uid(study), _uid(f"{identity}/series")
    data.PatientID = data.PatientName = hashlib.sha256(study.encode()).hexdigest()[:12]
    data.Modality, data.Manufacturer, data.BodyPartExamined = "DX", "spinedet phantom", "SPINE"
    data.ViewPosition = _position(image.view.beam)
    columns = image.view.columns if not image.mirrored else _reversed(image.view.columns)
    data.PatientOrientation = [_letter(columns), _letter(image.view.rows)]
    data.ImagerPixelSpacing = [image.mm, image.mm]
    data.PresentationIntentType, data.PresentationLUTShape = "FOR PRESENTATION", "IDENTITY"
    data.PhotometricInterpretation, data.SamplesPerPixel = "MONOCHROME2", 1
    data.PixelIntensityRelationship, data.PixelIntensityRelationshipSign = "LOG", 1
    data.RescaleIntercept, data.RescaleSlope, data.RescaleType = 0, 1, "US"
    data.Rows, data.Columns = image.pixels.shape
    data.BitsAllocated, data.BitsStored, data.HighBit, data.PixelRepresentation = 16, 16, 15, 0
    data.BurnedInAnnotation = "NO"
    data.PixelData = image.pixels.astype("<u2").tobytes()
    data.save_as(path, enforce_file_format=True)


def _letter(direction: tuple[int, int, int]) -> str:
    """Where a direction along one patient axis (RAS) leads."""
    return next(letters[step < 0] for letters, step in zip(_LETTERS, direction, strict=True) if step)


def _reversed(direction: tuple[int, int, int]) -> tuple[int, int, int]:
    return -direction[0], -direction[1], -direction[2]


def _position(beam: tuple[int, int, int]) -> str:
    """DICOM's View Position: AP and PA by where the beam goes, LL and RL by the side at the detector."""
    end = _letter(beam)
    return f"{end}L" if end in _LETTERS[0] else f"{_letter(_reversed(beam))}{end}"


def _chunk(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))


def _uid(text: str) -> UID:
    """A UUID-derived UID (2.25) that depends on the text alone."""
    return UID(f"2.25.{int.from_bytes(hashlib.sha256(text.encode()).digest()[:16], 'big')}")


Writer = Callable[[Path, TakenImage, str], None]
WRITERS: dict[str, tuple[str, Writer]] = {"png": (".png", write_png), "dicom": (".dcm", write_dicom)}
