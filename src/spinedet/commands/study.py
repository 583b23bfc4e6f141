"""`python -m spinedet.study`: the seed study, lumbar and its external tests, transfer to the neck, on one page."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from spinedet.cli.console import console
from spinedet.cli.exit_status import Status
from spinedet.cli.output_folder import output_folder
from spinedet.cli.progress import progress_bar
from spinedet.experiments.transfer.plan import Sources, plan_study
from spinedet.experiments.transfer.results import collect
from spinedet.report.transfer_page import write_study
from spinedet.runs.claimed_folder import began_with, claim_run, refuse_other_config, write_config
from spinedet.runs.provenance import RunRecord, Stopwatch, write_run_record
from spinedet.runs.steps import take_steps, words_of_every_step, write_outcomes
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
    words = words_of_every_step(config, config.steps_at_once, f"study-{config.size.name}-{config.seed}")
    plan = plan_study(config.size, sources, words, range(config.seed, config.seed + config.seeds))
    outcomes = take_steps(plan.steps, sources.steps, config.steps_at_once)
    watch.lap("steps")
    results = collect(config.size.name, sources, plan, outcomes)
    page = write_study(run.root, results)
    watch.lap("page")
    write_outcomes(run.root, outcomes)
    write_run_record(run.record, watch, RunRecord(command="study", seed=config.seed))
    console.print(f"page: {page}")
    return Status.DONE if all(one.good for one in outcomes) else Status.FAILED


def _cohort(config: CohortConfig, folder: Path, workers: int) -> Path:
    with progress_bar(f"drawing {config.name}") as advance:
        return draw_cohort(config, folder, workers, advance)
