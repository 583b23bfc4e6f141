"""Folders for 3D Slicer: the images, the findings as boxes with names and colours, and a script that opens both."""

from __future__ import annotations

from typing import Any

from spinedet.core.file_names import file_name
from spinedet.core.files import write_json, write_text
from spinedet.core.types import Finding
from spinedet.formats.slicer import ENDING, IGNORE, SCHEMA, roi
from spinedet.imaging.volume import write_volume
from spinedet.pipelines.outputs.writer import Output, OutputContext
from spinedet.pipelines.prediction import StudyPrediction
from spinedet.report.slice_pictures import FINDING_COLOR

_FOLDER = "slicer"
_BELOW_COLOR = "#9a9a9a"
# Of a finding with score 0; one with score 1 is opaque.
_LEAST_OPACITY = 0.3
_OPEN = '''"""Opens the images and boxes beside this file: Slicer --python-script open_in_slicer.py"""

from pathlib import Path

import slicer

folder = Path(__file__).resolve().parent
for image in sorted(folder.glob("*.nii.gz")):
    slicer.util.loadVolume(str(image))
for markups in sorted(folder.glob("*.mrk.json")):
    slicer.util.loadMarkups(str(markups))
slicer.util.resetSliceViews()
'''


def _write(study: StudyPrediction, context: OutputContext) -> None:
    """Write `slicer/<study>/`: per series an image without metadata, its findings, and hidden those below the
    operating point.
    """
    folder = context.folder / _FOLDER / file_name(study.id)
    for series in study.series:
        name = file_name(series.series)
        write_volume(folder / f"{name}.nii.gz", series.volume)
        below = [one for one in series.findings if not one.above_operating_point]
        write_json(folder / f"{name}.findings{ENDING}", _markups(list(series.above), visible=True))
        write_json(folder / f"{name}.below{ENDING}", _markups(below, visible=False))
    if study.series:
        write_text(folder / "open_in_slicer.py", _OPEN)


def _markups(findings: list[Finding], *, visible: bool) -> dict[str, Any]:
    return {"@schema": SCHEMA, "markups": [_markup(one, visible=visible) for one in findings]}


def _markup(finding: Finding, *, visible: bool) -> dict[str, Any]:
    """One ROI; its name is read again by `convert source=slicer`, where boxes below the threshold are ignored."""
    words = [finding.category, (finding.level or "").replace("/", "-"), "" if visible else IGNORE]
    name = " ".join([*(word for word in words if word), f"{finding.score:.2f}"])
    color = _rgb(FINDING_COLOR if visible else _BELOW_COLOR)
    opacity = _LEAST_OPACITY + (1 - _LEAST_OPACITY) * min(max(finding.score, 0.0), 1.0)
    display = {
        "visibility": visible,
        "opacity": round(opacity, 2),
        "color": color,
        "selectedColor": color,
        "propertiesLabelVisibility": True,
        "pointLabelsVisibility": False,
        "textScale": 3.0,
        "handlesInteractive": False,
    }
    return {**roi(finding.box, name), "name": name, "locked": True, "display": display}


def _rgb(color: str) -> list[float]:
    """Red, green and blue, 0 to 1, of `#rrggbb`."""
    return [round(int(color[at : at + 2], 16) / 255, 4) for at in (1, 3, 5)]


OUTPUT = Output("slicer", _write)
