"""`python -m spinedet.study`: the seed study, lumbar and its external tests, transfer to the neck, on one page."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from spinedet.cli.console import console
from spinedet.cli.exit_status import Status
from spinedet.cli.output_folder import output_folder
from spinedet.cli.progress import progress_bar
from spinedet.core.files import write_json
from spinedet.experiments.transfer.plan import Sources, plan_study
from spinedet.experiments.transfer.results import collect
from spinedet.report.transfer_page import write_study
from spinedet.runs.claimed_folder import began_with, claim_run, refuse_other_config, write_config
from spinedet.runs.provenance import RunRecord, Stopwatch, write_run_record
from spinedet.runs.steps import take_steps
from spinedet.simulation.cohort import draw_cohort
from spinedet.simulation.settings import CohortConfig
from spinedet.study import StudyConfig


def study(config: StudyConfig) -> Status:
    """Draw both cohorts, take every step that is not finished, and write the page."""
    watch = Stopwatch()
    run = claim_run(output_folder(config, "study"), resume=True)
    # More seeds, or fewer, only add steps to the same study or leave some out.
    refuse_other_config(run, replace(config, seeds=began_with(run, "seeds") or config.seeds))
    write_config(run, config)
    lumbar = _cohort(config.size.lumbar, run.root / "cohorts/lumbar", config.processes)
    cervical = _cohort(config.size.cervical, run.root / "cohorts/cervical", config.processes)
    watch.lap("cohorts")
    sources = Sources(run.root / "steps", lumbar, cervical)
    plan = plan_study(config.size, sources, _common(config), range(config.seed, config.seed + config.seeds))
    outcomes = take_steps(plan.steps, sources.steps, config.steps_at_once)
    watch.lap("steps")
    results = collect(config.size.name, sources, plan, outcomes)
    page = write_study(run.root, results)
    watch.lap("page")
    write_json(run.root / "steps.json", [{**asdict(one), "command": one.step.shown} for one in outcomes])
    write_run_record(run.record, watch, RunRecord(command="study", seed=config.seed))
    console.print(f"page: {page}")
    return Status.DONE if all(one.good for one in outcomes) else Status.FAILED


def _cohort(config: CohortConfig, folder: Path, workers: int) -> Path:
    with progress_bar(f"drawing {config.name}") as advance:
        return draw_cohort(config, folder, workers, advance)


def _common(config: StudyConfig) -> tuple[str, ...]:
    """The options of every step but the seed: the processes, and to log as the study does, in one group."""
    settings: dict[str, Any] = asdict(config.logger)
    words = [f"logger={settings.pop('name')}"]
    workers = 1 if config.steps_at_once > 1 else config.workers
    words += [] if workers is None else [f"workers={workers}"]
    if "group" in settings:
        settings["group"] = settings["group"] or f"study-{config.size.name}-{config.seed}"
    return (*words, *(f"logger.{key}={value}" for key, value in settings.items() if value is not None))
