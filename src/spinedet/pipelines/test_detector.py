"""Test a model on studies: findings, scores at the frozen operating point, and the report of both."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

from spinedet.cli.progress import progress_bar
from spinedet.core.errors import InputError
from spinedet.core.findings import write_findings
from spinedet.core.types import Finding, Findings, FiniteJson, Manifest, Study, StudyFindings
from spinedet.detection.inference import CohortFindings, Effort, detect_each, detect_studies
from spinedet.detection.model_files import Model
from spinedet.pipelines.registered_plan import Plan, compare_with_plan, plan_notes, write_plan_result
from spinedet.pipelines.robustness import degradation_curves
from spinedet.pipelines.settings import TestConfig
from spinedet.pipelines.splits import only
from spinedet.report.evaluation_page import Page, write_page
from spinedet.report.scored_cases import ScoredCases, cases_of
from spinedet.runs.claimed_folder import RunFolder
from spinedet.runs.provenance import ModelIdentity, findings_header
from spinedet.runs.sharding import Journal, records
from spinedet.scoring import OperatingPoint, Scores, ScoreSettings, Selection, examine, report, write_scores


@dataclass(frozen=True)
class TestRun:
    """A model with its frozen thresholds, about to be tested.

    Attributes:
        identity: with the operating point. title: of the report. notes: what a reader must know before the numbers.
        internal_centers: where the model was trained. plan: of a registered analysis, with its hash.
        facts: of model and training, for the page; no patient, date or path.
    """

    model: Model
    identity: ModelIdentity
    title: str
    notes: tuple[str, ...] = ()
    internal_centers: tuple[str, ...] = ()
    plan: tuple[Plan, str] | None = None
    facts: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class ScoredTest:
    """The numbers of a test, and the matched findings that they are of."""

    scores: Scores
    cases: ScoredCases


def predict_cohort(model: Model, studies: Sequence[Study], min_score: float, effort: Effort) -> CohortFindings:
    """The model's findings in every study that can be read.

    Raises:
        InputError: there is none.
    """
    with progress_bar("predicting") as progress:
        predictions = detect_studies(model, studies, min_score, effort, progress)
    if not predictions.studies:
        reason = next(iter(predictions.skipped.values()), "there is no study to read")
        raise InputError(f"none of {len(studies)} studies could be read; the first: {reason}")
    return predictions


def predict_part(model: Model, studies: Sequence[Study], journal: Journal, config: TestConfig, effort: Effort) -> None:
    """Write the model's findings in this job's part of the studies into its journal; those that are there are done."""
    mine = studies[journal.shard.index :: journal.shard.count]
    with journal.open() as (done, write), progress_bar("predicting") as progress:
        each = detect_each(model, mine[done:], config.min_score, effort)
        for number, (study, prediction) in enumerate(each, start=done + 1):
            write(
                {"id": study.id, "skipped": prediction}
                if isinstance(prediction, str)
                else prediction.model_dump(mode="json")
            )
            progress(number, len(mine))


def read_parts(folder: Path, parts: int) -> CohortFindings:
    """What all jobs have found.

    Raises:
        InputError: no study could be read.
    """
    found: list[StudyFindings] = []
    skipped: dict[str, str] = {}
    for record in records(folder, parts):
        if "skipped" in record:
            skipped[record["id"]] = record["skipped"]
        else:
            found.append(StudyFindings.model_validate_json(json.dumps(record)))
    if not found:
        raise InputError(f"none of {len(skipped)} studies could be read; the first: {next(iter(skipped.values()))}")
    return CohortFindings(tuple(found), skipped)


def as_findings(model: Model, predictions: CohortFindings) -> Findings:
    """What `findings.json` holds, before an operating point is known."""
    described: dict[str, FiniteJson] = {"name": model.name, "planes": [plane.value for plane in model.detectors]}
    return Findings(model=described, studies=predictions.studies)


def mark_operating_point(findings: Findings, point: OperatingPoint, manifest: Manifest) -> Findings:
    """Each finding marked as above the operating point or not."""
    thresholds = point.values
    planes = {(study.id, series.id): series.plane.value for study in manifest.studies for series in study.series}

    def mark(study: StudyFindings, finding: Finding) -> Finding:
        threshold = thresholds[planes[study.id, finding.series], finding.category]
        return finding.model_copy(update={"above_operating_point": finding.score >= threshold})

    studies = (s.model_copy(update={"findings": tuple(mark(s, f) for f in s.findings)}) for s in findings.studies)
    return findings.model_copy(update={"studies": tuple(studies)})


def report_test(
    test: TestRun, manifest: Manifest, predictions: CohortFindings, config: TestConfig, run: RunFolder
) -> ScoredTest:
    """Score the findings once, and write them, the scores and the report; studies that were not read are left out."""
    read = {study.id for study in predictions.studies}
    reference = only(manifest, (study for study in manifest.studies if study.id in read))
    point = test.identity.operating_point
    header = findings_header(test.identity, f"{date.today():%Y-%m-%d}")
    findings = mark_operating_point(header.model_copy(update={"studies": predictions.studies}), point, reference)
    write_findings(run.findings, findings)
    planes = tuple(plane.value for plane in test.model.detectors)
    settings = ScoreSettings(
        selection=Selection(planes=planes),
        operating_point=point,
        bootstrap=config.bootstrap,
        internal_centers=test.internal_centers,
        adapt=config.adapt,
    )
    examination = examine(reference, findings, settings)
    scores = report(reference.name, examination)
    scores = scores.model_copy(update={"notes": (*test.notes, *scores.notes)})
    if config.robustness:
        model = (test.model, test.identity)
        curves = degradation_curves(model, reference, scores, settings, config.degradations)
        scores = scores.model_copy(update={"robustness": curves})
    cases = cases_of(examination, reference, findings)
    write_scores(run.scores, scores)
    page = Page(
        title=test.title,
        scores=scores,
        cases=cases,
        region=reference.region,
        notes=_plan_notes(test, scores, run),
        details=test.facts,
        shown=config.cases,
        internal_centers=test.internal_centers,
        skipped=len(predictions.skipped),
        everyone=manifest,
    )
    write_page(run.report, page)
    return ScoredTest(scores, cases)


def _plan_notes(test: TestRun, scores: Scores, run: RunFolder) -> tuple[str, ...]:
    """What became of a registered plan, which is also written."""
    if test.plan is None:
        return ()
    result = compare_with_plan(test.plan, scores, test.internal_centers)
    write_plan_result(run.root, result)
    return plan_notes(result, scores.bootstrap.confidence)
