"""Seconds and memory to index a folder of many small DICOM files: `python -m benchmarks.performance.index_dicom`."""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import UID, ExplicitVRLittleEndian, generate_uid

_IMAGES_PER_SERIES, _SERIES_PER_STUDY = 20, 10
_TAGS_OF_A_SCANNER = 120


def write_archive(folder: Path, files: int) -> None:
    """Studies of ten series of twenty 16 x 16 images, with as many other tags as scanners write."""
    for number in range(files):
        series, image = divmod(number, _IMAGES_PER_SERIES)
        study, series = divmod(series, _SERIES_PER_STUDY)
        path = folder / f"study{study}" / f"{(number * 7919) % files:06d}"
        path.parent.mkdir(exist_ok=True)
        _write(path, study, series, image)


def _write(path: Path, study: int, series: int, image: int) -> None:
    meta = FileMetaDataset()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.MediaStorageSOPClassUID = UID("1.2.840.10008.5.1.4.1.1.4")
    meta.MediaStorageSOPInstanceUID = generate_uid()
    file = FileDataset(str(path), {}, file_meta=meta, preamble=bytes(128))
    content = {
        "SOPClassUID": meta.MediaStorageSOPClassUID,
        "SOPInstanceUID": meta.MediaStorageSOPInstanceUID,
        "StudyInstanceUID": f"1.2.3.{study}",
        "SeriesInstanceUID": f"1.2.3.{study}.{series}",
        "SeriesNumber": series,
        "PatientID": str(study),
        "Modality": "MR",
        "ImageType": ["ORIGINAL", "PRIMARY", "M"],
        "SeriesDescription": "t2_tse_sag",
        "EchoTime": 100,
        "RepetitionTime": 3500,
        "Rows": 16,
        "Columns": 16,
        "SamplesPerPixel": 1,
        "PhotometricInterpretation": "MONOCHROME2",
        "BitsAllocated": 16,
        "BitsStored": 16,
        "HighBit": 15,
        "PixelRepresentation": 0,
        "PixelSpacing": [1.0, 1.0],
        "ImageOrientationPatient": [0, 1, 0, 0, 0, -1],
        "ImagePositionPatient": [4.0 * image, 0, 0],
        "PixelData": bytes(512),
    }
    for keyword, value in content.items():
        setattr(file, keyword, value)
    block = file.private_block(0x0019, "SCANNER", create=True)
    for element in range(_TAGS_OF_A_SCANNER):
        block.add_new(element, "LO", f"value {element}")
    file.save_as(path, enforce_file_format=True)


def measure(folder: Path) -> None:
    """Index in this process and print seconds and the growth of its peak memory."""
    from spinedet.imaging.dicom import index_folder

    before = resource.getrusage(resource.RUSAGE_SELF)
    start = time.perf_counter()
    studies = index_folder(folder)
    seconds = time.perf_counter() - start
    after = resource.getrusage(resource.RUSAGE_SELF)
    images = sum(len(series.slices) for study in studies for series in study.series)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    grown = (after.ru_maxrss - before.ru_maxrss) / 1024
    print(
        f"{images} images of {len(studies)} studies: {seconds:.1f} s, {cpu:.1f} s of CPU, "
        f"peak memory grew by {grown:.1f} MiB, load {os.getloadavg()[0]:.1f}"
    )


def main() -> None:
    """Write archives of two sizes and index each in a process of its own."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=int, nargs="+", default=[1000, 10000])
    parser.add_argument("--folder", type=Path, help="index this folder instead")
    given = parser.parse_args()
    if given.folder:
        measure(given.folder)
        return
    for files in given.files:
        with tempfile.TemporaryDirectory() as folder:
            write_archive(Path(folder), files)
            subprocess.run([sys.executable, __file__, "--folder", folder], check=True)


if __name__ == "__main__":
    main()
