"""The tools that a manifest can be written for."""

from __future__ import annotations

from collections.abc import Callable

from spinedet.formats.annotated_dataset import Unused
from spinedet.formats.coco import write_coco
from spinedet.formats.manifest_export import Outgoing
from spinedet.formats.monai_export import write_monai
from spinedet.formats.nndetection_export import write_nndetection
from spinedet.formats.slicer import write_slicer

DESTINATIONS: dict[str, Callable[[Outgoing], tuple[Unused, ...]]] = {
    "coco": write_coco,
    "slicer": write_slicer,
    "monai": write_monai,
    "nndetection": write_nndetection,
}
