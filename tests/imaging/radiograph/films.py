"""Hand-made films: a body with a spine, bone white, and the files that hospitals make of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, generate_uid

Film = NDArray[np.float32]
ROWS, COLUMNS = 320, 288
DX = "1.2.840.10008.5.1.4.1.1.1.1"


def film(rows: int = ROWS, columns: int = COLUMNS, seed: int = 0) -> Film:
    """A frontal film in [0, 1]: dark air, a bright body, brighter vertebrae in its middle, noise."""
    noise = np.random.default_rng(seed).normal(0, 0.01, (rows, columns))
    y, x = np.mgrid[0:rows, 0:columns] / np.array([rows, columns])[:, None, None]
    body = np.clip(1.6 * (1 - ((x - 0.5) / 0.46) ** 2), 0, 1) * 0.45
    spine = np.exp(-(((x - 0.5) / 0.09) ** 4)) * (0.22 + 0.08 * np.sign(np.sin(y * 2 * np.pi * 6)))
    return np.clip(0.05 + body + spine + noise, 0, 1).astype(np.float32)


def in_rim(picture: Film, rim: float = 0.0, edge: int = 40) -> Film:
    """The film collimated by a flat rim on all sides."""
    made = np.full_like(picture, rim)
    made[edge:-edge, edge:-edge] = picture[edge:-edge, edge:-edge]
    return made


def as_integers(picture: Film, bits: int = 12) -> NDArray[np.uint16]:
    return np.rint(picture * ((1 << bits) - 1)).astype(np.uint16)


def save(path: Path, picture: Film, bits: int = 8, **options: Any) -> Path:
    """PNG, TIFF or JPEG by the name's ending."""
    values = np.rint(picture * ((1 << bits) - 1)).astype(np.uint8 if bits == 8 else np.uint16)
    Image.fromarray(values).save(path, **options)
    return path


def dicom(path: Path, pixels: NDArray[Any], bits: int = 12, **tags: Any) -> Path:
    """A DX file of unsigned pixels; a tag of None is left out, others replace what usual files say."""
    meta = FileMetaDataset()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.MediaStorageSOPClassUID = DX
    meta.MediaStorageSOPInstanceUID = generate_uid()
    made = FileDataset(str(path), {}, file_meta=meta, preamble=b"\0" * 128)
    usual = {
        "SOPClassUID": DX,
        "SOPInstanceUID": meta.MediaStorageSOPInstanceUID,
        "PatientName": "Doe^Jane",
        "PatientID": "secret",
        "Modality": "DX",
        "PhotometricInterpretation": "MONOCHROME2",
        "SamplesPerPixel": 1 if pixels.ndim == 2 else 3,
        "Rows": pixels.shape[0],
        "Columns": pixels.shape[1],
        "BitsAllocated": 8 * pixels.dtype.itemsize,
        "BitsStored": bits,
        "HighBit": bits - 1,
        "PixelRepresentation": int(pixels.dtype.kind == "i"),
        "ViewPosition": "AP",
        "BodyPartExamined": "LSPINE",
        "PresentationIntentType": "FOR PRESENTATION",
    }
    if pixels.ndim == 3:
        usual |= {"PlanarConfiguration": 0, "PhotometricInterpretation": "RGB"}
    for name, value in (usual | tags).items():
        if value is not None:
            setattr(made, name, value)
    made.PixelData = np.ascontiguousarray(pixels).tobytes()
    made.save_as(path, enforce_file_format=True)
    return path


def lookup_table(entries: list[int], first: int, bits: int) -> Dataset:
    item = Dataset()
    item.add_new("LUTDescriptor", "US", [len(entries), first, bits])
    item.add_new(
        "LUTData",
        "US" if len(entries) < 1000 else "OW",
        entries if len(entries) < 1000 else np.array(entries, "<u2").tobytes(),
    )
    return item
