"""What the steps of the seed study left behind, brought together and compared patient by patient."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from spinedet.core.files import sha256
from spinedet.core.findings import read_findings, read_findings_table
from spinedet.core.manifest import phantom_note, read_manifest
from spinedet.core.types import Manifest
from spinedet.experiments.transfer.over_seeds import pool
from spinedet.experiments.transfer.plan import FULL, SCRATCH, SOURCE, ZERO_SHOT, Plan, Sources
from spinedet.pipelines.splits import only
from spinedet.report.study_steps import StepLine
from spinedet.report.transfer_page import Kept, StudyResults, Tested, Transferred
from spinedet.runs.claimed_folder import RunFolder
from spinedet.runs.provenance import read_run_record
from spinedet.runs.steps import Outcome
from spinedet.scoring import (
    BootstrapSettings,
    Comparison,
    Contender,
    ScoreSettings,
    Selection,
    compare,
    read_operating_point,
    read_scores,
)


def collect(size: str, sources: Sources, plan: Plan, outcomes: Sequence[Outcome]) -> StudyResults:
    """All results that there are; what a broken step should have given is missing."""
    good = {one.step.name for one in outcomes if one.good}
    lumbar, neck = read_manifest(sources.lumbar), read_manifest(sources.cervical)

    def found(name: str, run: str, manifest: Manifest) -> Tested | None:
        return _tested(sources.steps, name, run, manifest) if name in good else None

    steps = [plan.of_seed(name, seed) for seed in plan.seeds for name in plan.trainings]
    every = {name: one for name in steps if (one := found(name, name, neck)) is not None}
    trained = {name: one for name, one in every.items() if name in plan.trainings}
    transferred = tuple(
        Transferred(name, one, _against(neck, trained.get(_control(plan, name)), one), _share(sources.steps / name))
        for name, one in trained.items()
    )
    source = found(SOURCE, SOURCE, lumbar)
    kept = tuple(
        Kept(run, one, _against(lumbar, source, one))
        for run, name in plan.kept.items()
        if (one := found(name, run, lumbar)) is not None
    )
    curve = {
        words: {n: plan.name_of(recipe, n) for n in plan.patients_of(recipe)}
        for words, recipe in (("from scratch", SCRATCH), ("fine-tuned", FULL))
    }
    return StudyResults(
        size=size,
        notes=phantom_note(lumbar.studies),
        cohorts=(lumbar, neck),
        lumbar=source,
        zero_shot=found(ZERO_SHOT, SOURCE, neck),
        transferred=transferred,
        headline=plan.name_of(FULL, max(plan.patients_of(FULL))),
        compared=tuple(
            name
            for name, one in plan.trainings.items()
            if (one.patients, one.steps) == (plan.compared, plan.equal_steps)
        ),
        compared_patients=plan.compared,
        equal_steps=plan.equal_steps,
        seeds=plan.seeds,
        pooled=tuple(pool(plan, neck, every)),
        curve=curve,
        kept=kept,
        steps=tuple(StepLine(o.step.name, o.state, o.seconds, o.reason) for o in outcomes),
    )


def _control(plan: Plan, name: str) -> str:
    """The training from scratch on as many patients with as many steps."""
    training = plan.trainings[name]
    return plan.name_of(SCRATCH, training.patients, training.steps)


def _tested(steps: Path, name: str, run: str, manifest: Manifest) -> Tested:
    folder = RunFolder(steps / name)
    findings = read_findings(folder.findings)
    read = {study.id for study in findings.studies}
    return Tested(
        name=name,
        folder=folder.root,
        scores=read_scores(folder.scores),
        reference=only(manifest, (study for study in manifest.studies if study.id in read)),
        findings=findings,
        frozen=sha256(RunFolder(steps / run).operating_point),
        point=read_operating_point(RunFolder(steps / run).operating_point),
        internal=read_run_record(RunFolder(steps / run).record).internal_centers,
    )


def _share(folder: Path) -> dict[str, float]:
    """Share of each plane's numbers that began with the source's; nothing from scratch."""
    initial = read_run_record(RunFolder(folder).record).init
    return {} if initial is None else {plane: part.share for plane, part in initial.planes.items()}


def _against(manifest: Manifest, first: Tested | None, second: Tested) -> Comparison | None:
    """The second minus the first on the same patients, each at its own frozen operating point."""
    if first is None or first is second:
        return None
    planes = tuple(dict.fromkeys(one.plane for one in second.point.thresholds))
    drawn = second.scores.bootstrap
    bootstrap = BootstrapSettings(samples=drawn.samples, seed=drawn.seed)
    selection = Selection(planes=planes, allow_missing=True)
    return compare(
        manifest, _contender(first), _contender(second), ScoreSettings(selection=selection, bootstrap=bootstrap)
    )


def _contender(tested: Tested) -> Contender:
    table = read_findings_table(RunFolder(tested.folder).findings)
    return Contender(tested.name, table, operating_point=tested.point)
