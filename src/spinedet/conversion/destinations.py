"""The tools that a manifest can be written for."""

from __future__ import annotations

from collections.abc import Callable

from spinedet.conversion.dataset import Unused
from spinedet.conversion.outward import Outgoing
from spinedet.conversion.to_coco import write_coco
from spinedet.conversion.to_monai import write_monai
from spinedet.conversion.to_nndetection import write_nndetection
from spinedet.conversion.to_slicer import write_slicer

DESTINATIONS: dict[str, Callable[[Outgoing], tuple[Unused, ...]]] = {
    "coco": write_coco,
    "slicer": write_slicer,
    "monai": write_monai,
    "nndetection": write_nndetection,
}
