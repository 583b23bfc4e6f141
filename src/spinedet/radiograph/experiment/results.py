"""What the steps of the study of radiographs left behind, scored together for each task."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from spinedet.core.files import sha256
from spinedet.core.radiograph import RadiographManifest, read_radiograph_cohort
from spinedet.core.radiograph.readings import Readings, read_readings, write_readings
from spinedet.core.types import Split
from spinedet.radiograph.experiment.metadata_baseline import read_metadata
from spinedet.radiograph.experiment.plan import CLEARED, CONFOUNDED, CONTROL, TaskManifests, step_name
from spinedet.radiograph.experiment.simulated_readers import simulate_reader
from spinedet.radiograph.experiment.sizes import AlgorithmConfig, TaskSize
from spinedet.radiograph.experiment.view_pairs import compare_views
from spinedet.radiograph.published import PUBLISHED
from spinedet.report.radiograph_study_results import Confounded, TaskResults, Trained
from spinedet.runs.claimed_folder import RunFolder
from spinedet.runs.provenance import read_run_record
from spinedet.runs.steps import Outcome
from spinedet.scoring import BootstrapSettings
from spinedet.scoring.classification.records import LabelGroup, LabelScores, read_label_scores, write_label_scores
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

    def folder(
        self, task: TaskSize, algorithm: AlgorithmConfig, seed: int, part: str | None = None
    ) -> RunFolder | None:
        """The finished run of a training, or of a test of it on another part; None where it broke or is not planned."""
        name = step_name(task, algorithm, seed, part)
        outcome = self.outcomes.get(name)
        return RunFolder(self.root / "steps" / name) if outcome is not None and outcome.good else None


def collect(task: TaskSize, paths: TaskManifests, where: Collection) -> TaskResults:
    """The scores of a task; algorithms beside each other, baselines for themselves, readers on the control set."""
    manifest = read_radiograph_cohort([paths.cohort])
    test = _test_part(manifest)
    first, internal = where.seeds[0], _internal(manifest)
    settings = LabelSettings("test", internal, where.bootstrap)
    home = where.root / "scores" / manifest.task.name
    by_seed = {
        seed: score_readings(test, found[0], found[1:], settings)
        for seed in where.seeds
        if (found := _readings(task, task.algorithms, where, seed))
    }
    baselines = [_kept(read_metadata(manifest), home), *_readings(task, task.baselines, where, first)]
    floors = score_readings(test, baselines[0], baselines[1:], settings)
    control = _control(task, paths, where, home)
    for name, scores in (*((f"seed{seed}", one) for seed, one in by_seed.items()), ("baselines", floors)):
        write_label_scores(home / f"{name}.json", scores)
    if control is not None:
        write_label_scores(home / "control.json", control)
    return TaskResults(
        manifest=manifest,
        internal=internal or "",
        by_seed=by_seed,
        baselines=floors,
        leaks=task.leaks,
        trained=tuple(_trained(task, where)),
        published=PUBLISHED.get(manifest.task.name),
        control=control,
        views=compare_views(test, _readings(task, task.algorithms, where, first), where.bootstrap),
        confounded=tuple(_confounded(task, where, internal)),
    )


def _test_part(manifest: RadiographManifest) -> RadiographManifest:
    studies = tuple(study for study in manifest.studies if study.split is Split.TEST)
    return manifest.model_copy(update={"studies": studies})


def _internal(manifest: RadiographManifest) -> str | None:
    """The centre that the networks are developed at, if it is one."""
    centers = {study.center for study in manifest.studies if study.split is not Split.TEST}
    return centers.pop() if len(centers) == 1 else None


def _control(task: TaskSize, paths: TaskManifests, where: Collection, home: Path) -> LabelScores | None:
    """Networks of the first seed and readers on the control set; None where there is none, or all networks broke."""
    if paths.control is None:
        return None
    manifest, seed = read_radiograph_cohort([paths.control]), where.seeds[0]
    networks = _readings(task, task.algorithms, where, seed, CONTROL)
    readers = [_kept(simulate_reader(manifest, one, seed), home) for one in task.readers]
    if not networks:
        return None
    return score_readings(
        manifest, networks[0], [*networks[1:], *readers], LabelSettings("test", None, where.bootstrap)
    )


def _confounded(task: TaskSize, where: Collection, internal: str | None) -> Iterator[Confounded]:
    """Each baseline that was trained with the confounder, tested with it and on the same patients without it."""
    for baseline in task.baselines:
        seed = where.seeds[0]
        runs = [where.folder(task, baseline, seed, part) for part in (CONFOUNDED, CLEARED)]
        groups = [_at(read_label_scores(run.root / "scores.json"), internal) for run in runs if run is not None]
        if len(groups) == len(runs):
            yield Confounded(baseline.name, *groups)


def _at(scores: LabelScores, center: str | None) -> LabelGroup:
    """The patients of one centre, or of the only one."""
    own = [one for one in scores.groups if one.by == {"unit": "patient", "center": center}]
    return own[0] if own else scores.group(unit="patient")


def _readings(
    task: TaskSize, algorithms: Sequence[AlgorithmConfig], where: Collection, seed: int, part: str | None = None
) -> list[Contestant]:
    runs = [run for one in algorithms if (run := where.folder(task, one, seed, part)) is not None]
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
