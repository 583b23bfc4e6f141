"""The shared vectors: four independent implementations agree on their numbers to 1e-12."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from spinedet.core.errors import InputError
from spinedet.core.findings import read_findings_table
from spinedet.core.manifest import read_manifest
from spinedet.scoring import (
    BootstrapSettings,
    Group,
    IouCriterion,
    Scores,
    ScoreSettings,
    choose_operating_point,
    score,
)
from spinedet.scoring.matching.cohort import Selection, gather
from spinedet.scoring.metrics.counts import count_part, froc_name
from spinedet.scoring.metrics.matched_cohort import match_cohort, whole
from spinedet.scoring.statistics.bootstrap import replicate

EDGE_CASES = [
    "all_scores_equal",
    "class_without_gt",
    "duplicate_fp",
    "empty_scan_counts",
    "everything_detected",
    "greedy_vs_hungarian",
    "gt_free_scan",
    "ignored_vs_real",
    "iou_exact_0.1_mm",
    "iou_exact_0.5_mm",
    "iou_exact_0.5_unit",
    "iou_just_below_0.5",
    "lowest_threshold_matters",
    "nan_box",
    "nan_score",
    "negative_scores",
    "no_gt_anywhere",
    "normalised_small",
    "one_pred_two_gt",
    "recall_grid_100",
    "tie_across_scans_a",
    "tie_fp_first",
    "tie_tp_first",
    "voc_vs_coco",
    "wrong_class",
    "zero_volume_both",
    "zero_volume_pred",
]


def test_no_edge_case_is_left_out(vectors: Path) -> None:
    assert sorted(folder.name for folder in (vectors / "edge_cases").iterdir()) == EDGE_CASES


def _scored(folder: Path, iou: float, froc: str = "step") -> Scores:
    settings = ScoreSettings(criterion=IouCriterion(iou=iou), bootstrap=BootstrapSettings(samples=0), froc=froc)
    return score(read_manifest(folder / "manifest.json"), read_findings_table(folder / "findings.json"), settings)


@pytest.mark.parametrize("name", EDGE_CASES)
def test_an_edge_case_comes_out_as_expected(vectors: Path, name: str) -> None:
    folder = vectors / "edge_cases" / name
    expected = json.loads((folder / "expected.json").read_text())
    if expected["expect"].get("refused"):
        with pytest.raises(InputError, match=r"study 's0'.*(box|score)"):
            _scored(folder, expected["iou"])
        return
    group = _scored(folder, expected["iou"]).group()
    _compare(group, expected["reference"], tolerance=1e-6)  # the file gives six digits
    _compare(group, expected["expect"], tolerance=1e-9)
    linear = [point.sensitivity.value for point in _scored(folder, expected["iou"], "linear").group().froc]
    assert linear == pytest.approx(expected["reference"].get("froc_linear", [None] * 7), abs=1e-6)


def _compare(group: Group, expected: dict[str, Any], tolerance: float) -> None:
    froc = [point.sensitivity.value for point in group.froc]
    found: dict[str, Any] = {
        "tp": group.tp,
        "fp": group.fp,
        "fn": group.fn,
        "n_scans": group.n.series,
        "ap101": group.ap.value,
        "ap_coco101": group.ap.value,
        "mAP": group.ap.value,
        "mAP101": group.ap.value,
        "ap_step": group.ap_step.value,
        "froc_step": froc,
        "cpm_step": group.cpm.value,
        "sens_at_1fp": froc[3],
    }
    for name, value in expected.items():
        if name == "ap":  # the cases mean the 101-point value in some places, the plain steps in others
            either = (group.ap.value, group.ap_step.value)
            assert (None in either) if value == "nan" else pytest.approx(value, abs=tolerance) in either
        elif value == "nan":
            assert found[name] is None, name
        elif name in found:
            assert found[name] == pytest.approx(value, abs=tolerance), name


@pytest.mark.parametrize("name", ["box3d_200", "box3d_123_ties5"])
@pytest.mark.parametrize("iou", [0.1, 0.25, 0.5])
def test_a_large_vector_is_reproduced(vectors: Path, name: str, iou: float) -> None:
    expected = json.loads((vectors / name / "expected.json").read_text())["per_category"]["lesion"][f"IoU{iou}"]
    group = _scored(vectors / name, iou).group()
    _compare(group, expected, tolerance=1e-9)
    assert (group.n.series, group.n.lesions, group.n.findings) == tuple(
        expected[k] for k in ("n_scans", "n_gt", "n_pred")
    )
    assert group.f1_max.value == pytest.approx(expected["max_f1"]["f1"], abs=1e-12)
    assert group.f1_max.threshold == expected["max_f1"]["threshold"]


def test_replicates_under_stored_weights(vectors: Path) -> None:
    expected = json.loads((vectors / "box3d_200" / "expected_boot.json").read_text())
    stored = np.load(vectors / "box3d_200" / "boot_weights.npz")
    manifest = read_manifest(vectors / "box3d_200" / "manifest.json")
    placed = gather(manifest, read_findings_table(vectors / "box3d_200" / "findings.json"), Selection())
    cohort = placed.cohort
    assert cohort.patients == tuple(stored["patients"])
    above = cohort.marks.score >= expected["frozen_threshold"]["A"]
    counted = count_part(match_cohort(placed, IouCriterion(iou=expected["iou"])), whole(cohort), above)
    found = replicate(counted.measure, stored["weights"].T, counted.batch)
    linear = replace(counted, froc="linear")
    found["linear"] = replicate(linear.measure, stored["weights"].T, counted.batch)["cpm"]
    names = {
        "ap_coco101": "ap",
        "ap_step": "ap_step",
        "cpm_step": "cpm",
        "cpm_linear": "linear",
        "max_f1": "f1_max",
        "sens_at_1_fp": froc_name(1.0),
        "frozen_f1": "f1",
        "frozen_precision": "precision",
        "frozen_recall": "recall",
        "frozen_fp_per_scan": "fp_per_scan",
    }
    for theirs, ours in names.items():
        values = found[ours]
        summary = [values.mean(), values.std(ddof=1), *np.percentile(values, [2.5, 50, 97.5])]
        assert summary == pytest.approx(expected["bootstrap"]["A"][theirs], abs=1e-9), theirs
        for row, first in enumerate(expected["first_replicates_A"]):
            assert values[row] == pytest.approx(first.get(theirs, values[row]), abs=1e-9), theirs


def test_the_frozen_threshold_of_one_centre_serves_the_others(vectors: Path) -> None:
    expected = json.loads((vectors / "box3d_200" / "expected_boot.json").read_text())
    manifest = read_manifest(vectors / "box3d_200" / "manifest.json")
    findings = read_findings_table(vectors / "box3d_200" / "findings.json")
    settings = ScoreSettings(
        criterion=IouCriterion(iou=0.25), threshold=expected["frozen_threshold"]["A"], bootstrap=BootstrapSettings(0)
    )
    scores = score(manifest, findings, settings)
    for center, numbers in expected["per_centre_at_frozen"].items():
        group = scores.group(plane="sagittal", center=center)
        for name in ("tp", "fp", "fn"):
            assert getattr(group, name) == numbers[name], center
        for name in ("precision", "recall", "f1", "fp_per_scan"):
            assert getattr(group, name).value == pytest.approx(numbers[name], abs=1e-12), center
        assert group.f1_max.value == pytest.approx(expected["per_centre_reoptimised_F1"][center], abs=1e-12)


def test_the_threshold_is_chosen_by_the_stored_rule(vectors: Path) -> None:
    expected = json.loads((vectors / "box3d_200" / "expected_boot.json").read_text())
    assert expected["frozen_threshold"]["rule"].startswith("argmax F1 over the internal centre")
    manifest = read_manifest(vectors / "box3d_200" / "manifest.json")
    internal = manifest.model_copy(
        update={
            "studies": tuple(
                study if study.center == "internal" else study.model_copy(update={"excluded": "another centre"})
                for study in manifest.studies
            )
        }
    )
    findings = read_findings_table(vectors / "box3d_200" / "findings.json")
    point = choose_operating_point(internal, findings, IouCriterion(iou=0.25), "max_f1")
    assert point.thresholds[0].value == expected["frozen_threshold"]["A"]
