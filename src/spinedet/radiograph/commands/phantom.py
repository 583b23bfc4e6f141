"""`python -m spinedet.radiograph.phantom`: simulate radiographs with implants, scoliosis or fractures."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from spinedet.cli import tracking
from spinedet.cli.console import console
from spinedet.cli.exit_status import Status
from spinedet.cli.output_folder import claim_output
from spinedet.cli.progress import progress_bar
from spinedet.core.errors import InputError
from spinedet.radiograph.phantom import RadiographPhantomConfig
from spinedet.simulation.radiograph.cohort import check_cohort, draw_radiographs, holds_radiographs
from spinedet.simulation.radiograph.settings import RadiographCohort, RadiographGroup
from spinedet.simulation.radiograph.shipped import SHIPPED
from spinedet.simulation.radiograph.tasks import TASKS


def phantom(config: RadiographPhantomConfig) -> Status:
    """Draw the cohort, or each task of a shipped one into a folder of its own."""
    cohorts = _cohorts(config)
    for cohort in cohorts:
        check_cohort(cohort)
    folders = _folders(config, cohorts)
    studies = 0
    for cohort, folder in zip(cohorts, folders, strict=True):
        with progress_bar(f"drawing {cohort.task}") as progress:
            manifest = draw_radiographs(cohort, folder, config.processes, progress)
        count = sum(group.studies for group in cohort.groups)
        studies += count
        centers = ", ".join(dict.fromkeys(group.center for group in cohort.groups))
        console.print(f"{count} studies of centre {centers}; no patients, nothing clinical\n{manifest}")
    tracking.log_metrics(config.logger, folders[0], {"studies": studies})
    return Status.DONE


def _cohorts(config: RadiographPhantomConfig) -> tuple[RadiographCohort, ...]:
    if config.cohort not in (*TASKS, *SHIPPED):
        raise InputError(f"cohort={config.cohort} is unknown; choose one of {', '.join((*TASKS, *SHIPPED))}")
    group = RadiographGroup(config.center, config.split, config.studies, config.only)
    name = f"phantom-{config.cohort}-{config.center}"
    chosen = SHIPPED.get(config.cohort, (RadiographCohort(name, config.cohort, [group]),))
    return tuple(
        replace(
            cohort,
            seed=config.seed,
            pixels=config.pixels or cohort.pixels,
            leak=config.leak,
            file=config.file,
            # Of a cohort with several tasks the categories concern one.
            categories=list(config.categories) if len(chosen) == 1 or TASKS[cohort.task].drawn else [],
        )
        for cohort in chosen
    )


def _folders(config: RadiographPhantomConfig, cohorts: tuple[RadiographCohort, ...]) -> list[Path]:
    """One folder per cohort; those that hold the same cohort are continued."""

    def inside(root: Path) -> list[Path]:
        return [root / cohort.task if len(cohorts) > 1 else root for cohort in cohorts]

    if config.out:
        there = inside(Path(config.out))
        if any(holds_radiographs(cohort, folder) for cohort, folder in zip(cohorts, there, strict=True)):
            console.print("continuing with the studies that are there")
            return there
    return inside(claim_output(config, "radiograph.phantom"))
