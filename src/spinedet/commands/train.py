"""`python -m spinedet.train +experiment=lumbar`: train, fix the operating point, test internally, report."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import Any

from spinedet.cli.console import console, show_notes
from spinedet.cli.exit_status import Skipped, Status
from spinedet.cli.output_folder import output_folder, requeued
from spinedet.cli.score_table import show_scores
from spinedet.cli.sweep_jobs import job_number
from spinedet.core.anatomy import Plane
from spinedet.core.files import write_json
from spinedet.core.types import Findings, Manifest
from spinedet.detection.inference import Effort
from spinedet.detection.model_files import Model, save_model
from spinedet.detection.trainer import Settings, reusable_weights
from spinedet.pipelines.launch import on_rank_zero
from spinedet.pipelines.log_test import log_test
from spinedet.pipelines.settings import KEEP
from spinedet.pipelines.splits import Splits, data_hash, develop_on, load_manifest, only, seen_note, trained_on
from spinedet.pipelines.test_detector import TestRun, as_findings, predict_cohort, report_test
from spinedet.pipelines.train_detectors import Job, source_of, train_planes
from spinedet.report.sentences import centers_in_words
from spinedet.runs.claimed_folder import RunFolder, began_with, claim_run, refuse_other_config, write_config
from spinedet.runs.provenance import (
    InitialRun,
    ReusedWeights,
    RunData,
    RunRecord,
    SplitIds,
    Stopwatch,
    model_facts,
    write_run_record,
)
from spinedet.runs.run_folder import FinishedRun, identify, open_run
from spinedet.scoring import (
    BootstrapSettings,
    Criterion,
    ScoreSettings,
    choose_operating_point,
    score,
    write_operating_point,
)
from spinedet.scoring.participants import participants
from spinedet.train import TrainConfig
from spinedet.training.distributed import world_size
from spinedet.training.length import TrainingLength


@on_rank_zero
def train(config: TrainConfig) -> Status:
    """The main job, from manifests to a report."""
    watch = Stopwatch()
    run = claim_run(output_folder(config, "train"), config.resume or requeued())
    if run.finished:
        console.print(f"the run in {run.root} is finished; there is nothing to resume")
        return Status.DONE
    config = _settled(config, run)
    refuse_other_config(run, config)
    initial = open_run(config.init) if config.init else None
    write_config(run, config)
    manifest = load_manifest(config.data, run.root, config.processes)
    splits = develop_on(manifest, config.data, config.seed)
    write_json(run.splits, splits.described)
    watch.lap("data")

    settings = Settings(config.model, config.recipe, config.augment, config.trainer)
    common = (config.criterion, config.logger, config.seed, config.processes, config.shared)
    job = Job(settings, run, manifest, splits, initial.model if initial else None, *common)
    trained = train_planes(job, [Plane(plane) for plane in config.planes])
    detectors = {plane: part.detector for plane, part in trained.items()}
    model = Model(config.name, manifest.region, detectors, trained_on=trained_on(splits, initial))
    save_model(run.model, model)
    taken_over = None if initial is None else _taken_over(initial, model)
    watch.lap("training")

    effort = Effort(config.processes)
    tuned = predict_cohort(model, splits.tune, config.test.min_score, effort)
    read = {study.id for study in tuned.studies}
    reference = only(manifest, (study for study in splits.tune if study.id in read))
    if initial is not None and config.rule == KEEP:
        point = initial.operating_point
    else:
        point = choose_operating_point(reference, as_findings(model, tuned), config.criterion, config.rule)
    write_operating_point(run.operating_point, point)
    watch.lap("tuning")

    tested = predict_cohort(model, splits.test, config.test.min_score, effort) if splits.test else tuned
    identity = identify(model, run.model, point)
    lengths = {job.training(plane): job.length(plane) for plane in detectors}
    notes = (*(n for name, each in lengths.items() for n in each.notes(name)), *_notes(splits, initial))
    facts = {**model_facts(identity), **_training_facts(splits, lengths, model, initial)}
    test_run = TestRun(model, identity, f"{config.name}: test", notes, splits.centers, facts=facts)
    test = report_test(test_run, manifest, tested, config.test, run)
    watch.lap("testing")

    skipped = {study: why for part in trained.values() for study, why in part.skipped.items()}
    status = Skipped(skipped | tuned.skipped | tested.skipped).report(run.root)
    log_test(config.logger, run, test, _settings(config, splits))
    record = _record(config, manifest, splits, taken_over, model)
    tuning_ap = _average_precision(reference, as_findings(model, tuned), config.criterion)
    record = record.model_copy(
        update={"trainings": lengths, "tuning_ap": tuning_ap, "weights_sha256": identity.weights_sha256[0]}
    )
    write_run_record(run.record, watch, record)
    shutil.rmtree(run.cache, ignore_errors=True)
    show_notes(test.scores.banner)
    show_scores(test.scores)
    console.print(f"report: {run.report}")
    return status


def _settled(config: TrainConfig, run: RunFolder) -> TrainConfig:
    """The config with what follows from the machine as a number; a resumed run keeps that of where it began."""
    recipe = config.recipe
    batch = recipe.batch or began_with(run, "recipe.batch") or recipe.scans_a_step(world_size())
    return replace(config, recipe=replace(recipe, batch=batch))


def _notes(splits: Splits, initial: FinishedRun | None) -> tuple[str, ...]:
    known = seen_note(initial, splits.test or splits.tune, "the initial weights") if initial else ()
    if splits.test:
        return known
    untested = "There were no test studies: these numbers are of the tuning split, on which the threshold was chosen."
    return (*known, untested)


def _average_precision(reference: Manifest, found: Findings, criterion: Criterion) -> dict[str, float | None]:
    """That of each plane, which no threshold enters; without intervals, since the tuning split also chose things."""
    settings = ScoreSettings(criterion, bootstrap=BootstrapSettings(samples=0), secondary=(), strata=())
    groups = score(reference, found, settings).groups
    return {str(group.by["plane"]): group.ap.value for group in groups if set(group.by) == {"plane"}}


def _taken_over(initial: FinishedRun, model: Model) -> InitialRun:
    """Which weights of the initial run the detectors began with."""
    planes = {}
    for plane, detector in model.detectors.items():
        source = source_of(initial.model, plane)
        reuse = reusable_weights(detector.network, source.network)
        console.print(
            f"{plane.value}: began with {len(reuse.reused)} of {len(reuse.reused) + len(reuse.fresh)} tensors "
            f"({reuse.share:.1%} of all numbers) of {initial.model.name}"
        )
        planes[plane.value] = ReusedWeights(
            reused=len(reuse.reused), share=round(reuse.share, 4), new=tuple(reuse.fresh)
        )
    point = initial.operating_point.sha256
    return InitialRun(model=initial.model.name, operating_point_sha256=point, planes=planes)


def _settings(config: TrainConfig, splits: Splits) -> dict[str, Any]:
    """What a tracker may know of a run: how it was trained and a hash of its data, no path and no study."""
    parts = {name: asdict(getattr(config, name)) for name in ("model", "recipe", "augment", "trainer", "criterion")}
    chosen = {
        "seed": config.seed,
        "planes": config.planes,
        "shared": config.shared,
        "rule": config.rule,
        "patients": config.data.train_patients,
    }
    counts = {name: len(studies) for name, studies in splits.record.items()}
    parts["recipe"].pop("backbone", None)
    return {**parts, **chosen, "studies": counts, "data_sha256": data_hash(splits.labelled)}


def _record(
    config: TrainConfig, manifest: Manifest, splits: Splits, initial: InitialRun | None, model: Model
) -> RunRecord:
    return RunRecord(
        command="train",
        seed=config.seed,
        data=RunData(name=manifest.name, sha256=data_hash(splits.labelled)),
        splits=SplitIds(
            train=tuple(study.id for study in splits.train),
            tune=tuple(study.id for study in splits.tune),
            test=tuple(study.id for study in splits.test),
        ),
        internal_centers=splits.centers,
        excluded={s.id: s.excluded for s in manifest.studies if s.excluded is not None},
        init=initial,
        trained_on=model.trained_on,
        parameters=_parameters(model),
        sweep_job=job_number(),
        participants=participants(splits.labelled),
    )


def _training_facts(
    splits: Splits, lengths: Mapping[str, TrainingLength], model: Model, initial: FinishedRun | None
) -> dict[str, str]:
    """What the page states of the training."""
    patients = {name: len({study.patient for study in getattr(splits, name)}) for name in ("train", "tune")}
    steps = ", ".join(f"{name} {one.steps} of {one.planned or one.steps}" for name, one in lengths.items())
    places = centers_in_words(splits.centers)
    return {
        "Trained on": f"{patients['train']} patients, tuned on {patients['tune']}, of {places}",
        "Parameters": ", ".join(f"{plane} {number:,}" for plane, number in _parameters(model).items()),
        "Optimisation steps": steps,
        "Initial weights": initial.model.name if initial else "random",
    }


def _parameters(model: Model) -> dict[str, int]:
    """Numbers in each network."""
    networks = {plane.value: detector.network for plane, detector in model.detectors.items()}
    return {plane: sum(one.numel() for one in network.parameters()) for plane, network in networks.items()}
