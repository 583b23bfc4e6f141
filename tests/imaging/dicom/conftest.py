"""A hospital's study, written file by file from one drawn block of tissue, with everything that hospitals put in it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.uid import UID, ExplicitVRLittleEndian, generate_uid

from spinedet.core.geometry import Array

MR = "1.2.840.10008.5.1.4.1.1.4"
ENHANCED_MR = "1.2.840.10008.5.1.4.1.1.4.1"
SECONDARY_CAPTURE = "1.2.840.10008.5.1.4.1.1.7"

T2_TAGS = {
    "EchoTime": 102.0,
    "RepetitionTime": 3500.0,
    "ScanningSequence": "SE",
    "ImageType": ["ORIGINAL", "PRIMARY", "M"],
}
T1_TAGS = {**T2_TAGS, "EchoTime": 11.0, "RepetitionTime": 600.0}
STIR_TAGS = {**T2_TAGS, "EchoTime": 60.0, "ScanningSequence": ["SE", "IR"], "InversionTime": 160.0}

# Columns run to posterior, rows to the feet; the normal points to the patient's right.
SAGITTAL = np.array([[0.0, 1, 0], [0, 0, -1], [-1, 0, 0]])
AXIAL = np.array([[1.0, 0, 0], [0, 1, 0], [0, 0, 1]])
CORONAL = np.array([[1.0, 0, 0], [0, 0, -1], [0, 1, 0]])


def tilted_axial(degrees: float) -> Array:
    """Axial slices that follow a disc: turned about the left-right axis, front down."""
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    return AXIAL @ np.array([[1, 0, 0], [0, c, s], [0, -s, c]])


def tissue(points: Array) -> Array:
    """Grey values at LPS points (..., 3), smooth and nowhere the same: what every series of the study is a cut of."""
    x, y, z = np.moveaxis(points, -1, 0)
    return np.round(600 + 200 * np.sin(x / 17) + 150 * np.cos(y / 23) + 100 * np.sin(z / 31) + x + 2 * y + 3 * z + 1000)


@dataclass(frozen=True)
class Cut:
    """A stack of slices through the tissue: frame rows (3, 3) LPS, centre of its block LPS mm, and its sampling."""

    frame: Array
    center: tuple[float, float, float]
    slices: int
    pitch: float = 4.0
    shape: tuple[int, int] = (40, 40)
    pixel: float = 5.0 / 4

    def positions(self) -> Array:
        """Centre of the first pixel of every slice, (slices, 3)."""
        rows, columns = self.shape
        first = np.array(self.center) - self.pixel * (
            self.frame[0] * (columns - 1) / 2 + self.frame[1] * (rows - 1) / 2
        )
        heights = (np.arange(self.slices) - (self.slices - 1) / 2) * self.pitch
        return first + heights[:, None] * self.frame[2]

    def pixels(self, position: Array) -> Array:
        """Grey values (row, column) of the slice whose first pixel is at `position`."""
        rows, columns = np.mgrid[: self.shape[0], : self.shape[1]]
        points = position + self.pixel * (columns[..., None] * self.frame[0] + rows[..., None] * self.frame[1])
        return tissue(points)


class Hospital:
    """Writes the files of one study, under names and numbers that say nothing of their order."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.study = generate_uid()
        self.uids: dict[int, str] = {}
        self._written = 0

    def series(self, number: int, cuts: Iterable[Cut], tags: dict[str, object]) -> list[Path]:
        """One series of single-frame files; files of all its cuts are written in a shuffled order."""
        slices = [(cut, position) for cut in cuts for position in cut.positions()]
        order = np.random.default_rng(number).permutation(len(slices))
        return [self.image(number, *slices[index], tags) for index in order]

    def image(self, number: int, cut: Cut, position: Array, tags: dict[str, object]) -> Path:
        """One file; `tags` replace what it says, None removes a tag."""
        pixels = cut.pixels(position)
        content = {
            "ImagePositionPatient": position.round(6).tolist(),
            "ImageOrientationPatient": cut.frame[:2].round(8).ravel().tolist(),
            "PixelSpacing": [cut.pixel, cut.pixel],
            **_matrix(pixels),
            **tags,
        }
        return self.write(number, content, MR)

    def write(self, number: int, content: dict[str, object], sop_class: str) -> Path:
        """One file of a series."""
        self._written += 1
        uid = self.uids.setdefault(number, generate_uid())
        meta = FileMetaDataset()
        meta.TransferSyntaxUID = ExplicitVRLittleEndian
        meta.MediaStorageSOPClassUID = UID(sop_class)
        meta.MediaStorageSOPInstanceUID = UID(str(content.get("SOPInstanceUID") or generate_uid()))
        path = self.folder / f"{number % 3}" / f"IM{(self._written * 37) % 1009:04d}"
        path.parent.mkdir(parents=True, exist_ok=True)
        image = FileDataset(str(path), {}, file_meta=meta, preamble=bytes(128))
        identity = {
            "SOPClassUID": meta.MediaStorageSOPClassUID,
            "SOPInstanceUID": meta.MediaStorageSOPInstanceUID,
            "StudyInstanceUID": self.study,
            "SeriesInstanceUID": uid,
            "SeriesNumber": number,
            "InstanceNumber": (self._written * 11) % 97,
            "Modality": "MR",
            "PatientName": "Secret^Name",
            "PatientID": "secret-id",
            "PatientBirthDate": "19500101",
        }
        for keyword, value in {**identity, **content}.items():
            if value is not None:
                setattr(image, keyword, value)
        image.save_as(path, enforce_file_format=True)
        return path

    def enhanced(self, number: int, cut: Cut, tags: dict[str, object], slopes: tuple[float, ...] = (1.0,)) -> Path:
        """One enhanced multi-frame file; frames are stored in a shuffled order, each with its own rescale slope."""
        positions = np.random.default_rng(number).permutation(cut.positions())
        frames = []
        for index, position in enumerate(positions):
            frame = Dataset()
            frame.PlanePositionSequence = [_dataset(ImagePositionPatient=position.round(6).tolist())]
            slope = slopes[index % len(slopes)]
            frame.PixelValueTransformationSequence = [_dataset(RescaleSlope=slope, RescaleIntercept=0)]
            frames.append(frame)
        shared = Dataset()
        shared.PixelMeasuresSequence = [_dataset(PixelSpacing=[cut.pixel, cut.pixel], SliceThickness=3.0)]
        shared.PlaneOrientationSequence = [_dataset(ImageOrientationPatient=cut.frame[:2].round(8).ravel().tolist())]
        shared.MREchoSequence = [_dataset(EffectiveEchoTime=tags["EchoTime"])]
        shared.MRTimingAndRelatedParametersSequence = [_dataset(RepetitionTime=tags["RepetitionTime"])]
        pixels = np.stack([cut.pixels(p) / slopes[i % len(slopes)] for i, p in enumerate(positions)])
        content = {
            **_matrix(pixels),
            "NumberOfFrames": len(positions),
            "SharedFunctionalGroupsSequence": [shared],
            "PerFrameFunctionalGroupsSequence": frames,
        }
        return self.write(number, content, ENHANCED_MR)


def _matrix(pixels: Array) -> dict[str, object]:
    return {
        "Rows": pixels.shape[-2],
        "Columns": pixels.shape[-1],
        "SamplesPerPixel": 1,
        "PhotometricInterpretation": "MONOCHROME2",
        "BitsAllocated": 16,
        "BitsStored": 16,
        "HighBit": 15,
        "PixelRepresentation": 0,
        "PixelData": pixels.astype(np.uint16).tobytes(),
    }


def _dataset(**tags: object) -> Dataset:
    made = Dataset()
    for keyword, value in tags.items():
        setattr(made, keyword, value)
    return made


@pytest.fixture
def hospital(tmp_path: Path) -> Hospital:
    return Hospital(tmp_path / "study")
