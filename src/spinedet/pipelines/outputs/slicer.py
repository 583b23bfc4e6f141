"""Folders for 3D Slicer: the images, the findings as boxes with names and colours, and a script that opens both."""

from __future__ import annotations

from typing import Any

from spinedet.core.colors import BELOW_COLOR, FINDING_COLOR
from spinedet.core.file_names import file_name
from spinedet.core.files import write_json, write_text
from spinedet.core.types import Finding
from spinedet.formats.slicer import ENDING, IGNORE, OPEN, SCHEMA, display, open_script, roi
from spinedet.imaging.volume import write_volume
from spinedet.pipelines.outputs.writer import Output, OutputContext
from spinedet.pipelines.prediction import StudyPrediction

_FOLDER = "slicer"
# Of a finding with score 0; one with score 1 is opaque.
_LEAST_OPACITY = 0.3


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
        write_text(folder / OPEN, open_script())


def _markups(findings: list[Finding], *, visible: bool) -> dict[str, Any]:
    return {"@schema": SCHEMA, "markups": [_markup(one, visible=visible) for one in findings]}


def _markup(finding: Finding, *, visible: bool) -> dict[str, Any]:
    """One ROI; its name is read again by `convert source=slicer`, where boxes below the threshold are ignored."""
    words = [finding.category, (finding.level or "").replace("/", "-"), "" if visible else IGNORE]
    name = " ".join([*(word for word in words if word), f"{finding.score:.2f}"])
    opacity = _LEAST_OPACITY + (1 - _LEAST_OPACITY) * min(max(finding.score, 0.0), 1.0)
    shown = display(FINDING_COLOR if visible else BELOW_COLOR, opacity, visible=visible)
    return {**roi(finding.box, name), "name": name, "locked": True, "display": shown}


OUTPUT = Output("slicer", _write)
