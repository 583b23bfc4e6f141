"""`python -m spinedet.radiograph.train +experiment=implants`: train, freeze the operating point, test, report."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from spinedet.cli.console import console
from spinedet.cli.exit_status import Status
from spinedet.cli.output_folder import output_folder, requeued
from spinedet.cli.progress import progress_bar
from spinedet.cli.sweep_jobs import job_number
from spinedet.core.errors import InputError
from spinedet.core.files import write_json
from spinedet.core.radiograph import RadiographManifest, RadiographStudy, phantom_note, read_radiograph_cohort
from spinedet.radiograph.classifier import ImageClassifier, save_classifier
from spinedet.radiograph.development import Developed, Development, develop
from spinedet.radiograph.finished import FinishedClassification, identify_classifier, open_classification
from spinedet.radiograph.image_readings import choose_label_operating_point
from spinedet.radiograph.images import Preparation, PreparedImage, prepare_images, unfit
from spinedet.radiograph.models.weights import Start
from spinedet.radiograph.phantom_weights import PHANTOMS
from spinedet.radiograph.recipe_search import check_search
from spinedet.radiograph.single_vertebrae import refuse_focus
from spinedet.radiograph.splits import Parted, cohort_digest, part_studies, radiograph_participants
from spinedet.radiograph.testing import TestCase, report_test
from spinedet.radiograph.train import RadiographTrainConfig
from spinedet.radiograph.trainer import Recipe, reading_device
from spinedet.runs.claimed_folder import RunFolder, claim_run, refuse_other_config, write_config
from spinedet.runs.provenance import (
    InitialRun,
    PretrainedWeights,
    ReusedWeights,
    RunData,
    RunRecord,
    SplitIds,
    Stopwatch,
    write_run_record,
)
from spinedet.scoring.classification.operating_point import write_label_operating_point
from spinedet.training.callbacks import TrainingProgress
from spinedet.training.preemption import listening_for_signals


@dataclass(frozen=True, slots=True)
class _Given:
    """The recipe of the networks, and the run that they begin with."""

    recipe: Recipe
    initial: FinishedClassification | None


def train(config: RadiographTrainConfig) -> Status:
    """The main job, from manifests to a report."""
    watch = Stopwatch()
    _refuse_several_devices(config)
    recipe = Recipe(config.network, config.augment, config.learning, config.trainer)
    check_search(config.search, recipe)
    initial = open_classification(config.init, "init") if config.init else None
    run = claim_run(output_folder(config, "radiograph.train"), config.resume or requeued())
    if run.finished:
        console.print(f"the run in {run.root} is finished; there is nothing to resume")
        return Status.DONE
    refuse_other_config(run, config)
    write_config(run, config)
    manifest = _cohort(config, run.root)
    refuse_focus(manifest.task, config.input)
    parted = part_studies(manifest, (config.data.tune, config.data.test), config.seed)
    write_json(run.splits, parted.record)
    how = Preparation(manifest.task, config.input)
    images = {name: _prepared(getattr(parted, name), how, config.processes, name) for name in ("train", "tune", "test")}
    watch.lap("images")

    developed = _develop(config, _Given(recipe, initial), manifest, run, images["train"])
    classifier = developed.classifier
    save_classifier(run.model, classifier)
    classifier = classifier.to(reading_device(config.trainer))
    watch.lap("training")

    point = choose_label_operating_point(classifier, images["tune"], config.rule, config.rejection)
    write_label_operating_point(run.operating_point, point)
    watch.lap("tuning")

    model = identify_classifier(classifier, run.model, point)
    finished = FinishedClassification(classifier, point, model, centers=parted.centers)
    tested = "test" if parted.test else "tune"
    studies = parted.test or parted.tune
    case = TestCase(
        finished=finished,
        manifest=manifest.model_copy(update={"studies": studies}),
        images=images[tested],
        notes=_notes(parted, developed),
        facts=tuple(_facts(config, parted, images, developed)),
        internal=parted.centers[0] if len(parted.centers) == 1 else None,
    )
    report_test(case, config.test, run.root, config.logger)
    watch.lap("testing")
    known = {"weights_sha256": str(model["weights_sha256"]), "operating_point_sha256": point.sha256}
    record = _record(config, manifest, parted, developed, initial)
    write_run_record(run.record, watch, record.model_copy(update=known))
    console.print(f"report: {run.report}")
    return unfit([one for each in images.values() for one in each]).report(run.root)


def _refuse_several_devices(config: RadiographTrainConfig) -> None:
    if config.trainer.devices not in ("auto", 1) or config.trainer.num_nodes != 1:
        raise InputError(
            "radiographs are trained on one device; leave trainer.devices and trainer.num_nodes as they are"
        )


def _cohort(config: RadiographTrainConfig, root: Path) -> RadiographManifest:
    """The manifests, or the phantoms of the experiment, which are drawn on first use."""
    if config.data.manifests:
        return read_radiograph_cohort([Path(path) for path in config.data.manifests])
    from spinedet.simulation.radiograph.cohort import draw_radiographs  # SciPy, and only needed to draw
    from spinedet.simulation.radiograph.shipped import SHIPPED

    cohorts = {cohort.task: cohort for cohort in SHIPPED["demo"]}
    if config.data.phantoms not in cohorts:
        raise InputError(f"data.phantoms={config.data.phantoms}: choose one of {', '.join(cohorts)}")
    with progress_bar(f"drawing {config.data.phantoms}") as progress:
        path = draw_radiographs(cohorts[config.data.phantoms], root / "cohort", config.processes, progress)
    return read_radiograph_cohort([path])


def _prepared(studies: Sequence[RadiographStudy], how: Preparation, processes: int, name: str) -> list[PreparedImage]:
    items = [(study, image) for study in studies for image in study.used]
    with progress_bar(f"reading {name}") as progress:
        return prepare_images(items, how, processes, progress)


def _develop(
    config: RadiographTrainConfig,
    given: _Given,
    manifest: RadiographManifest,
    run: RunFolder,
    train: Sequence[PreparedImage],
) -> Developed:
    with listening_for_signals() as stop, _training_bar() as report:
        job = Development(
            name=config.name,
            task=manifest.task,
            input=config.input,
            recipe=given.recipe,
            search=config.search,
            initial=given.initial,
            per_view=config.per_view,
            neighbours=config.rejection.neighbours,
            checkpoints=run.checkpoints,
            run=run.root,
            logger=config.logger,
            seed=config.seed,
            stop=stop,
            on_progress=report,
        )
        return develop(job, train)


@contextmanager
def _training_bar() -> Iterator[Any]:
    with progress_bar("training") as bar:

        def report(name: str, progress: TrainingProgress) -> None:
            bar(round(100 * progress.share), 100)

        yield report


def _notes(parted: Parted, developed: Developed) -> tuple[str, ...]:
    found = tuple(note for name, length in developed.lengths.items() for note in length.notes(name))
    if any(start is not None and start.source == PHANTOMS for start in developed.starts.values()):
        begun = "The networks began with weights that were taught on simulated radiographs."
        simulated = phantom_note(parted.test or parted.tune)
        found = (*found, f"{begun} For them these test images are in-domain." if simulated else begun)
    if parted.test:
        return found
    untested = "There were no test studies: these numbers are of the tuning split, on which the threshold was chosen."
    return (*found, untested)


def _facts(
    config: RadiographTrainConfig, parted: Parted, images: dict[str, list[PreparedImage]], developed: Developed
) -> Iterator[tuple[str, str]]:
    for name, each in images.items():
        patients = len({one.patient for one in each})
        yield f"Images of {name}", f"{len(each)} of {patients} patients, parted by patient"
    yield "Developed at", f"centre {', '.join(parted.centers)}"
    network = ", ".join(f"{key}={value}" for key, value in asdict(config.network).items() if key != "weights")
    yield "Network", f"{network}; input {config.input.pixels} pixels of the {config.input.focus}"
    classifier: ImageClassifier = developed.classifier
    for part in classifier.parts:
        start, length = developed.starts[part.name], developed.lengths[part.name]
        began = _described(start) if start else "no pretrained weights"
        yield f"Part {part.name}", f"{part.parameters:,} parameters, {began}, {length.steps} steps"
        if part.name in developed.searches:
            yield f"Search for {part.name}", developed.searches[part.name].description


def _described(start: Start) -> str:
    shipped = ", shipped and taught on simulated radiographs" if start.source == PHANTOMS else ""
    return f"weights {start.sha256[:12]}{shipped}, matched {start.how}"


def _record(
    config: RadiographTrainConfig,
    manifest: RadiographManifest,
    parted: Parted,
    developed: Developed,
    initial: FinishedClassification | None,
) -> RunRecord:
    return RunRecord(
        command="radiograph.train",
        seed=config.seed,
        data=RunData(name=manifest.name, sha256=cohort_digest(manifest)),
        splits=SplitIds(**{name: tuple(ids) for name, ids in parted.record.items()}),
        internal_centers=parted.centers,
        excluded={study.id: study.excluded for study in manifest.studies if study.excluded is not None},
        trainings=developed.lengths,
        init=_begun(initial, developed) if initial else None,
        pretrained={
            name: PretrainedWeights(source=start.source, sha256=start.sha256, matched=start.how)
            for name, start in developed.starts.items()
            if start is not None and initial is None
        },
        parameters={part.name: part.parameters for part in developed.classifier.parts},
        sweep_job=job_number(),
        radiographs=radiograph_participants(
            {name: getattr(parted, name) for name in ("train", "tune", "test")}, manifest.task
        ),
    )


def _begun(initial: FinishedClassification, developed: Developed) -> InitialRun:
    """The run that the networks began with, and how much of each came from it."""
    parts = {}
    for part in developed.classifier.parts:
        start = developed.starts[part.name]
        sizes = {name: one.numel() for name, one in part.network.state_dict().items()}
        taken = start.taken if start else ()
        share = sum(sizes[name] for name in taken) / sum(sizes.values())
        parts[part.name] = ReusedWeights(reused=len(taken), share=share, new=start.anew if start else ())
    return InitialRun(model=initial.classifier.name, operating_point_sha256=initial.point.sha256, planes=parts)
