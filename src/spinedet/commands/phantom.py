"""`python -m spinedet.phantom`: draw a phantom cohort, images and manifest, or show how real phantoms look."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

from spinedet.cli import tracking
from spinedet.cli.console import console
from spinedet.cli.exit_status import Status
from spinedet.cli.output_folder import claim_output
from spinedet.cli.progress import progress_bar
from spinedet.core.anatomy import Region
from spinedet.phantom import PhantomConfig
from spinedet.report.phantom_exhibits import phantom_exhibits, real_exhibits
from spinedet.report.realism_page import write_realism
from spinedet.simulation.cohort import draw_cohort, holds_cohort
from spinedet.simulation.gradings import Marginal, compare_gradings, draw_gradings, read_gradings
from spinedet.simulation.prevalence import fitted
from spinedet.simulation.settings import CohortConfig, GroupConfig
from spinedet.simulation.shipped_cohorts import SHIPPED


def phantom(config: PhantomConfig) -> Status:
    """Draw the cohort, or the page."""
    if config.report:
        return _report(config)
    cohort = _cohort(config)
    folder = _folder(config, cohort)
    with progress_bar("drawing phantoms") as progress:
        manifest = draw_cohort(cohort, folder, config.processes, progress)
    studies = sum(group.studies for group in cohort.groups)
    tracking.log_metrics(config.logger, folder, {"studies": studies})
    centers = ", ".join(dict.fromkeys(group.center for group in cohort.groups))
    console.print(f"{studies} studies of centre {centers}; no patients, nothing clinical\n{manifest}")
    return Status.DONE


def _cohort(config: PhantomConfig) -> CohortConfig:
    if config.cohort:
        return replace(SHIPPED[config.cohort], seed=config.seed)
    center = config.center or config.centers[0]
    return CohortConfig(
        name=f"phantom-{config.region}-{center}",
        region=Region(config.region),
        groups=[GroupConfig(center, config.split, config.studies)],
        seed=config.seed,
        style=config.style,
        classes=config.classes,
        coarseness=config.coarseness,
        transitional=config.transitional,
    )


def _folder(config: PhantomConfig, cohort: CohortConfig) -> Path:
    """The output folder; one that holds the same cohort is continued."""
    if config.out and holds_cohort(cohort, Path(config.out)):
        console.print("going on with the studies that are there")
        return Path(config.out)
    return claim_output(config, "phantom")


def _report(config: PhantomConfig) -> Status:
    """Phantoms of all the region's centres beside the real scans under SPINEDET_REAL_DATA."""
    folder = claim_output(config, "phantom")
    root = os.environ.get("SPINEDET_REAL_DATA")
    shown = [name for name in config.centers if len(name) == 1 and name != "I"]
    exhibits = list(phantom_exhibits(shown, min(config.studies, 4), config.seed))
    if root:
        exhibits += real_exhibits(Path(root), Region(config.region))
    page = write_realism(folder, config.region, exhibits, _marginals(root, config))
    console.print(f"no patients, nothing clinical\n{page}")
    return Status.DONE


def _marginals(root: str | None, config: PhantomConfig) -> tuple[Marginal, ...]:
    """Prevalence against the real table, which is of lumbar discs."""
    if not root or config.region != Region.LUMBAR.value:
        return ()
    return compare_gradings(read_gradings(Path(root) / "spider"), draw_gradings(fitted(), 2000, config.seed))
