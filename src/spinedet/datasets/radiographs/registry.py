"""The sources of radiographs that can be converted: a config for each, and the function that opens it."""

from __future__ import annotations

from pathlib import Path
from typing import Any, TypeAlias

from spinedet.core.errors import InputError
from spinedet.datasets.radiographs.aasce import AasceConfig, open_aasce
from spinedet.datasets.radiographs.buu import BuuConfig, open_buu
from spinedet.datasets.radiographs.dataset import RadiographDataset
from spinedet.datasets.radiographs.nhanes2 import Nhanes2Config, open_nhanes2
from spinedet.datasets.radiographs.table import TableConfig, open_table
from spinedet.datasets.radiographs.vindr import VindrConfig, open_vindr

RadiographSource: TypeAlias = VindrConfig | BuuConfig | Nhanes2Config | AasceConfig | TableConfig
RADIOGRAPH_SOURCES: dict[str, Any] = {
    "vindr": VindrConfig,
    "buu": BuuConfig,
    "nhanes2": Nhanes2Config,
    "aasce": AasceConfig,
    "table": TableConfig,
}


def open_radiographs(root: Path, config: RadiographSource) -> RadiographDataset:
    """The data set under `root`, its studies still unread.

    Raises:
        InputError: there is no such folder or file, or it does not hold what the source publishes.
    """
    if not root.exists():
        raise InputError(f"root={root} does not exist; give the folder (or file) of the data set")
    match config:
        case VindrConfig():
            dataset = open_vindr(root, config)
        case BuuConfig():
            dataset = open_buu(root, config)
        case Nhanes2Config():
            dataset = open_nhanes2(root, config)
        case AasceConfig():
            dataset = open_aasce(root, config)
        case TableConfig():
            dataset = open_table(root, config)
    return dataset
