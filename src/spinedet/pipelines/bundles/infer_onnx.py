"""Findings of an image by the ONNX files beside this script: python infer.py IMAGE findings.json

It does all that stays outside of the graph, and needs `pip install spinedet onnxruntime`; PyTorch is not imported.
"""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime

from spinedet.core.anatomy import Region
from spinedet.core.errors import InputError
from spinedet.core.findings import write_findings
from spinedet.core.geometry import EdgeBox
from spinedet.core.types import Finding, Findings, StudyFindings, TrainedOn
from spinedet.imaging.planes import SPECS, PlaneSpec, plane_of
from spinedet.imaging.resample import prepare
from spinedet.imaging.volume import Volume, read_volume


def infer(image: Path, folder: Path, min_score: float = 0.01) -> Findings:
    """Findings of an image file or the folder of a DICOM series, in RAS mm.

    Raises:
        InputError: the image cannot be used, is of another plane, or is longer than one pass of the network.
    """
    facts = json.loads((folder / "onnx.json").read_text(encoding="utf-8"))
    volume = read_volume(image)
    plane = plane_of(volume.grid)
    if plane.value not in facts["planes"]:
        raise InputError(f"{image} is {plane.value}, and there is a file for {', '.join(facts['planes'])}")
    own = facts["planes"][plane.value]
    spec = replace(SPECS[plane], spacing=tuple(own["spacing_mm"])).of(Region(facts["region"]))
    working = prepare(volume, spec)
    _refuse_long(image, working, spec, facts["tile_beyond"])
    array = np.pad(working.array, [(0, max(0, facts["least_slices"] - len(working.array))), (0, 0), (0, 0)], "edge")
    session = onnxruntime.InferenceSession(str(folder / own["file"]), providers=["CPUExecutionProvider"])
    boxes, scores, grades = session.run(["boxes", "scores", "grades"], {"image": array[None, None]})
    name = image.name.split(".")[0]
    found = _findings(boxes.astype(float) * spec.scale, scores.astype(float), grades, working, facts)
    listed = tuple(
        one.model_copy(
            update={
                "series": name,
                "above_operating_point": one.score >= own["thresholds"][one.category],
                "grades": dict(zip(own["grades"], map(float, row), strict=False)) or None,
            }
        )
        for one, row in found
        if one.score >= min_score
    )
    study = StudyFindings(id=name, findings=listed[: facts["most_findings"]])
    told = facts["trained_on"]
    trained_on = None if told is None else TrainedOn.model_validate_json(json.dumps(told))
    return Findings(model=facts["model"], trained_on=trained_on, studies=(study,))


def _refuse_long(image: Path, working: Volume, spec: PlaneSpec, beyond: float) -> None:
    for length, crop in zip(working.array.shape, spec.crop_shape, strict=True):
        if length > beyond * crop:
            raise InputError(f"{image} is too long for one pass of the network; cut it, or use `spinedet predict`")


def _findings(
    boxes: Any, scores: Any, grades: Any, working: Volume, facts: dict[str, Any]
) -> list[tuple[Finding, Any]]:
    """Each category of each box with a score as a finding, and its row of grades, highest score first."""
    grid = working.grid
    low = np.clip(boxes[:, :3] - boxes[:, 3:] / 2, 0, grid.extent)
    high = np.clip(boxes[:, :3] + boxes[:, 3:] / 2, 0, grid.extent)
    thick = (high - low).min(axis=1) >= facts["thinnest_mm"]
    rows, columns = np.nonzero((scores > 0) & thick[:, None])
    best = np.argsort(-scores[rows, columns], kind="stable")
    return [
        (
            Finding(
                series="-",
                category=facts["categories"][column],
                score=float(scores[row, column]),
                box=grid.world(EdgeBox(low[row] / grid.spacing, high[row] / grid.spacing)),
            ),
            grades[row],
        )
        for row, column in zip(rows[best], columns[best], strict=True)
    ]


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    try:
        write_findings(Path(sys.argv[2]), infer(Path(sys.argv[1]), Path(__file__).resolve().parent))
    except InputError as error:
        sys.exit(f"error: {error}")
