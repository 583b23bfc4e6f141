"""The data sets that can be converted: a config for each, and the function that opens it."""

from __future__ import annotations

from pathlib import Path
from typing import Any, TypeAlias

from spinedet.conversion.dataset import Dataset
from spinedet.conversion.spider import SpiderConfig, open_spider
from spinedet.core.errors import InputError

SourceConfig: TypeAlias = SpiderConfig
SOURCES: dict[str, Any] = {"spider": SpiderConfig}


def open_dataset(root: Path, config: SourceConfig) -> Dataset:
    """The data set under `root`, its studies still unread.

    Raises:
        InputError: there is no such folder, or it does not hold what the source publishes.
    """
    if not root.exists():
        raise InputError(f"root={root} does not exist; give the folder of the data set")
    match config:
        case SpiderConfig():
            return open_spider(root, config)
