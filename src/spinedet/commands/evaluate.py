"""`python -m spinedet.evaluate run=RUN data.manifests=[...]`: external test at the run's frozen operating point."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from spinedet.cli.console import console, show_notes
from spinedet.cli.exit_status import Skipped, Status
from spinedet.cli.score_table import show_scores
from spinedet.core.errors import InputError
from spinedet.core.types import Manifest, Study, is_of_split
from spinedet.detection.device import batch_for, on_device
from spinedet.detection.inference import CohortFindings, Effort
from spinedet.evaluate import EvaluateConfig
from spinedet.pipelines.log_test import log_test
from spinedet.pipelines.registered_plan import Plan, register_plan
from spinedet.pipelines.splits import data_hash, load_manifest, rename_categories, seen_note
from spinedet.pipelines.test_detector import TestRun, predict_part, read_parts, report_test
from spinedet.runs.claimed_folder import RunFolder, write_config
from spinedet.runs.provenance import RunData, RunRecord, Stopwatch, model_facts, write_run_record
from spinedet.runs.run_folder import FinishedRun, open_run
from spinedet.runs.sharding import Journal, all_done, claim_archive, merging
from spinedet.training.device import choose_device


def evaluate(config: EvaluateConfig) -> Status:
    """Find, score and report; nothing is chosen anew."""
    watch = Stopwatch()
    device = choose_device(config.device)
    finished = in_plane(open_run(config.run), config.plane)
    finished = replace(finished, model=on_device(finished.model, device))
    facts = {"operating_point_sha256": finished.operating_point.sha256, "manifests": list(config.data.manifests)}
    part = {"split": config.split, "center": config.center, "plane": config.plane}
    settings: dict[str, Any] = {**part, "min_score": config.test.min_score}
    if config.categories:
        settings["categories"] = dict(config.categories)
    folder, shard = claim_archive(config, "evaluate", {**facts, **settings})
    run = RunFolder(folder)
    write_config(run, config)
    plan = register_plan(Path(config.plan), folder) if config.plan else None
    manifest = rename_categories(load_manifest(config.data, run.root, config.processes), config.categories or {})
    refuse_other_data(finished, manifest)
    studies = chosen(manifest, config.split, config.center)
    effort = Effort(config.processes, batch_for(config.batch, device))
    predict_part(finished.model, studies, Journal(folder, shard), config.test, effort)
    watch.lap("detection")
    with merging(folder):
        if not all_done(folder, len(studies), shard.count):
            console.print(f"part {shard.index + 1} of {shard.count} is done; the last one to end scores all of them")
            return Status.DONE
        answers = read_parts(folder, shard.count)
        return _report(Test(config, finished, run, manifest, studies, plan), answers, watch)


@dataclass(frozen=True)
class Test:
    """What is tested on what, where the result goes, and the registered plan with its hash."""

    config: EvaluateConfig
    finished: FinishedRun
    run: RunFolder
    manifest: Manifest
    studies: list[Study]
    plan: tuple[Plan, str] | None = None


def _report(test: Test, answers: CohortFindings, watch: Stopwatch) -> Status:
    config, finished, run, manifest, studies = test.config, test.finished, test.run, test.manifest, test.studies
    notes = seen_note(finished, studies)
    title = f"{finished.model.name}: evaluation"
    details = model_facts(finished.identity)
    test_run = TestRun(finished.model, finished.identity, title, notes, finished.internal_centers, test.plan, details)
    tested = report_test(test_run, manifest, answers, config.test, run)
    watch.lap("scoring")
    status = Skipped(answers.skipped).report(run.root)
    facts = {"command": "evaluate", "seed": config.seed, "split": config.split, "center": config.center}
    point = {"operating_point_sha256": finished.operating_point.sha256}
    data = RunData(name=manifest.name, sha256=data_hash(studies), studies=tuple(study.id for study in studies))
    record = RunRecord(
        command="evaluate",
        seed=config.seed,
        split=config.split,
        center=config.center,
        operating_point_sha256=finished.operating_point.sha256,
        internal_centers=finished.internal_centers,
        trained_on=finished.trained_on,
        weights_sha256=next(iter(finished.weights_sha256), None),
        data=data,
    )
    write_run_record(run.record, watch, record)
    log_test(config.logger, run, tested, {**facts, **point, "data_sha256": data.sha256})
    show_notes(tested.scores.banner)
    show_scores(tested.scores)
    console.print(f"report: {run.report}")
    return status


def in_plane(finished: FinishedRun, plane: str | None) -> FinishedRun:
    """The run with its detector of one plane alone; as it is without a plane.

    Raises:
        InputError: it has none for that plane.
    """
    if plane is None:
        return finished
    detectors = {p: detector for p, detector in finished.model.detectors.items() if p.value == plane}
    if not detectors:
        known = ", ".join(p.value for p in finished.model.detectors)
        raise InputError(f"plane={plane}: the run {finished.model.name!r} reads {known}")
    return replace(finished, model=replace(finished.model, detectors=detectors))


def chosen(manifest: Manifest, split: str | None, center: str | None = None) -> list[Study]:
    """The studies to test on; a null split counts as test.

    Raises:
        InputError: there is none.
    """
    centers = sorted({study.center for study in manifest.studies})
    if center not in (None, *centers):
        raise InputError(f"center={center}: manifest {manifest.name!r} has the centres {', '.join(centers)}")
    used = [study for study in manifest.studies if study.excluded is None and center in (None, study.center)]
    found = [study for study in used if is_of_split(study.split, split)]
    if not found:
        raise InputError(f"manifest {manifest.name!r} has no study of split {split or 'any'} that is not excluded")
    return found


def refuse_other_data(finished: FinishedRun, manifest: Manifest) -> None:
    """Refuse a cohort that the run was not made for.

    Raises:
        InputError: the run finds a category that the manifest does not have.
    """
    missing = sorted(set(finished.model.categories) - set(manifest.categories))
    if missing:
        raise InputError(
            f"the run finds {missing}, which manifest {manifest.name!r} does not list among its categories "
            f"{list(manifest.categories)}; name them with categories={{{manifest.categories[0]}: {missing[0]}}}, "
            "or take another run"
        )
