"""Time, memory and agreement of scoring against pycocotools, MONAI's COCOMetric and picai_eval, on the same findings.

    python -m benchmarks.performance.scoring               # 1,000 and 10,000 scans x 100 findings, and growth to 30,000
    python -m benchmarks.performance.scoring --scans 1000 --repeats 3 --growth

Every run is a process of its own, a child of this one, so that peak memory is its own. Peers start from findings in
memory (their time includes no file); ours is shown so, and from JSON to `scores.json` with 2,000 patient replicates.
picai_eval (`pip install picai_eval`, or PYTHONPATH to it) gets our matches, because it has no box matching; where it
is not installed it is left out. Its bootstrap is timed on a few replicates and scaled to 1,000.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib.util
import io
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

IOU = 0.1
FINDINGS = 100
REPLICATES = 2000


def write_cohort(folder: Path, scans: int) -> None:
    """Findings of a middling detector: two near each lesion, the rest anywhere; three centres, Poisson(3) lesions."""
    rng = np.random.default_rng(0)
    head = {"version": 1, "space": "RAS"}
    about = {"name": "drawn", "region": "lumbar", "categories": ["lesion"]}
    with (folder / "manifest.json").open("w") as reference, (folder / "findings.json").open("w") as found:
        reference.write(json.dumps({"format": "spinedet-manifest", **head, **about})[:-1] + ', "studies": [')
        found.write(
            json.dumps({"format": "spinedet-findings", **head, "model": {"name": "drawn"}})[:-1] + ', "studies": ['
        )
        for row in range(scans):
            study, findings = _study(rng, row)
            reference.write(("," if row else "") + json.dumps(study))
            found.write(("," if row else "") + json.dumps(findings))
        reference.write("]}")
        found.write("]}")


def _study(rng: np.random.Generator, row: int) -> tuple[dict[str, Any], dict[str, Any]]:
    count = int(rng.poisson(3))
    center, size = rng.uniform(10, 150, (count, 3)), rng.uniform(5, 25, (count, 3))
    near = min(2 * count, FINDINGS)
    places, sizes, scores = (
        rng.uniform(10, 150, (FINDINGS, 3)),
        rng.uniform(5, 25, (FINDINGS, 3)),
        rng.beta(1, 6, FINDINGS),
    )
    if near:
        places[:near] = np.repeat(center, 2, axis=0)[:near] + rng.normal(0, 2, (near, 3))
        sizes[:near] = np.repeat(size, 2, axis=0)[:near] * rng.uniform(0.7, 1.4, (near, 3))
        scores[:near] = rng.beta(3, 2, near)
    mark = {"series": "s", "category": "lesion", "level": None}
    boxes = _boxes(places, sizes)
    findings = [
        {**mark, "score": max(round(score, 6), 1e-6), "box": box}
        for score, box in zip(scores.tolist(), boxes, strict=True)
    ]
    lesions = [{"id": str(number), **mark, "box": box} for number, box in enumerate(_boxes(center, size))]
    series = [{"id": "s", "plane": "sagittal", "weighting": "T2", "path": f"s{row}.nii.gz"}]
    study = {"id": f"s{row:05d}", "patient": f"p{row:05d}", "center": "ABC"[row % 3], "split": "test"}
    return {**study, "series": series, "lesions": lesions}, {"id": study["id"], "findings": findings}


def _boxes(center: np.ndarray, size: np.ndarray) -> list[dict[str, list[float]]]:
    rows = zip(center.round(3).tolist(), size.round(3).tolist(), strict=True)
    return [{"center": c, "size": s} for c, s in rows]


# Each tool: from a folder to (prepare, run); only run is timed, and gives back the average precision.
Tool = Callable[[Path], tuple[Callable[[], Any], Callable[[Any], float]]]


def ours_from_files(folder: Path) -> Any:
    """From JSON to scores.json with 2,000 replicates: every group, stratum, secondary criterion and calibration."""
    from spinedet.core.findings import read_findings_table
    from spinedet.core.reference import read_references
    from spinedet.scoring import BootstrapSettings, ScoreSettings, score, write_scores

    def run(_: None) -> float:
        manifest = read_references([folder / "manifest.json"])
        settings = ScoreSettings(threshold=0.5, bootstrap=BootstrapSettings(samples=REPLICATES))
        scores = score(manifest, read_findings_table(folder / "findings.json"), settings)
        write_scores(folder / "scores.json", scores)
        return float(scores.group().ap.value or 0)

    return lambda: None, run


def ours_in_memory(folder: Path, replicates: int = 0) -> Any:
    """Matching, FROC and average precision; with replicates their intervals too."""
    from spinedet.core.findings import read_findings_table
    from spinedet.core.reference import read_references
    from spinedet.scoring.evaluate import ScoreSettings, examine
    from spinedet.scoring.statistics.bootstrap import BootstrapSettings

    def prepare() -> Any:
        importlib.import_module("scipy.sparse")  # the peers' libraries are loaded before the clock starts, too
        return read_references([folder / "manifest.json"]), read_findings_table(folder / "findings.json")

    def run(data: Any) -> float:
        settings = ScoreSettings(bootstrap=BootstrapSettings(samples=replicates), strata=(), secondary=())
        examination = examine(*data, settings)
        counted = examination.count_part(examination.groups[0])
        return float(examination.statistics(counted).values["ap"])

    return prepare, run


def pycocotools(folder: Path, lean: bool) -> Any:
    """COCOeval with computeIoU overridden for 3D boxes; `lean` for one area range instead of its usual four."""
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    class Coco3D(COCOeval):
        def computeIoU(self, image: int, category: int) -> Any:  # noqa: N802  # pycocotools' name
            found, real = self._dts[image, category], self._gts[image, category]
            if not found or not real:
                return []
            order = np.argsort([-one["score"] for one in found], kind="mergesort")
            return overlaps(np.array([found[row]["box"] for row in order]), np.array([one["box"] for one in real]))

    def coco(annotations: list[dict[str, Any]], images: int) -> COCO:
        made = COCO()
        made.dataset = {"images": [{"id": row} for row in range(1, images + 1)], "annotations": annotations}
        made.dataset["categories"] = [{"id": 1, "name": "lesion"}]
        made.createIndex()
        return made

    def annotations(things: list[tuple[int, Any, float]]) -> list[dict[str, Any]]:
        same = {"category_id": 1, "iscrowd": 0, "bbox": [0, 0, 1, 1], "area": 1.0}
        return [
            {"id": row, "image_id": scan + 1, "box": b, "score": s, **same}
            for row, (scan, b, s) in enumerate(things, 1)
        ]

    def prepare() -> Any:
        lesions, findings, scans = flat(folder)
        return annotations(lesions), annotations(findings), scans

    def run(data: Any) -> float:
        with contextlib.redirect_stdout(io.StringIO()):
            evaluation = Coco3D(coco(data[0], data[2]), coco(data[1], data[2]), "bbox")
            evaluation.params.iouThrs = np.array([IOU])
            evaluation.params.maxDets = [FINDINGS]
            if lean:
                evaluation.params.areaRng, evaluation.params.areaRngLbl = [[0, 1e10]], ["all"]
            evaluation.evaluate()
            evaluation.accumulate()
        return float(evaluation.eval["precision"][:, :, :, 0].mean())

    return prepare, run


def monai(folder: Path) -> Any:
    """COCOMetric with matching_batch, as MONAI's tutorials call it."""
    from monai.apps.detection.metrics.coco import COCOMetric
    from monai.apps.detection.metrics.matching import matching_batch
    from monai.data.box_utils import box_iou

    def prepare() -> Any:
        lesions, findings, scans = flat(folder)
        columns: dict[str, list[list[Any]]] = {name: [[] for _ in range(scans)] for name in ("real", "found", "score")}
        for scan, box, _ in lesions:
            columns["real"][scan].append(box)
        for scan, box, score in findings:
            columns["found"][scan].append(box)
            columns["score"][scan].append(score)
        real = [np.array(boxes).reshape(-1, 6) for boxes in columns["real"]]
        return real, [np.array(boxes) for boxes in columns["found"]], [np.array(scores) for scores in columns["score"]]

    def run(data: Any) -> float:
        real, found, score = data
        metric = COCOMetric(classes=["lesion"], iou_list=[IOU], iou_range=(IOU, IOU, 1), max_detection=[FINDINGS])
        results = matching_batch(
            iou_fn=box_iou,
            iou_thresholds=metric.iou_thresholds,
            pred_boxes=found,
            pred_classes=[np.zeros(len(one), dtype=int) for one in found],
            pred_scores=score,
            gt_boxes=real,
            gt_classes=[np.zeros(len(one), dtype=int) for one in real],
            max_detections=FINDINGS,
        )
        return float(metric(results)[0][f"AP_IoU_{IOU:.2f}_MaxDet_{FINDINGS}"])

    return prepare, run


def picai(folder: Path, what: str) -> Any:
    """picai_eval's Metrics on our matches: its FROC, or `what` = replicates of its bootstrap."""
    with contextlib.redirect_stdout(io.StringIO()):
        from picai_eval.metrics import Metrics

    from spinedet.core.findings import read_findings_table
    from spinedet.core.manifest import read_manifest
    from spinedet.formats.score_exports import export_picai
    from spinedet.scoring import ScoreSettings, examine

    def prepare() -> Any:
        data = read_manifest(folder / "manifest.json"), read_findings_table(folder / "findings.json")
        export_picai(folder, examine(*data, ScoreSettings(secondary=())).matched)
        return Metrics(str(folder / "picai_metrics.json"))

    def run(metrics: Any) -> float:
        if what == "froc":
            return float(metrics.lesion_TPR[-1])
        return float(metrics.bootstrap_score_ci(n_bootstraps=int(what), seed=0)["ap_95_ci"].mean())

    return prepare, run


def flat(folder: Path) -> tuple[list[tuple[int, Any, float]], list[tuple[int, Any, float]], int]:
    """Lesions and findings as (scan, corners in mm, score), and the number of scans."""
    studies = json.loads((folder / "manifest.json").read_bytes())["studies"]
    number = {study["id"]: row for row, study in enumerate(studies)}

    def corners(box: dict[str, list[float]]) -> list[float]:
        low = [c - s / 2 for c, s in zip(box["center"], box["size"], strict=True)]
        return [*low, *(c + s / 2 for c, s in zip(box["center"], box["size"], strict=True))]

    lesions = [(number[s["id"]], corners(one["box"]), 1.0) for s in studies for one in s["lesions"]]
    said = json.loads((folder / "findings.json").read_bytes())["studies"]
    findings = [(number[s["id"]], corners(one["box"]), one["score"]) for s in said for one in s["findings"]]
    return lesions, findings, len(studies)


def overlaps(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """IoU of corner boxes, (n, 6) against (m, 6)."""
    shared = np.minimum(first[:, None, 3:], second[:, 3:]) - np.maximum(first[:, None, :3], second[:, :3])
    shared = np.clip(shared, 0, None).prod(axis=-1)
    volume = [(boxes[:, 3:] - boxes[:, :3]).prod(axis=1) for boxes in (first, second)]
    return shared / (volume[0][:, None] + volume[1] - shared)


TOOLS: dict[str, Tool] = {
    "spinedet, JSON to scores.json, 2000 replicates": ours_from_files,
    "spinedet, matching + AP + FROC": ours_in_memory,
    "spinedet, matching + AP + FROC + 1000 replicates": lambda folder: ours_in_memory(folder, 1000),
    "pycocotools (3D), AP": lambda folder: pycocotools(folder, lean=False),
    "pycocotools (3D), AP, one area range": lambda folder: pycocotools(folder, lean=True),
    "MONAI COCOMetric, AP": monai,
    "picai_eval, FROC of given matches": lambda folder: picai(folder, "froc"),
    "picai_eval, 1000 replicates of AP": lambda folder: picai(folder, "3"),
}
SCALED = {"picai_eval, 1000 replicates of AP": 1000 / 3}


def measure(tool: str, folder: Path) -> dict[str, float]:
    """One run in a process of its own: seconds, peak memory, value."""
    done = subprocess.run(
        [sys.executable, __file__, "--one", tool, str(folder)], capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise SystemExit(f"{tool} failed:\n{done.stderr}")
    return dict(json.loads(done.stdout.splitlines()[-1]))


def run_one(tool: str, folder: Path) -> None:
    """What the child does."""
    prepare, run = TOOLS[tool](folder)
    data = prepare()
    start, spent = time.perf_counter(), time.process_time()
    value = run(data)
    seconds, cpu = time.perf_counter() - start, time.process_time() - spent
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(
        json.dumps(
            {"seconds": seconds * SCALED.get(tool, 1), "cpu": cpu * SCALED.get(tool, 1), "gib": peak, "value": value}
        )
    )


def table(folder: Path, scans: int, repeats: int, slow: int) -> Iterator[str]:
    """A row per tool: medians over the repeats, taken in turns so that a busy moment hits all alike."""
    usable = [name for name in TOOLS if "picai" not in name or importlib.util.find_spec("picai_eval")]
    runs: dict[str, list[dict[str, float]]] = {name: [] for name in usable}
    for turn in range(repeats):
        for name in usable:
            if turn < slow or "FROC of given" not in name:
                runs[name].append(measure(name, folder))
    for name, found in runs.items():
        middle = {key: statistics.median(one[key] for one in found) for key in ("seconds", "cpu", "gib", "value")}
        yield (
            f"| {scans:,} | {name} | {len(found)} | {middle['seconds']:.2f} | {middle['cpu']:.3f} "
            f"| {middle['gib']:.2f} | {middle['value']:.6f} |"
        )


def main() -> None:
    """Print the tables as Markdown."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scans", type=int, nargs="*", default=[1000, 10000])
    parser.add_argument("--growth", type=int, nargs="*", default=[1000, 3000, 10000, 30000])
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--slow-repeats", type=int, default=5, help="repeats of picai_eval's FROC, minutes each")
    parser.add_argument("--one", nargs=2, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one:
        run_one(arguments.one[0], Path(arguments.one[1]))
        return
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}; medians\n")
    print("| scans | tool | runs | seconds | CPU seconds | peak GiB | value |\n|---|---|---|---|---|---|---|")
    for scans in arguments.scans:
        with tempfile.TemporaryDirectory() as folder:
            write_cohort(Path(folder), scans)
            for line in table(Path(folder), scans, arguments.repeats, arguments.slow_repeats):
                print(line, flush=True)
    print("\n| scans | JSON to scores.json, 2000 replicates: seconds | CPU seconds | peak GiB |\n|---|---|---|---|")
    for scans in arguments.growth:
        with tempfile.TemporaryDirectory() as folder:
            write_cohort(Path(folder), scans)
            found = [measure(next(iter(TOOLS)), Path(folder)) for _ in range(min(3, arguments.repeats))]
            middle = [statistics.median(one[key] for one in found) for key in ("seconds", "cpu", "gib")]
            print(f"| {scans:,} | {middle[0]:.2f} | {middle[1]:.2f} | {middle[2]:.2f} |", flush=True)


if __name__ == "__main__":
    main()
