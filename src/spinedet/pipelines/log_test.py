"""What a test shows in an experiment tracker: curves, a table of findings and pictures, without names of any kind."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from spinedet.cli import tracking
from spinedet.core.findings import read_findings
from spinedet.core.types import Manifest
from spinedet.detection.model_files import DESCRIPTION, WEIGHTS
from spinedet.pipelines.splits import only
from spinedet.report.example_cases import choose_cases
from spinedet.report.test_evidence import Evidence, gather_evidence
from spinedet.runs.run_folder import RunFolder
from spinedet.scoring import Scores
from spinedet.scoring.operating_point import study_hash

COLUMNS = ("study", "centre", "plane", "category", "score", "above threshold", "hit")


def log_test(
    logger: tracking.LoggerConfig, run: RunFolder, manifest: Manifest, scores: Scores, facts: dict[str, Any]
) -> None:
    """Log a finished test: everything to W&B, the numbers alone elsewhere.

    Args:
        logger: where to. run: the test's folder. manifest: holds the studies that were scored.
        scores: the numbers. facts: settings and hashes; no path and no name of a patient.
    """
    metrics = tracking.headlines(scores)
    if not isinstance(logger, tracking.WandbLoggerConfig):
        tracking.log_metrics(logger, run.root, metrics)
        return
    findings = read_findings(run.findings)
    read = {study.id for study in findings.studies}
    reference = only(manifest, (study for study in manifest.studies if study.id in read))
    evidence = gather_evidence(reference, findings, scores)
    names = (WEIGHTS, DESCRIPTION) if run.model.is_dir() else ()
    results = tracking.Results(
        facts={**facts, "operating_point_sha256": scores.threshold.get("sha256")},
        metrics=metrics,
        lines=dict(_lines(evidence)),
        tables={"findings": tracking.Rows(COLUMNS, list(_rows(evidence)))},
        pictures={f"case {case.title}": case.picture for case in choose_cases(evidence, 6) if case.picture},
        model={name: run.model / name for name in names},
        scores=_nameless(scores),
    )
    tracking.log_results(logger, run.root, results)


def _nameless(scores: Scores) -> dict[str, Any]:
    """All numbers, without what may name a cohort or a study."""
    content = scores.model_dump(mode="json")
    return {key: value for key, value in content.items() if key not in ("name", "not_read", "notes")}


def _lines(evidence: Evidence) -> Iterator[tuple[str, tracking.Lines]]:
    """FROC and precision-recall of each plane, a line for each centre."""
    for plane in evidence.planes:
        froc, recall = {}, {}
        for center in evidence.cohort.centers:
            part = evidence.part(plane, [center])
            lesions, scans = int(part.lesions_per_patient.sum()), int(part.scans.sum())
            steps = evidence.staircase(part)
            if lesions and len(steps.tp):
                found = (steps.tp / lesions).tolist()
                froc[center] = ((steps.fp / scans).tolist(), found)
                recall[center] = (found, (steps.tp / (steps.tp + steps.fp)).tolist())
        yield f"froc/{plane}", tracking.Lines(f"FROC, {plane}", "false positives per scan", froc)
        yield f"precision_recall/{plane}", tracking.Lines(f"precision over recall, {plane}", "recall", recall)


def _rows(evidence: Evidence) -> Iterator[tuple[str | float | bool, ...]]:
    """A row for each finding, its study by a hash."""
    cohort, examination = evidence.cohort, evidence.examination
    lesion = examination.judgement.matches.lesion
    for row, finding in enumerate(evidence.findings):
        scan = int(cohort.marks.scan[row])
        study = cohort.studies[int(cohort.scans.study[scan])]
        plane = next(series.plane.value for series in study.series if series.id == finding.series)
        reached, hit = bool(examination.reached[row]), bool(lesion[row] >= 0)
        yield study_hash(study.id), study.center, plane, finding.category, finding.score, reached, hit
