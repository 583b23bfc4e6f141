"""The data sets that can be converted: a config for each, and the function that opens it."""

from __future__ import annotations

from pathlib import Path
from typing import Any, TypeAlias

from spinedet.core.errors import InputError
from spinedet.datasets.midslices import MidslicesConfig, open_midslices
from spinedet.datasets.rsna2024 import RsnaConfig, open_rsna
from spinedet.datasets.spider import SpiderConfig, open_spider
from spinedet.datasets.tianchi import TianchiConfig, open_tianchi
from spinedet.formats.annotated_dataset import Dataset
from spinedet.formats.coco import CocoConfig, open_coco
from spinedet.formats.csv_boxes import CsvConfig, open_csv
from spinedet.formats.instance_masks import MasksConfig, open_masks
from spinedet.formats.slicer import SlicerConfig, open_slicer
from spinedet.formats.voc import VocConfig, open_voc

SourceConfig: TypeAlias = (
    SpiderConfig
    | MidslicesConfig
    | RsnaConfig
    | TianchiConfig
    | VocConfig
    | CocoConfig
    | MasksConfig
    | SlicerConfig
    | CsvConfig
)
SOURCES: dict[str, Any] = {
    "spider": SpiderConfig,
    "midslices": MidslicesConfig,
    "rsna2024": RsnaConfig,
    "tianchi": TianchiConfig,
    "voc": VocConfig,
    "coco": CocoConfig,
    "masks": MasksConfig,
    "slicer": SlicerConfig,
    "csv": CsvConfig,
}


def open_dataset(root: Path, links: Path, config: SourceConfig) -> Dataset:
    """The data set under `root`, its studies still unread.

    Where a folder of DICOM files holds more than one volume, reading fills folders below `links` with links to the
    files of each.

    Raises:
        InputError: there is no such folder or file, or it does not hold what the source publishes.
    """
    if not root.exists():
        raise InputError(f"root={root} does not exist; give the folder (or file) of the data set")
    match config:
        case MidslicesConfig():
            dataset = open_midslices(root, links, config)
        case SpiderConfig():
            dataset = open_spider(root, config)
        case RsnaConfig():
            dataset = open_rsna(root, links, config)
        case TianchiConfig():
            dataset = open_tianchi(root, links, config)
        case VocConfig():
            dataset = open_voc(root, links, config)
        case CocoConfig():
            dataset = open_coco(root, config)
        case MasksConfig():
            dataset = open_masks(root, config)
        case SlicerConfig():
            dataset = open_slicer(root, config)
        case CsvConfig():
            dataset = open_csv(root, config)
    return dataset
