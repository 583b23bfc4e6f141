"""Whether a study's other plane makes the findings of a plane better: scores before and after fusion, paired.

    python -m spinedet.train +experiment=lumbar out=runs/demo
    python -m benchmarks.experiments.fusion runs/demo/cohort/manifest.json runs/demo/findings.json

Each finding keeps its box and gets the score of the fused finding that it is part of: the mean over the series that
show its place. So what fusion does to the ranking is seen apart from what it does to boxes. Numbers need no threshold.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from spinedet.core.findings import read_findings
from spinedet.core.manifest import read_manifest
from spinedet.core.types import Finding, Findings, Manifest, Study, StudyFindings
from spinedet.detection.cross_plane_fusion import SeriesFindings, fuse
from spinedet.imaging.volume import read_volume
from spinedet.pipelines.splits import only
from spinedet.scoring import BootstrapSettings, IouCriterion, ScoreSettings, examine
from spinedet.scoring.metrics.counts import froc_name
from spinedet.scoring.statistics.hypothesis_tests import difference

METRICS = ("f1_max", "ap", froc_name(1.0))


def seen_series(study: Study, found: Sequence[Finding]) -> list[SeriesFindings]:
    """Findings with where their series lie."""
    return [
        SeriesFindings(s.id, s.plane, read_volume(s.path).grid, tuple(f for f in found if f.series == s.id))
        for s in study.series
        if s.weighting == "T2"
    ]


def fused_scores(study: Study, answers: StudyFindings) -> StudyFindings:
    """The same findings with the scores of the fused ones."""
    score = {
        (series, one.category, own): one.score
        for one in fuse(seen_series(study, answers.findings))
        for series, own in zip(one.series, one.scores, strict=True)
    }
    changed = (f.model_copy(update={"score": score[f.series, f.category, f.score]}) for f in answers.findings)
    return answers.model_copy(update={"findings": tuple(changed)})


def compare(manifest: Manifest, alone: Findings, together: Findings, iou: float) -> None:
    """Print a row for each plane, and for each plane and centre."""
    bootstrap = BootstrapSettings(samples=2000, seed=0, method="percentile")
    settings = ScoreSettings(
        criterion=IouCriterion(iou=iou), threshold=0.5, bootstrap=bootstrap, secondary=(), strata=()
    )
    first, second = (examine(manifest, findings, settings) for findings in (alone, together))
    for before, after in zip(first.groups, second.groups, strict=True):
        if "plane" not in before.by:
            continue
        one, two = first.statistics(first.count_part(before)), second.statistics(second.count_part(after))
        apart = difference(one, two, METRICS)
        cells = [str(before.by["plane"]), str(before.by.get("center", "all")), f"{iou:g}"]
        for name in METRICS:
            gain = apart.estimate(name)
            interval = f"{gain.value:+.3f} ({gain.low:+.3f}, {gain.high:+.3f})"
            cells.append(f"{one.values[name]:.3f} → {two.values[name]:.3f}, {interval}")
        print(f"| {' | '.join(cells)} |")


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("manifest", type=Path)
    parser.add_argument("findings", type=Path)
    arguments = parser.parse_args()
    alone = read_findings(arguments.findings)
    answered = {study.id for study in alone.studies}
    manifest = only(read_manifest(arguments.manifest), [])
    studies = {s.id: s for s in read_manifest(arguments.manifest).studies if s.id in answered}
    manifest = only(manifest, studies.values())
    together = alone.model_copy(update={"studies": tuple(fused_scores(studies[s.id], s) for s in alone.studies)})
    print(f"| plane | centre | IoU | {' | '.join(f'{name}: alone → fused, gain' for name in METRICS)} |")
    print("|" + "---|" * (3 + len(METRICS)))
    for iou in (0.1, 0.5):
        compare(manifest, alone, together, iou)


if __name__ == "__main__":
    main()
