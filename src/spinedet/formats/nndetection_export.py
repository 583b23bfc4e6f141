"""A manifest as a data set of nnDetection: images, instance masks and the class of every instance."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from spinedet.core.files import write_json
from spinedet.core.geometry import Array, Grid
from spinedet.core.types import Lesion, Split
from spinedet.formats.annotated_dataset import Unused
from spinedet.formats.manifest_export import NIFTI, Outgoing, OutgoingScan, save_nifti
from spinedet.formats.mask_boxes import label_boxes, voxel_box
from spinedet.imaging.volume import Volume, write_volume


def write_nndetection(out: Outgoing) -> tuple[Unused, ...]:
    """Write `Task100_<name>` as nnDetection's raw data: test studies in imagesTs and labelsTs, all others in imagesTr
    and labelsTr.

    A box becomes the voxels whose centres it holds, at least one. Lesions to ignore and boxes that others cover whole
    are left out; boxes that others cover in part are listed, as masks cannot overlap.
    """
    task = f"Task100_{re.sub('[^A-Za-z0-9]+', '', out.manifest.name) or 'Spine'}"
    folder = out.folder / task
    categories = list(out.manifest.categories)
    tested = False
    left_out: list[Unused] = []
    for scan in out.scans:
        tested |= scan.study.split is Split.TEST
        left_out += _write_case(scan, folder / "raw_splitted_data", categories)
    about = {
        "task": task,
        "name": out.manifest.name,
        "dim": 3,
        "target_class": 0,
        "test_labels": tested,
        "labels": {str(number): name for number, name in enumerate(categories)},
        "modalities": {"0": "T2"},
    }
    write_json(folder / "dataset.json", about)
    return tuple(left_out)


def _write_case(scan: OutgoingScan, folder: Path, categories: list[str]) -> list[Unused]:
    part = "Ts" if scan.study.split is Split.TEST else "Tr"
    # Large boxes first: a small box on a large one stays whole.
    kept = sorted((x for x in scan.lesions if not x.ignore), key=lambda lesion: -np.prod(lesion.box.size))
    present = set(np.unique(_mask(kept, scan.grid).array).tolist())
    hidden = [x for n, x in enumerate(kept, 1) if n not in present]
    kept = [x for x in kept if x not in hidden]
    mask = _mask(kept, scan.grid)
    save_nifti(scan, folder / f"images{part}", f"{scan.file_name}_0000")
    write_volume(folder / f"labels{part}" / f"{scan.file_name}{NIFTI}", mask)
    instances = {str(number): categories.index(lesion.category) for number, lesion in enumerate(kept, start=1)}
    write_json(folder / f"labels{part}" / f"{scan.file_name}.json", {"instances": instances})
    ignored = [x for x in scan.lesions if x.ignore]
    return [
        *(Unused(f"{scan.where}, lesion {x.id}", "to be ignored, which nnDetection does not know") for x in ignored),
        *(Unused(f"{scan.where}, lesion {x.id}", "another box covers it whole") for x in hidden),
        *(Unused(f"{scan.where}, lesion {x.id}", "another box covers part of it") for x in _covered(scan, kept, mask)),
    ]


def _mask(lesions: list[Lesion], grid: Grid) -> Volume:
    array = np.zeros(grid.shape, np.float32)
    for number, lesion in enumerate(lesions, start=1):
        array[_voxels(lesion, grid)] = number
    return Volume(array, grid)


def _voxels(lesion: Lesion, grid: Grid) -> tuple[slice, ...]:
    """The voxels whose centres the box holds, at least one along each axis, within the image."""
    edges = grid.edges(lesion.box)
    last = np.array(grid.shape) - 1
    start = np.clip(_first_centre(edges.low), 0, last)
    stop = np.clip(_first_centre(edges.high), start + 1, last + 1)
    return tuple(slice(a, b) for a, b in zip(start.tolist(), stop.tolist(), strict=True))


def _first_centre(edges: Array) -> Array:
    """The first voxel whose centre lies at or behind an edge coordinate; a hair before it counts as at."""
    return np.ceil(edges - 0.5 - 1e-6).astype(int)


def _covered(scan: OutgoingScan, lesions: list[Lesion], mask: Volume) -> list[Lesion]:
    """Lesions that later ones cover in part, so that their masks no longer give their boxes."""
    boxes = label_boxes(mask)
    alone = (voxel_box(_voxels(lesion, scan.grid), scan.grid) for lesion in lesions)
    return [lesion for n, (lesion, box) in enumerate(zip(lesions, alone, strict=True), 1) if boxes[n] != box]
