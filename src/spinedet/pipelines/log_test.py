"""What a test shows in an experiment tracker: curves, a table of findings and pictures, without names of any kind."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from spinedet.cli import tracking
from spinedet.detection.model_files import DESCRIPTION, WEIGHTS
from spinedet.pipelines.test_detector import ScoredTest
from spinedet.report.example_cases import choose_cases
from spinedet.report.scored_cases import ScoredCases
from spinedet.runs.claimed_folder import RunFolder
from spinedet.scoring import Scores
from spinedet.scoring.operating_point import study_hash

COLUMNS = ("study", "centre", "plane", "category", "score", "above threshold", "hit")


def log_test(logger: tracking.LoggerConfig, run: RunFolder, test: ScoredTest, facts: dict[str, Any]) -> None:
    """Log a finished test: everything to W&B, the numbers alone elsewhere.

    Args:
        logger: where to. run: the test's folder. test: the numbers and the matched findings.
        facts: settings and hashes; no path and no name of a patient.
    """
    scores, cases = test.scores, test.cases
    metrics = tracking.headlines(scores)
    if not isinstance(logger, tracking.WandbLoggerConfig):
        tracking.log_metrics(logger, run.root, metrics)
        return
    names = (WEIGHTS, DESCRIPTION) if run.model.is_dir() else ()
    results = tracking.Results(
        facts={**facts, "operating_point_sha256": scores.operating_point_sha256},
        metrics=metrics,
        lines=dict(_lines(cases)),
        tables={"findings": tracking.Rows(COLUMNS, list(_rows(cases)))},
        pictures={f"case {case.title}": case.picture for case in choose_cases(cases, 6) if case.picture},
        model={name: run.model / name for name in names},
        scores=_nameless(scores),
    )
    tracking.log_results(logger, run.root, results)


def _nameless(scores: Scores) -> dict[str, Any]:
    """All numbers, without what may name a cohort or a study."""
    content = scores.model_dump(mode="json")
    return {key: value for key, value in content.items() if key not in ("name", "not_read", "notes")}


def _lines(cases: ScoredCases) -> Iterator[tuple[str, tracking.Lines]]:
    """FROC and precision-recall of each plane, a line for each centre."""
    for plane in cases.planes:
        froc, recall = {}, {}
        for center in cases.cohort.centers:
            part = cases.part(plane, [center])
            lesions, scans = int(part.lesions_per_patient.sum()), int(part.scans.sum())
            steps = cases.operating_points(part)
            if lesions and len(steps.tp):
                found = (steps.tp / lesions).tolist()
                froc[center] = ((steps.fp / scans).tolist(), found)
                recall[center] = (found, (steps.tp / (steps.tp + steps.fp)).tolist())
        yield f"froc/{plane}", tracking.Lines(f"FROC, {plane}", "false positives per scan", froc)
        yield f"precision_recall/{plane}", tracking.Lines(f"precision over recall, {plane}", "recall", recall)


def _rows(cases: ScoredCases) -> Iterator[tuple[str | float | bool, ...]]:
    """A row for each finding, its study by a hash."""
    cohort, examination = cases.cohort, cases.examination
    lesion = examination.matched.matches.lesion
    for row, finding in enumerate(cases.findings):
        scan = int(cohort.marks.scan[row])
        study = cohort.studies[int(cohort.scans.study[scan])]
        plane = next(series.plane.value for series in study.series if series.id == finding.series)
        reached, hit = bool(examination.reached[row]), bool(lesion[row] >= 0)
        yield study_hash(study.id), study.center, plane, finding.category, finding.score, reached, hit
