"""Average precision to the last bit of pycocotools, run live on 3D boxes."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from spinedet.core.errors import InputError
from spinedet.core.findings import read_findings, tabulate
from spinedet.core.geometry import iou
from spinedet.core.manifest import read_manifest
from spinedet.core.types import Findings, Manifest
from spinedet.scoring import BootstrapSettings, CenterCriterion, IouCriterion, ScoreSettings, score
from spinedet.scoring.matching.cohort import Selection, gather
from spinedet.scoring.metrics.coco_ap import coco_average_precision, coco_matches
from spinedet.scoring.metrics.matched_cohort import match_cohort, whole

Draw = Callable[..., Any]


class Coco3D(COCOeval):
    """pycocotools with our overlap of boxes in mm."""

    def computeIoU(self, image: int, category: int) -> Any:  # noqa: N802  # pycocotools' name
        found, real = self._dts[image, category], self._gts[image, category]
        if not found or not real:
            return []
        order = np.argsort([-one["score"] for one in found], kind="mergesort")
        return iou([found[row]["box"] for row in order], [one["box"] for one in real])


def pycocotools_ap(manifest: Manifest, findings: Findings, threshold: float) -> float | None:
    images = {
        (s.id, one.id): row for row, (s, one) in enumerate(((s, one) for s in manifest.studies for one in s.series), 1)
    }
    kinds = {name: row for row, name in enumerate(manifest.categories, 1)}
    real = [(s.id, one) for s in manifest.studies for one in s.lesions]
    found = [(s.id, one) for s in findings.studies for one in s.findings]

    def annotation(row: int, study: str, one: Any) -> dict[str, Any]:
        place = {"id": row, "image_id": images[study, one.series], "category_id": kinds[one.category]}
        return {**place, "box": one.box, "bbox": [0, 0, 1, 1], "area": 1.0}

    def coco(annotations: list[dict[str, Any]]) -> COCO:
        made = COCO()
        names = [{"id": row, "name": name} for name, row in kinds.items()]
        made.dataset = {
            "images": [{"id": row} for row in images.values()],
            "annotations": annotations,
            "categories": names,
        }
        made.createIndex()
        return made

    with contextlib.redirect_stdout(io.StringIO()):
        evaluation = Coco3D(
            coco([{**annotation(row, s, one), "iscrowd": int(one.ignore)} for row, (s, one) in enumerate(real, 1)]),
            coco([{**annotation(row, s, one), "score": one.score} for row, (s, one) in enumerate(found, 1)]),
            "bbox",
        )
        evaluation.params.iouThrs = np.array([threshold])
        evaluation.params.maxDets = [1, 10, 100000]
        evaluation.evaluate()
        evaluation.accumulate()
    precision = evaluation.eval["precision"][:, :, :, 0, -1]
    defined = precision[precision > -1]
    return float(np.mean(defined)) if len(defined) else None


def ours(manifest: Manifest, findings: Findings, threshold: float) -> float | None:
    criterion = IouCriterion(iou=threshold)
    matched = match_cohort(gather(manifest, tabulate(findings), Selection()), criterion)
    return coco_average_precision(coco_matches(matched, criterion), whole(matched.cohort))


@pytest.mark.parametrize("seed", range(12))
def test_random_cohorts_to_the_last_bit(draw: Draw, seed: int) -> None:
    """Several categories, ignored lesions, tied scores, tilted boxes, scans without anything."""
    rng = np.random.default_rng(seed)
    drawn = draw(categories=("a", "b", "c"))
    tilted = [[1.0, 0.0, 0.0], [0.0, 0.8, 0.6], [0.0, -0.6, 0.8]]

    def box(place: float) -> dict[str, Any]:
        axes = {"axes": tilted} if rng.uniform() < 0.3 else {}
        return {"center": [place, *rng.normal(0, 1, 2)], "size": rng.uniform(4, 12, 3).tolist(), **axes}

    for _ in range(int(rng.integers(4, 12))):
        places = rng.uniform(0, 80, int(rng.integers(0, 6)))
        lesions = [
            {"box": box(p), "category": "ab"[int(rng.integers(2))], "ignore": bool(rng.uniform() < 0.2)} for p in places
        ]
        near = [*(places + rng.normal(0, 2, len(places))), *rng.uniform(0, 80, int(rng.integers(0, 6)))]
        findings = [
            {"box": box(p), "category": "abc"[int(rng.integers(3))], "score": round(rng.uniform(), 1 + seed % 3)}
            for p in near
        ]
        drawn.study(lesions, findings)
    for threshold in (0.1, 0.25, 0.5):
        assert ours(drawn.manifest, drawn.found, threshold) == pycocotools_ap(drawn.manifest, drawn.found, threshold)


@pytest.mark.parametrize("name", ["box3d_200", "box3d_123_ties5"])
def test_the_vectors_to_the_last_bit(vectors: Path, name: str) -> None:
    manifest = read_manifest(vectors / name / "manifest.json")
    findings = read_findings(vectors / name / "findings.json")
    for threshold in (0.1, 0.25, 0.5):
        assert ours(manifest, findings, threshold) == pycocotools_ap(manifest, findings, threshold)


def test_the_setting_replaces_only_the_average_precision(draw: Draw) -> None:
    # of two equal scores COCO takes the first listed first: the hit, so it sees a perfect detector
    drawn = draw().study([0.0], [(0.0, 0.5), (60.0, 0.5)])
    plain = score(drawn.manifest, drawn.found, ScoreSettings(bootstrap=BootstrapSettings(samples=0)))
    as_coco = score(
        drawn.manifest, drawn.found, ScoreSettings(bootstrap=BootstrapSettings(samples=0), coco_compat=True)
    )
    assert (plain.group().ap.value, as_coco.group().ap.value) == (0.5, pytest.approx(1.0))
    assert as_coco.group().ap.reason == "coco_compat: no interval"
    assert plain.group().cpm == as_coco.group().cpm


def test_it_needs_an_overlap_criterion(draw: Draw) -> None:
    drawn = draw().study([0.0], [(0.0, 0.5)])
    with pytest.raises(InputError, match="coco_compat=true needs criterion=iou"):
        score(drawn.manifest, drawn.found, ScoreSettings(criterion=CenterCriterion(), coco_compat=True))
