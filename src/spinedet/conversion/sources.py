"""The data sets that can be converted: a config for each, and the function that opens it."""

from __future__ import annotations

from pathlib import Path
from typing import Any, TypeAlias

from spinedet.conversion.coco import CocoConfig, open_coco
from spinedet.conversion.dataset import Dataset
from spinedet.conversion.instances import MasksConfig, open_masks
from spinedet.conversion.slicer import SlicerConfig, open_slicer
from spinedet.conversion.spider import SpiderConfig, open_spider
from spinedet.conversion.table_of_boxes import CsvConfig, open_csv
from spinedet.core.errors import InputError

SourceConfig: TypeAlias = SpiderConfig | CocoConfig | MasksConfig | SlicerConfig | CsvConfig
SOURCES: dict[str, Any] = {
    "spider": SpiderConfig,
    "coco": CocoConfig,
    "masks": MasksConfig,
    "slicer": SlicerConfig,
    "csv": CsvConfig,
}


def open_dataset(root: Path, config: SourceConfig) -> Dataset:
    """The data set under `root`, its studies still unread.

    Raises:
        InputError: there is no such folder or file, or it does not hold what the source publishes.
    """
    if not root.exists():
        raise InputError(f"root={root} does not exist; give the folder (or file) of the data set")
    match config:
        case SpiderConfig():
            return open_spider(root, config)
        case CocoConfig():
            return open_coco(root, config)
        case MasksConfig():
            return open_masks(root, config)
        case SlicerConfig():
            return open_slicer(root, config)
        case CsvConfig():
            return open_csv(root, config)
