"""`python -m spinedet.radiograph.evaluate run=RUN data.manifests=[...]`: test a run elsewhere, everything frozen."""

from __future__ import annotations

from pathlib import Path

from spinedet.cli.console import console
from spinedet.cli.exit_status import Status
from spinedet.cli.output_folder import claim_output
from spinedet.cli.progress import progress_bar
from spinedet.core.errors import InputError
from spinedet.core.radiograph import RadiographManifest, read_radiograph_cohort
from spinedet.core.radiograph.manifest import task_difference
from spinedet.radiograph.evaluate import RadiographEvaluateConfig
from spinedet.radiograph.finished import FinishedClassification, open_classification
from spinedet.radiograph.human_readers import read_readers
from spinedet.radiograph.images import Preparation, prepare_images, unfit
from spinedet.radiograph.splits import cohort_digest, radiograph_participants
from spinedet.radiograph.testing import TestCase, report_test
from spinedet.runs.provenance import RunData, RunRecord, Stopwatch, write_run_record
from spinedet.training.device import choose_device


def evaluate(config: RadiographEvaluateConfig) -> Status:
    """Read with everything frozen, score, report."""
    watch = Stopwatch()
    finished = open_classification(config.run).to(choose_device(config.device))
    manifest = _cohort(config, finished)
    readers = tuple(read_readers(config.readers))
    folder = claim_output(config, "radiograph.evaluate")
    classifier = finished.classifier
    how = Preparation(classifier.task, classifier.input, classifier.router)
    items = [(study, image) for study in manifest.studies for image in study.used]
    with progress_bar("reading radiographs") as progress:
        images = prepare_images(items, how, config.processes, progress)
    watch.lap("images")
    case = TestCase(
        finished=finished,
        manifest=manifest,
        images=images,
        notes=finished.seen_note(manifest.studies),
        facts=(("Developed at", f"centre {', '.join(finished.centers) or 'unknown'}"),),
        internal=config.internal,
        readers=readers,
    )
    report_test(case, config.test, folder, config.logger)
    watch.lap("testing")
    record = RunRecord(
        command="radiograph.evaluate",
        seed=config.seed,
        split=config.split,
        data=RunData(name=manifest.name, sha256=cohort_digest(manifest)),
        internal_centers=finished.centers,
        operating_point_sha256=finished.point.sha256,
        parameters={part.name: part.parameters for part in classifier.parts},
        radiographs=radiograph_participants({"test": manifest.studies}, manifest.task),
        weights_sha256=str(finished.model["weights_sha256"]),
    )
    write_run_record(folder / "run.json", watch, record)
    console.print(f"report: {folder / 'report.html'}")
    return unfit(images).report(folder)


def _cohort(config: RadiographEvaluateConfig, finished: FinishedClassification) -> RadiographManifest:
    manifest = read_radiograph_cohort([Path(path) for path in config.data.manifests])
    if (difference := task_difference(finished.classifier.task, manifest.task)) is not None:
        raise InputError(f"{manifest.name}: its task has {difference} than that of run={config.run}")
    # The order of labels is the run's.
    studies = [study for study in manifest.studies if study.is_of(config.split)]
    return manifest.model_copy(update={"task": finished.classifier.task, "studies": tuple(studies)})
