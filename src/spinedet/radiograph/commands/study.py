"""`python -m spinedet.radiograph.study size=demo`: all three tasks on phantoms, a page each and an index."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from spinedet.cli.console import console
from spinedet.cli.exit_status import Status
from spinedet.cli.output_folder import output_folder
from spinedet.cli.progress import progress_bar
from spinedet.radiograph.experiment.plan import StudyInput, TaskManifests, plan_steps
from spinedet.radiograph.experiment.results import Collection, collect
from spinedet.radiograph.experiment.sizes import TaskSize
from spinedet.radiograph.phantom_weights import names_file
from spinedet.radiograph.study import RadiographStudyConfig
from spinedet.report.radiograph_study_page import write_radiograph_study
from spinedet.report.study_steps import StepLine
from spinedet.runs.claimed_folder import began_with, claim_run, refuse_other_config, write_config
from spinedet.runs.provenance import RunRecord, Stopwatch, write_run_record
from spinedet.runs.steps import take_steps, words_of_every_step, write_outcomes
from spinedet.simulation.radiograph.cohort import draw_radiographs
from spinedet.simulation.radiograph.settings import RadiographCohort


def study(config: RadiographStudyConfig) -> Status:
    """Draw the cohorts, take every step that is not finished, and write the pages."""
    watch = Stopwatch()
    run = claim_run(output_folder(config, "radiograph.study"), resume=True)
    # More seeds or other tasks only add steps to the same study, or leave some out.
    began = {key: found for key in ("seeds", "tasks") if (found := began_with(run, key)) is not None}
    refuse_other_config(run, replace(config, **began))
    write_config(run, config)
    tasks = config.chosen
    manifests = {task.cohort.task: _manifests(task, run.root / "cohorts", config.processes) for task in tasks}
    watch.lap("cohorts")
    seeds = range(config.seed, config.seed + config.seeds)
    weights = str(Path(config.weights).resolve()) if names_file(config.weights) else config.weights
    folder = (run.root / "steps").resolve()
    given = StudyInput(manifests, folder, weights, words_of_every_step(config, config.steps_at_once))
    outcomes = take_steps(plan_steps(tasks, given, seeds), folder, config.steps_at_once)
    watch.lap("steps")
    where = Collection(run.root, {one.step.name: one for one in outcomes}, seeds, config.bootstrap)
    results = [collect(task, manifests[task.cohort.task], where) for task in tasks]
    lines = [StepLine(one.step.name, one.state, one.seconds, one.reason) for one in outcomes]
    page = write_radiograph_study(run.root, config.size, results, lines)
    watch.lap("pages")
    write_outcomes(run.root, outcomes)
    write_run_record(run.record, watch, RunRecord(command="radiograph.study", seed=config.seed))
    console.print(f"page: {page}")
    return Status.DONE if all(one.good for one in outcomes) else Status.FAILED


def _manifests(task: TaskSize, folder: Path, workers: int) -> TaskManifests:
    """Draw what a task needs and the folder does not hold."""
    name = task.cohort.task
    return TaskManifests(
        cohort=_drawn(task.cohort, folder / name, workers),
        control=_drawn(task.control, folder / f"{name}-control", workers) if task.control else None,
        confounded=_drawn(task.confounded, folder / f"{name}-confounded", workers) if task.confounded else None,
    )


def _drawn(cohort: RadiographCohort, folder: Path, workers: int) -> Path:
    with progress_bar(f"drawing {cohort.name}") as advance:
        return draw_radiographs(cohort, folder, workers, advance)
