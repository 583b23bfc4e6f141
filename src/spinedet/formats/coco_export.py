"""A manifest as COCO-style JSON in three dimensions, readable again by `convert source=coco`."""

from __future__ import annotations

from typing import Any

from spinedet.core.files import write_json
from spinedet.core.types import Lesion
from spinedet.formats.annotated_dataset import Unused
from spinedet.formats.manifest_export import Outgoing, OutgoingScan, relative


def write_coco(out: Outgoing) -> tuple[Unused, ...]:
    """Write `coco.json`, ids from 1; lesions to ignore are crowds.

    `bbox` is [i, j, k, width, height, depth] on voxel edges along the image's stored axes; `box` is the same in RAS
    mm, exactly.
    """
    categories = {name: number for number, name in enumerate(out.manifest.categories, start=1)}
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    for number, scan in enumerate(out.scans, start=1):
        images.append(_image(number, scan, relative(scan.series.path, out.folder)))
        for lesion in scan.lesions:
            base = {"id": len(annotations) + 1, "image_id": number, "category_id": categories[lesion.category]}
            annotations.append(base | _annotation(lesion, scan))
    info = {"description": out.manifest.name, "frame": "voxel", "region": out.manifest.region.value}
    listed = [{"id": number, "name": name} for name, number in categories.items()]
    write_json(
        out.folder / "coco.json", {"info": info, "images": images, "categories": listed, "annotations": annotations}
    )
    return ()


def _image(number: int, scan: OutgoingScan, path: str) -> dict[str, Any]:
    width, height, depth = scan.grid.shape
    return {
        "id": number,
        "file_name": path,
        "width": width,
        "height": height,
        "depth": depth,
        "study": scan.study.id,
        "series": scan.series.id,
        "patient": scan.study.patient,
        "center": scan.study.center,
        "split": scan.study.split.value if scan.study.split else None,
        "plane": scan.series.plane.value,
        "weighting": scan.series.weighting,
    }


def _annotation(lesion: Lesion, scan: OutgoingScan) -> dict[str, Any]:
    edges = scan.grid.edges(lesion.box)
    size = edges.high - edges.low
    return {
        "bbox": [*edges.low.tolist(), *size.tolist()],
        "area": float(size.prod()),
        "iscrowd": int(lesion.ignore),
        "box": lesion.box.model_dump(mode="json"),
        "level": lesion.level,
        "attributes": lesion.attributes,
    }
