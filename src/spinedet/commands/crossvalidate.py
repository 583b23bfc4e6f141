"""`python -m spinedet.crossvalidate data.manifests=[...]`: every patient tested by detectors that never saw it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from spinedet.cli.console import console, results, show_notes
from spinedet.cli.exit_status import Skipped, Status
from spinedet.cli.output_folder import claim_output
from spinedet.core.anatomy import Plane
from spinedet.core.errors import InputError
from spinedet.core.files import read_json, sha256, write_json, write_text
from spinedet.core.findings import read_findings
from spinedet.core.manifest import phantom_note, read_manifest, read_manifests
from spinedet.core.types import Findings, Manifest, Study
from spinedet.crossvalidate import CrossvalidateConfig
from spinedet.detection.device import batch_for
from spinedet.detection.inference import Effort
from spinedet.detection.trainer import Settings
from spinedet.pipelines.cross_validation import (
    POOLED,
    CrossValidation,
    fold_folder,
    group_folds,
    patient_folds,
    pooled,
    recorded_folds,
    run_folds,
    thresholds_of,
    train_on_all,
)
from spinedet.pipelines.score_cross_validation import Result, kinds_table, markdown
from spinedet.pipelines.score_cross_validation import results as score_contenders
from spinedet.pipelines.splits import data_hash, fewer, findings_on, only
from spinedet.runs.claimed_folder import RunFolder, write_config
from spinedet.runs.provenance import RunData, RunRecord, Stopwatch, write_run_record
from spinedet.runs.run_folder import FinishedRun, open_run
from spinedet.scoring.cross_validated import FILE, CrossValidationResults, crossed_over, write_cross_validation
from spinedet.scoring.matching.criteria import criterion_record
from spinedet.training.device import choose_device
from spinedet.training.length import has_length, read_length

EVERYTHING = "all studies"


def crossvalidate(config: CrossvalidateConfig) -> Status:
    """Train and test every fold, then score all patients together."""
    watch = Stopwatch()
    manifest = _manifest(config)
    folder = _folder(config, manifest)
    initial = _initial(config.init, manifest.studies) if config.init else None
    task = _task(config, manifest, folder, initial)
    others = _beside(config, task)
    prepared = task.prepared()
    for seed in config.seeds:
        for number, name in enumerate(run_folds(task, prepared, seed), start=1):
            console.print(f"seed {seed}: {name} is finished, {number} of {len(task.plan.every)}")
    findings = [pooled(task, seed) for seed in config.seeds]
    read = {study.id for study in findings[0].studies}
    reference = only(manifest, (study for study in manifest.studies if study.id in read))
    contenders = {folder.name: findings, **others}
    scored = {name: _scored(part, contenders, config) for name, part in _parts(config, task, reference).items()}
    notes = [*phantom_note(manifest.studies), *(initial.as_initial.sentences if initial else ())]
    tables = "\n".join(f"## {name}\n\n{markdown(found)}" for name, found in scored.items())
    tables += kinds_table(reference, findings)
    write_cross_validation(folder / FILE, _results(config, task, reference, scored, notes))
    write_text(folder / "crossvalidation.md", "".join(f"**{note}**\n\n" for note in notes) + tables)
    show_notes(notes)
    results.print(tables)
    if config.final:
        console.print(f"run: {train_on_all(task, prepared, config.seeds[0])}")
    write_config(RunFolder(folder), config)
    write_run_record(RunFolder(folder).record, watch, _run_record(config, task))
    return Skipped(prepared.skipped).report(folder)


def _results(
    config: CrossvalidateConfig,
    task: CrossValidation,
    reference: Manifest,
    scored: Mapping[str, list[Result]],
    notes: Sequence[str],
) -> CrossValidationResults:
    return CrossValidationResults(
        folds={fold.name: tuple(sorted(fold.test)) for fold in task.plan.tested},
        thresholds={str(seed): thresholds_of(task, seed) for seed in config.seeds},
        results=tuple(one.record for one in scored[EVERYTHING]),
        parts={name: tuple(one.record for one in found) for name, found in scored.items() if name != EVERYTHING},
        notes=tuple(notes),
        name=task.manifest.name,
        patients=len({study.patient for study in reference.studies}),
        plane=config.plane,
        by=config.by,
        rule=config.rule,
        criterion=dict(criterion_record(config.criterion)),
        bootstrap=config.bootstrap.record,
        participants=crossed_over(reference.studies, [config.plane]),
    )


def _run_record(config: CrossvalidateConfig, task: CrossValidation) -> RunRecord:
    """What the command ran with; a study that is left out has its reason, a training its length."""
    crossed = {study.id for study in task.manifest.studies}
    whole = read_manifests([Path(path) for path in config.data.manifests])
    checkpoints = {
        f"seed {seed}, {fold.name}": fold_folder(task, fold, seed) / "checkpoints"
        for seed in config.seeds
        for fold in task.plan.every
    }
    return RunRecord(
        command="crossvalidate",
        seed=config.seed,
        data=RunData(name=task.manifest.name, sha256=data_hash(task.manifest.studies)),
        excluded={
            study.id: study.excluded or f"no {config.plane} series"
            for study in whole.studies
            if study.id not in crossed
        },
        trainings={name: read_length(folder) for name, folder in checkpoints.items() if has_length(folder)},
    )


def _parts(config: CrossvalidateConfig, task: CrossValidation, reference: Manifest) -> dict[str, Manifest]:
    """Everything; the studies of each manifest, where there are several; those of each group that `by` tests."""
    manifests = [read_manifest(Path(path)) for path in config.data.manifests]
    parts = {EVERYTHING: reference}
    for one in manifests if len(manifests) > 1 else ():
        ids = {study.id for study in one.studies}
        parts[one.name] = only(reference, (study for study in reference.studies if study.id in ids))
    for fold in task.plan.tested if config.by else ():
        parts[fold.name] = only(reference, (study for study in reference.studies if study.patient in fold.test))
    return {name: part for name, part in parts.items() if part.studies}


def _scored(
    reference: Manifest, contenders: Mapping[str, Sequence[Findings]], config: CrossvalidateConfig
) -> list[Result]:
    findings = {name: [findings_on(each, reference) for each in several] for name, several in contenders.items()}
    return score_contenders(reference, findings, config.criterion, config.bootstrap)


def _beside(config: CrossvalidateConfig, task: CrossValidation) -> dict[str, list[Findings]]:
    """The pooled findings of each seed of other cross-validations, by the names of their folders.

    Raises:
        InputError: a folder holds no finished cross-validation, or one of other folds.
    """
    found = {}
    folds = {fold.name: sorted(fold.test) for fold in task.plan.tested}
    for path in map(Path, config.beside):
        if not (path / FILE).is_file():
            raise InputError(f"beside={path} has no {FILE}; name the folder of a finished crossvalidate")
        recorded = read_json(path / FILE)
        if recorded["folds"] != folds:
            raise InputError(f"beside={path} tested other patients or folds; cross-validate both with equal settings")
        found[path.name] = [read_findings(path / f"seed-{seed}" / POOLED) for seed in recorded["thresholds"]]
    return found


def _manifest(config: CrossvalidateConfig) -> Manifest:
    """The studies that have a series of the plane."""
    whole = read_manifests([Path(path) for path in config.data.manifests])
    plane = Plane(config.plane)
    used = (
        study
        for study in whole.studies
        if study.excluded is None and any(series.plane is plane for series in study.series)
    )
    manifest = only(whole, used)
    if not manifest.studies:
        raise InputError(f"manifest {whole.name!r} has no {config.plane} series that is not excluded")
    return manifest


def _folder(config: CrossvalidateConfig, manifest: Manifest) -> Path:
    """The output folder; one that holds this cross-validation unfinished is continued."""
    settings = {name: getattr(config, name) for name in ("plane", "folds", "by", "seed", "rule", "init")}
    parts = {name: vars(getattr(config, name)) for name in ("recipe", "augment", "trainer", "data")}
    record = {**settings, "model": repr(config.model), **{k: repr(v) for k, v in parts.items()}}
    if config.fold_file:
        record["fold_file"] = sha256(Path(config.fold_file))
    record["studies"] = data_hash(manifest.studies)
    before = Path(config.out) / "settings.json" if config.out else None
    if before and before.is_file() and read_json(before) == record:
        return before.parent
    folder = claim_output(config, "crossvalidate")
    write_json(folder / "settings.json", record)
    return folder


def _task(
    config: CrossvalidateConfig, manifest: Manifest, folder: Path, initial: FinishedRun | None
) -> CrossValidation:
    studies, plane, device = manifest.studies, Plane(config.plane), choose_device(config.device)
    if config.fold_file:
        plan = recorded_folds(studies, Path(config.fold_file))
    elif config.by:
        plan = group_folds(studies, config.by, config.folds, config.seed)
    else:
        plan = patient_folds(studies, config.folds, config.seed)
    return CrossValidation(
        manifest=manifest,
        plan=plan,
        plane=plane,
        settings=Settings(config.model, config.recipe, config.augment, config.trainer),
        criterion=config.criterion,
        root=folder,
        rule=config.rule,
        extra=_extra(config, manifest),
        extra_weight=config.data.mix_weight,
        initial=initial.model.detectors.get(plane) if initial else None,
        effort=Effort(config.processes, batch_for(config.batch, device)),
        device=device,
    )


def _initial(path: str, studies: Sequence[Study]) -> FinishedRun:
    """The run that every training begins with.

    Raises:
        InputError: the run cannot be opened, or was developed on a study that is crossed over.
    """
    run = open_run(path)
    seen = [study.id for study in studies if run.developed_on(study.id)]
    if seen:
        raise InputError(
            f"init={path} was trained or tuned on {len(seen)} of these {len(studies)} studies, {seen[0]!r} among them: "
            "their results would not be those of unseen patients; begin with a run that never saw them"
        )
    return run


def _extra(config: CrossvalidateConfig, manifest: Manifest) -> tuple[Study, ...]:
    """The studies that every detector learns from as well.

    Raises:
        InputError: a patient or category that does not agree with those that are crossed over.
    """
    if not config.data.mix:
        return ()
    mixed = read_manifests([Path(path) for path in config.data.mix])
    if config.data.mix_patients is not None:
        mixed = fewer(mixed, config.data.mix_patients, config.seed, "data.mix_patients")
    shared = {study.patient for study in manifest.studies} & {study.patient for study in mixed.studies}
    strange = sorted(set(mixed.categories) - set(manifest.categories))
    if shared or strange:
        refused = f"patient {min(shared)!r}" if shared else f"category {strange[0]!r}"
        raise InputError(f"data.mix: {refused} must not be there; mix in other patients with the same categories")
    return tuple(study for study in mixed.studies if study.excluded is None)
