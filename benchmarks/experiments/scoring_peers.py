"""What other tools say of findings that can be counted by hand: the table in docs/scoring.md, run live.

    python -m benchmarks.experiments.scoring_peers

pycocotools gets 3D boxes through `computeIoU`; MONAI's FROC and picai_eval get the matches, because they have no box
matching. picai_eval (`pip install picai_eval`) is left out where it is not installed.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib.util
import io
import json
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from monai.apps.detection.metrics.coco import COCOMetric
from monai.apps.detection.metrics.matching import matching_batch
from monai.data.box_utils import box_iou
from monai.metrics.froc import compute_froc_curve_data, compute_froc_score
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from spinedet.core.types import Findings, Manifest
from spinedet.formats.score_exports import export_picai
from spinedet.scoring import BootstrapSettings, IouCriterion, ScoreSettings, examine, score

IOU = 0.5
RATES = (0.125, 0.25, 0.5, 1, 2, 4, 8)
# A case: what it shows, then per scan its lesions by place (mm along R) and its findings by (place, score, kind).
Scan = tuple[list[float], list[tuple[float, float, str]]]
CASES: dict[str, list[Scan]] = {
    "worked example": [
        ([0, 40], [(1, 0.9, "a"), (3, 0.8, "a"), (80, 0.7, "a")]),
        ([0], [(2, 0.7, "a")]),
        ([], []),
        ([], [(0, 0.4, "a")]),
    ],
    "the same, scans in another order": [
        ([0], [(2, 0.7, "a")]),
        ([0, 40], [(1, 0.9, "a"), (3, 0.8, "a"), (80, 0.7, "a")]),
        ([], []),
        ([], [(0, 0.4, "a")]),
    ],
    "every lesion found, nothing else": [([0], [(0, 0.9, "a")]), ([0], [(0, 0.8, "a")]), ([0], [(0, 0.7, "a")])],
    "logits: one hit, one miss, two false": [([0, 40], [(0, -1.0, "a"), (80, -2.0, "a"), (120, -3.0, "a")])],
    "a category without lesions": [([0], [(0, 0.9, "a"), (50, 0.8, "b")])],
    "29 of 100 lesions": [([0], [(0, 0.99 - row / 100, "a")] if row < 29 else []) for row in range(100)],
    "no finding at all": [([0], []), ([0], [])],
}


def cohort(scans: list[Scan]) -> tuple[Manifest, Findings]:
    """The case in this project's own types: 10 mm cubes."""
    kinds = sorted({kind for _, found in scans for *_, kind in found} | {"a"})

    def cube(place: float) -> dict[str, Any]:
        return {"center": [place, 0, 0], "size": [10, 10, 10]}

    studies, findings = [], []
    for row, (lesions, found) in enumerate(scans):
        series = [{"id": "s", "plane": "sagittal", "path": "/none"}]
        marked = [{"id": str(n), "series": "s", "category": "a", "box": cube(place)} for n, place in enumerate(lesions)]
        studies.append({"id": f"s{row:03d}", "patient": f"p{row}", "center": "A", "series": series, "lesions": marked})
        said = [{"series": "s", "category": kind, "score": value, "box": cube(place)} for place, value, kind in found]
        findings.append({"id": f"s{row:03d}", "findings": said})
    about = {"name": "by hand", "region": "lumbar", "categories": kinds, "studies": studies}
    said = {"model": {"name": "by hand"}, "studies": findings}
    return Manifest.model_validate_json(json.dumps(about)), Findings.model_validate_json(json.dumps(said))


def ours(manifest: Manifest, findings: Findings) -> tuple[float | None, float | None]:
    """Average precision and CPM."""
    settings = ScoreSettings(criterion=IouCriterion(iou=IOU), bootstrap=BootstrapSettings(samples=0))
    group = score(manifest, findings, settings).group()
    return group.ap.value, group.cpm.value


def boxes(things: Any) -> np.ndarray:
    """Corners (n, 6) in mm."""
    rows = [
        (*np.subtract(t.box.center, np.divide(t.box.size, 2)), *np.add(t.box.center, np.divide(t.box.size, 2)))
        for t in things
    ]
    return np.array(rows, dtype=float).reshape(-1, 6)


def overlaps(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """IoU in double precision."""
    return box_iou(torch.from_numpy(first).double(), torch.from_numpy(second).double()).numpy()


def pycocotools(manifest: Manifest, findings: Findings) -> float:
    """COCO's average precision."""

    class Coco3D(COCOeval):
        def computeIoU(self, image: int, category: int) -> Any:  # noqa: N802  # pycocotools' name
            found, real = self._dts[image, category], self._gts[image, category]
            if not found or not real:
                return []
            found = sorted(found, key=lambda one: -one["score"])
            return overlaps(np.stack([one["box"] for one in found]), np.stack([one["box"] for one in real]))

    def coco(rows: list[tuple[int, Any, float]]) -> COCO:
        made, kinds = COCO(), {name: row for row, name in enumerate(manifest.categories, 1)}
        corners = boxes([one for _, one, _ in rows])
        made.dataset = {
            "images": [{"id": row} for row in range(1, len(manifest.studies) + 1)],
            "categories": [{"id": row, "name": name} for name, row in kinds.items()],
            "annotations": [
                {
                    "id": n + 1,
                    "image_id": scan + 1,
                    "category_id": kinds[one.category],
                    "score": value,
                    "box": corners[n],
                }
                | {"bbox": [0, 0, 1, 1], "area": 1.0, "iscrowd": 0}
                for n, (scan, one, value) in enumerate(rows)
            ],
        }
        made.createIndex()
        return made

    real = [(row, one, 1.0) for row, study in enumerate(manifest.studies) for one in study.lesions]
    found = [(row, one, one.score) for row, study in enumerate(findings.studies) for one in study.findings]
    evaluation = Coco3D(coco(real), coco(found), "bbox")
    evaluation.params.iouThrs = np.array([IOU])
    evaluation.evaluate()
    evaluation.accumulate()
    precision = evaluation.eval["precision"][:, :, :, 0, -1]
    return float(precision[precision > -1].mean())


def monai(manifest: Manifest, findings: Findings) -> float:
    """MONAI's mean average precision."""
    metric = COCOMetric(classes=list(manifest.categories), iou_list=[IOU], iou_range=(IOU, IOU, 1), max_detection=[100])
    kinds = {name: row for row, name in enumerate(manifest.categories)}
    results = matching_batch(
        iou_fn=overlaps,
        iou_thresholds=metric.iou_thresholds,
        pred_boxes=[boxes(one.findings) for one in findings.studies],
        pred_classes=[np.array([kinds[f.category] for f in one.findings], dtype=int) for one in findings.studies],
        pred_scores=[np.array([f.score for f in one.findings]) for one in findings.studies],
        gt_boxes=[boxes(one.lesions) for one in manifest.studies],
        gt_classes=[np.array([kinds[x.category] for x in one.lesions], dtype=int) for one in manifest.studies],
    )
    return float(metric(results)[0][f"AP_IoU_{IOU:.2f}_MaxDet_100"])


def monai_froc(manifest: Manifest, findings: Findings) -> float:
    """MONAI's FROC score at the seven rates."""
    matched = examine(manifest, findings, ScoreSettings(criterion=IouCriterion(iou=IOU))).matched
    hit = matched.matches.lesion >= 0
    value = matched.cohort.marks.score
    lesions = len(matched.cohort.lesions.records)
    # MONAI wants a probability for each lesion: that of its finding, 0 for a miss.
    found = np.append(value[hit], np.zeros(lesions - int(hit.sum())))
    rates, sensitivity = compute_froc_curve_data(value[~hit], found, lesions, len(manifest.studies))
    return float(compute_froc_score(rates, sensitivity, eval_thresholds=RATES))


def picai(manifest: Manifest, findings: Findings) -> tuple[float, float]:
    """picai_eval's average precision, and its sensitivity at the seven rates."""
    from picai_eval.metrics import Metrics

    matched = examine(manifest, findings, ScoreSettings(criterion=IouCriterion(iou=IOU))).matched
    with tempfile.TemporaryDirectory() as folder:
        export_picai(Path(folder), matched)
        metrics = Metrics(str(Path(folder) / "picai_metrics.json"))
    return float(metrics.AP), float(np.mean([metrics.lesion_TPR_at_FPR(rate) for rate in RATES]))


def said(tool: Callable[..., Any], *data: Any) -> str:
    """A cell: the number, or the error that the tool ends with."""
    try:
        with contextlib.redirect_stdout(io.StringIO()), np.errstate(all="ignore"):
            value = tool(*data)
    except Exception as error:
        return type(error).__name__
    cells = value if isinstance(value, tuple) else (value,)
    return " / ".join("–" if one is None else f"{one:.4f}" for one in cells)


def main() -> None:
    """Print the table as Markdown."""
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    tools = {
        "ours: AP / CPM": ours,
        "pycocotools: AP": pycocotools,
        "MONAI: AP": monai,
        "MONAI: FROC score": monai_froc,
    }
    if importlib.util.find_spec("picai_eval"):
        tools["picai_eval: AP / mean sensitivity"] = picai
    print(f"| findings | {' | '.join(tools)} |\n|{'---|' * (len(tools) + 1)}")
    for name, scans in CASES.items():
        print(f"| {name} | {' | '.join(said(tool, *cohort(scans)) for tool in tools.values())} |")


if __name__ == "__main__":
    main()
