"""Draw the pictures of docs/scoring.md from the worked example that stands there.

    python -m benchmarks.generate.draw_scoring

The example's numbers come from `spinedet.scoring`, so that a picture cannot say something else than the program.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.patches import Rectangle

from spinedet.core.types import Findings, Manifest
from spinedet.scoring import IouCriterion, ScoreSettings, examine
from spinedet.scoring.error_analysis import OUTCOMES, Cases
from spinedet.scoring.metrics.froc_pr import RATES, operating_points
from spinedet.scoring.metrics.matched_cohort import whole

OUT = Path(__file__).resolve().parents[2] / "docs/figures"
REAL, FOUND, WRONG, IGNORED = "#009e73", "#0072b2", "#d55e00", "#999999"
# Per scan: patient, lesions as (place in mm, ignored), findings as (place, score).
SCANS: list[tuple[str, list[tuple[float, bool]], list[tuple[float, float]]]] = [
    ("P1", [(0, False), (40, False)], [(1, 0.9), (3, 0.8), (80, 0.7)]),
    ("P1", [(0, False)], [(2, 0.7)]),
    ("P2", [(0, True)], [(1, 0.95)]),
    ("P3", [], [(0, 0.4)]),
]


def cohort() -> tuple[Manifest, Findings]:
    """The worked example: 10 mm cubes in four scans of three patients."""
    studies, findings = [], []
    for row, (patient, lesions, found) in enumerate(SCANS, 1):
        series = [{"id": "s", "plane": "sagittal", "path": "/none"}]
        marks: list[dict[str, Any]] = [
            {"id": str(n), "series": "s", "category": "disc", "ignore": skip, "box": _cube(place)}
            for n, (place, skip) in enumerate(lesions)
        ]
        studies.append({"id": f"scan{row}", "patient": patient, "center": "A", "series": series, "lesions": marks})
        said = [{"series": "s", "category": "disc", "score": score, "box": _cube(place)} for place, score in found]
        findings.append({"id": f"scan{row}", "findings": said})
    about = {"name": "worked example", "region": "lumbar", "categories": ["disc"], "studies": studies}
    content = {"model": {"name": "by hand"}, "studies": findings}
    return Manifest.model_validate_json(json.dumps(about)), Findings.model_validate_json(json.dumps(content))


def _cube(place: float) -> dict[str, Any]:
    return {"center": [place, 0, 0], "size": [10, 10, 10]}


def draw_example(outcome: list[str]) -> None:
    """The four scans with every lesion and finding, and what became of each finding."""
    figure, panels = plt.subplots(len(SCANS), 1, figsize=(7.5, 5.6), sharex=True, layout="constrained")
    colors = {"hit": FOUND, "duplicate": WRONG, "false positive": WRONG, "absorbed": IGNORED}
    told = iter(outcome)
    for row, (axes, (patient, lesions, found)) in enumerate(zip(panels, SCANS, strict=True), 1):
        for place, skip in lesions:
            style = {"facecolor": IGNORED if skip else REAL, "alpha": 0.3, "edgecolor": "none"}
            axes.add_patch(Rectangle((place - 5, -5), 10, 10, **style))
            axes.text(place, -7.2, "ignored lesion" if skip else "lesion", ha="center", fontsize=7, color="0.3")
        for level, (place, score) in enumerate(found):
            what = next(told)
            axes.add_patch(Rectangle((place - 5, -5), 10, 10, fill=False, edgecolor=colors[what], linewidth=1.6))
            axes.annotate(
                f"{score:g} {what}",
                (place + 5, 4 - 4 * level),
                (place + 8, 4 - 4 * level),
                fontsize=8,
                color=colors[what],
                va="center",
            )
        axes.set_ylabel(f"scan {row}\n{patient}", rotation=0, ha="right", va="center", fontsize=8)
        axes.set(xlim=(-12, 112), ylim=(-9.5, 7.5), yticks=[])
        axes.spines[["top", "right", "left"]].set_visible(False)
    panels[-1].set_xlabel("mm; every box is a cube of 10 mm seen from the side")
    figure.savefig(OUT / "scoring_example.png", dpi=130)


def draw_curves() -> None:
    """FROC and precision-recall of the example, with the points that a threshold can reach."""
    manifest, findings = cohort()
    matched = examine(manifest, findings, ScoreSettings(criterion=IouCriterion())).matched
    part = whole(matched.cohort)
    steps, curve = operating_points(matched.ranked(part)), matched.ledger(part).curve()
    lesions, scans = curve.lesions[0], curve.scans[0]
    figure, (froc, recall) = plt.subplots(1, 2, figsize=(8.2, 3.4), layout="constrained")
    x = np.concatenate([[0], steps.fp / scans, [8]])
    y = np.maximum.accumulate(np.concatenate([[0], steps.tp / lesions, [steps.tp[-1] / lesions]]))
    froc.step(x, y, where="post", color=FOUND)
    froc.plot(steps.fp / scans, steps.tp / lesions, "o", color=FOUND)
    froc.plot(RATES, curve.sensitivity()[:, 0], "x", color=WRONG, label="the seven rates of CPM")
    for score, fp, tp in zip(steps.score, steps.fp / scans, steps.tp / lesions, strict=True):
        froc.annotate(f"{score:g}", (fp, tp), (fp + 0.02, tp - 0.07), fontsize=8)
    froc.set(xscale="symlog", xlim=(0, 9), ylim=(0, 1.03), xlabel="false positives per scan", ylabel="sensitivity")
    froc.set_xscale("function", functions=(lambda v: np.log2(1 + 8 * v), lambda v: (2**v - 1) / 8))
    froc.set_xticks([0, *RATES], ["0", "1/8", "1/4", "1/2", "1", "2", "4", "8"])
    froc.legend(fontsize=7, frameon=False)
    grid = np.arange(101) / 100
    recall.plot(grid, curve.interpolated_precision[:, 0], ".", markersize=3, color=WRONG, label="the 101 recalls of AP")
    recall.plot(steps.tp / lesions, steps.tp / (steps.tp + steps.fp), "o", color=FOUND, label="reachable")
    for score, r, p in zip(steps.score, steps.tp / lesions, steps.tp / (steps.tp + steps.fp), strict=True):
        recall.annotate(f"{score:g}", (r, p), (r + 0.02, p - 0.06), fontsize=8)
    recall.set(xlim=(0, 1), ylim=(0, 1.05), xlabel="recall", ylabel="precision")
    recall.legend(fontsize=7, frameon=False)
    figure.savefig(OUT / "scoring_curves.png", dpi=130)


def draw_criteria() -> None:
    """The three criteria on one lesion: what is just a hit, and what just is not."""
    figure, panels = plt.subplots(1, 3, figsize=(8.6, 2.9), layout="constrained")
    _criterion(panels[0], "iou ≥ 0.1", [(8.18, FOUND, "IoU 0.1: hit"), (9.2, WRONG, "IoU 0.04: none")])
    _criterion(panels[1], "center", [(4.9, FOUND, "centre inside: hit"), (5.0, WRONG, "on the far face: none")])
    _criterion(panels[2], "distance ≤ 6 mm", [(6.0, FOUND, "6 mm: hit"), (7.0, WRONG, "7 mm: none")])
    panels[2].add_patch(plt.Circle((0, 0), 6, fill=False, linestyle=":", color="0.4"))
    figure.savefig(OUT / "scoring_criteria.png", dpi=130)


def _criterion(axes: Any, title: str, findings: list[tuple[float, str, str]]) -> None:
    axes.add_patch(Rectangle((-5, -5), 10, 10, facecolor=REAL, alpha=0.3))
    axes.plot(0, 0, "+", color=REAL)
    for row, (place, color, words) in enumerate(findings):
        axes.add_patch(Rectangle((place - 5, -5), 10, 10, fill=False, edgecolor=color, linewidth=1.4))
        axes.plot(place, 0, "o", color=color, markersize=4)
        axes.text(1, 7.5 - 14.5 * row - row, words, color=color, fontsize=8, va="center")
    axes.set(title=title, xlim=(-7, 17), ylim=(-11, 10), aspect="equal")
    axes.axis("off")


def draw_bootstrap() -> None:
    """Three replicates of the example's patients: who comes how often, and the recall that follows."""
    lesions = {"P1": 3, "P2": 0, "P3": 0}
    hits = {"P1": 2, "P2": 0, "P3": 0}
    false = {"P1": 2, "P2": 0, "P3": 1}
    scans = {"P1": 2, "P2": 1, "P3": 1}
    draws = [["P1", "P2", "P3"], ["P1", "P1", "P3"], ["P3", "P2", "P3"]]
    figure, axes = plt.subplots(figsize=(7.6, 2.2), layout="constrained")
    for row, drawn in enumerate(draws):
        n, tp, fp, s = (sum(table[p] for p in drawn) for table in (lesions, hits, false, scans))
        recall = f"{tp}/{n}" if n else "undefined: counted, left out"
        title = "the data" if not row else f"replicate {row}"
        axes.text(0, -row, title, fontsize=9, va="center")
        for column, patient in enumerate(drawn):
            axes.text(
                2.2 + column,
                -row,
                patient,
                fontsize=9,
                va="center",
                ha="center",
                bbox={"boxstyle": "round", "fc": "#dbe9f4", "ec": FOUND},
            )
        axes.text(5.6, -row, f"recall {recall},  FP per scan {fp}/{s}", fontsize=9, va="center")
    axes.set(xlim=(-0.2, 11), ylim=(-2.6, 0.6))
    axes.axis("off")
    figure.savefig(OUT / "scoring_bootstrap.png", dpi=130)


def main() -> None:
    """Draw all."""
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    manifest, findings = cohort()
    examination = examine(manifest, findings, ScoreSettings(criterion=IouCriterion()))
    why = Cases(examination.matched, examination.reached).why
    draw_criteria()
    draw_example([OUTCOMES[row] for row in why.tolist()])
    draw_curves()
    draw_bootstrap()


if __name__ == "__main__":
    main()
