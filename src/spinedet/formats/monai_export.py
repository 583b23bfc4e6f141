"""A manifest as the data list of MONAI's detection examples (LUNA16): world boxes `cccwhd` in LPS mm."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import numpy as np

from spinedet.core.files import write_json
from spinedet.core.geometry import LPS, Array, bounds
from spinedet.core.types import Split
from spinedet.formats.annotated_dataset import Unused
from spinedet.formats.manifest_export import Outgoing, OutgoingScan, relative

_LISTS = {Split.TRAIN: "training", Split.TUNE: "validation", Split.TEST: "test", None: "training"}
# Cosines; half a degree. MONAI moves two corners of a box between frames, which is exact along the axes alone.
_OBLIQUE = 0.01


def write_monai(out: Outgoing) -> tuple[Unused, ...]:
    """Write `monai.json`: `box` is [x, y, z, width, height, depth] around the centre, as MONAI's examples read it with
    `gt_box_mode="cccwhd"` and `affine_lps_to_ras=True`; `label` counts from 0.

    Oblique series are left out unless their hulls are wanted; lesions to ignore are left out, as MONAI knows none.
    """
    categories = list(out.manifest.categories)
    lists: dict[str, list[dict[str, Any]]] = defaultdict(list)
    left_out: list[Unused] = []
    for scan in out.scans:
        if is_oblique(scan) and not out.hull:
            left_out.append(Unused(scan.where, "oblique; use oblique=hull, or to=nndetection for tight boxes"))
            continue
        kept = [lesion for lesion in scan.lesions if not lesion.ignore]
        ignored = [lesion for lesion in scan.lesions if lesion.ignore]
        left_out += [
            Unused(f"{scan.where}, lesion {x.id}", "to be ignored, which MONAI does not know") for x in ignored
        ]
        entry = {
            "image": relative(scan.series.path, out.folder),
            "box": [_cccwhd(*limits) for limits in zip(*bounds([x.box for x in kept]), strict=True)],
            "label": [categories.index(lesion.category) for lesion in kept],
        }
        lists[_LISTS[scan.study.split]].append(entry)
    labels = {str(number): name for number, name in enumerate(categories)}
    about = {"name": out.manifest.name, "box_mode": "cccwhd", "space": "LPS", "labels": labels}
    write_json(out.folder / "monai.json", {**about, **lists})
    return tuple(left_out)


def is_oblique(scan: OutgoingScan) -> bool:
    """Whether the image's axes are not those of the patient."""
    cosines = np.abs(scan.grid.axes)
    return bool(np.abs(cosines - np.rint(cosines)).max() > _OBLIQUE)


def _cccwhd(low: Array, high: Array) -> list[float]:
    """Centre and size along L, P, S from limits along R, A, S."""
    return [*((low + high) / 2 * LPS).tolist(), *(high - low).tolist()]
