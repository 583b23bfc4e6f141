"""Make the scan that `predict input=sample` reads: one T2 slab of SPIDER, stored anew without loss.

    python benchmarks/generate/sample_scan.py SPIDER_FOLDER

Voxels and geometry stay as they are; axes are stored so that slices compress well.
"""

from __future__ import annotations

import argparse
import gzip
from pathlib import Path

import nibabel as nib
import numpy as np

from spinedet.imaging.volume import read_volume
from spinedet.pipelines.sample import sample_scan

PATIENT = 52
LARGEST_BYTES = 4_000_000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("spider", type=Path)
    volume = read_volume(parser.parse_args().spider / f"images/{PATIENT}_t2_SPACE.mha")
    array, affine = volume.array.transpose(1, 2, 0), volume.grid.affine[:, [1, 2, 0, 3]]
    image = nib.Nifti1Image(array.astype(np.uint8), affine)
    image.header.set_xyzt_units("mm")
    image.set_qform(affine, code="scanner")
    image.set_sform(affine, code="scanner")
    content = gzip.compress(image.to_bytes(), 9, mtime=0)
    if len(content) > LARGEST_BYTES:
        raise SystemExit(f"{len(content)} bytes are too many")
    sample_scan().parent.mkdir(exist_ok=True)
    sample_scan().write_bytes(content)
    again = read_volume(sample_scan())
    if not ((again.array == array).all() and np.allclose(again.grid.affine, affine, atol=1e-5)):
        raise SystemExit("the voxels or their places have changed")
    print(f"{sample_scan()}: {len(content)} bytes, {array.shape}")


if __name__ == "__main__":
    main()
