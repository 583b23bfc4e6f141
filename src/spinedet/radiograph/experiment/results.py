"""What the steps of the study of radiographs left behind, scored together for each task."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from spinedet.core.files import sha256
from spinedet.core.radiograph import RadiographManifest, read_radiograph_cohort
from spinedet.core.radiograph.readings import Readings, read_readings, write_readings
from spinedet.core.types import Split
from spinedet.radiograph.experiment.metadata_baseline import read_metadata
from spinedet.radiograph.experiment.plan import step_name
from spinedet.radiograph.experiment.simulated_readers import simulate_reader
from spinedet.radiograph.experiment.sizes import AlgorithmConfig, TaskSize
from spinedet.radiograph.published import PUBLISHED
from spinedet.report.radiograph_study_page import TaskResults, Trained
from spinedet.runs.claimed_folder import RunFolder
from spinedet.runs.provenance import read_run_record
from spinedet.runs.steps import Outcome
from spinedet.scoring import BootstrapSettings
from spinedet.scoring.classification.records import LabelScores, write_label_scores
from spinedet.scoring.classification.report import Contestant, LabelSettings, score_readings


@dataclass(frozen=True)
class Collection:
    """Where the steps' results lie, how each step ended, and how they are scored.

    Attributes:
        root: of the study. outcomes: by name of the step. seeds: the pages of the tasks are about the first.
    """

    root: Path
    outcomes: Mapping[str, Outcome]
    seeds: Sequence[int]
    bootstrap: BootstrapSettings

    def folder(self, task: TaskSize, algorithm: AlgorithmConfig, seed: int) -> RunFolder | None:
        """The finished run of a training, or None where it broke."""
        name = step_name(task, algorithm, seed)
        return RunFolder(self.root / "steps" / name) if self.outcomes[name].good else None


def collect(task: TaskSize, path: Path, where: Collection) -> TaskResults:
    """The scores of a task; algorithms and readers beside each other, baselines for themselves."""
    manifest = read_radiograph_cohort([path])
    studies = tuple(study for study in manifest.studies if study.split is Split.TEST)
    test = manifest.model_copy(update={"studies": studies})
    settings = LabelSettings("test", _internal(manifest), where.bootstrap)
    home = where.root / "scores" / manifest.task.name
    readers = [_kept(simulate_reader(test, one, where.seeds[0]), home) for one in task.readers]
    by_seed = {
        seed: found
        for seed in where.seeds
        if (found := _scored(test, task, where, seed, settings, readers)) is not None
    }
    baselines = [_kept(read_metadata(manifest), home), *_readings(task, task.baselines, where, where.seeds[0])]
    floors = score_readings(test, baselines[0], baselines[1:], settings)
    for name, scores in (*((f"seed{seed}", one) for seed, one in by_seed.items()), ("baselines", floors)):
        write_label_scores(home / f"{name}.json", scores)
    return TaskResults(
        manifest=manifest,
        internal=_internal(manifest) or "",
        by_seed=by_seed,
        baselines=floors,
        leaks=task.leaks,
        trained=tuple(_trained(task, where)),
        published=PUBLISHED.get(manifest.task.name),
    )


def _internal(manifest: RadiographManifest) -> str | None:
    """The centre that the networks are developed at, if it is one."""
    centers = {study.center for study in manifest.studies if study.split is not Split.TEST}
    return centers.pop() if len(centers) == 1 else None


def _scored(
    test: RadiographManifest,
    task: TaskSize,
    where: Collection,
    seed: int,
    settings: LabelSettings,
    readers: Sequence[Contestant],
) -> LabelScores | None:
    """The algorithms of one seed; readers, who have no seed, stand beside the first. None where all broke."""
    found = [*_readings(task, task.algorithms, where, seed), *(readers if seed == where.seeds[0] else ())]
    if all(one.readings.by_reader for one in found):
        return None
    return score_readings(test, found[0], found[1:], settings)


def _readings(task: TaskSize, algorithms: Sequence[AlgorithmConfig], where: Collection, seed: int) -> list[Contestant]:
    runs = [run for one in algorithms if (run := where.folder(task, one, seed)) is not None]
    return [Contestant(read_readings(run.root / "readings.json"), run.root.name) for run in runs]


def _kept(readings: Readings, folder: Path) -> Contestant:
    """Readings that no step wrote, beside the scores."""
    write_readings(folder / f"{readings.name}.json", readings)
    return Contestant(readings, readings.name)


def _trained(task: TaskSize, where: Collection) -> Sequence[Trained]:
    found = []
    for seed in where.seeds:
        for algorithm in (*task.algorithms, *task.baselines):
            run = where.folder(task, algorithm, seed)
            if run is None:
                continue
            record = read_run_record(run.record)
            model = read_readings(run.root / "readings.json").model
            point = sha256(run.operating_point)
            found.append(
                Trained(
                    name=algorithm.name,
                    seed=seed,
                    steps=sum(length.steps for length in record.trainings.values()),
                    seconds=record.stage_seconds,
                    operating_point=point,
                    frozen=model.get("operating_point_sha256") == point,
                )
            )
    return found
