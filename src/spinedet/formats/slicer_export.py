"""A manifest as folders that 3D Slicer opens: each study's images with an ROI markup for every box."""

from __future__ import annotations

import re
from collections import Counter
from typing import Any

import numpy as np

from spinedet.core.files import file_name_of, write_json
from spinedet.core.geometry import LPS
from spinedet.core.types import Box, Lesion
from spinedet.formats.annotated_dataset import Unused
from spinedet.formats.manifest_export import Outgoing, link_image
from spinedet.formats.slicer import ENDING, IGNORE

# The name by which Slicer tells the format; it is an identifier, no address.
SCHEMA = (
    "https://raw.githubusercontent.com/slicer/slicer/master/Modules/Loadable/Markups/Resources/Schema/"
    "markups-schema-v1.0.3.json#"
)
_NO_FILE_NAME = re.compile(r"[/\\\x00-\x1f]")
_LONGEST_LABEL = 60


def write_slicer(out: Outgoing) -> tuple[Unused, ...]:
    """Write `<study>/<series>.<category> <level>.mrk.json`, one file per box, beside a link to the image.

    An image without lesions gets a markups file without markups: it says that somebody looked.
    """
    for scan in out.scans:
        folder, image = out.folder / file_name_of(scan.study.id), file_name_of(scan.series.id)
        link_image(scan, folder, image)
        names: Counter[str] = Counter()
        for lesion in scan.lesions:
            label = _NO_FILE_NAME.sub("-", _label(lesion))[:_LONGEST_LABEL]
            names[label] += 1
            unique = label if names[label] == 1 else f"{label}_{names[label]}"
            content = {"@schema": SCHEMA, "markups": [roi(lesion.box, unique)]}
            write_json(folder / f"{image}.{unique}{ENDING}", content)
        if not scan.lesions:
            write_json(folder / f"{image}.none{ENDING}", {"@schema": SCHEMA, "markups": []})
    return ()


def _label(lesion: Lesion) -> str:
    """What a reader sees, and what `convert source=slicer` reads again: `bulge L4-L5`."""
    words = [lesion.category, (lesion.level or "").replace("/", "-"), IGNORE if lesion.ignore else ""]
    return " ".join(word for word in words if word)


def roi(box: Box, label: str) -> dict[str, Any]:
    """Slicer's ROI in LPS: `orientation` holds the axes as columns, row by row."""
    columns = (np.asarray(box.axes) * LPS).T
    center = (np.asarray(box.center) * LPS).tolist()
    return {
        "type": "ROI",
        "coordinateSystem": "LPS",
        "coordinateUnits": "mm",
        "roiType": "Box",
        "center": center,
        "orientation": columns.ravel().tolist(),
        "size": list(box.size),
        "insideOut": False,
        "controlPoints": [{"id": "1", "label": label, "position": center}],
    }
