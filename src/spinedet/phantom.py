"""`python -m spinedet.phantom`: draw a phantom cohort, images and manifest, or show how real phantoms look."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path

from spinedet.cli import tracking
from spinedet.cli.app import CommonConfig, Status, claim_output, console, register, run_command
from spinedet.cli.progress import progress_bar
from spinedet.core.anatomy import Region
from spinedet.core.errors import InputError
from spinedet.core.types import Split
from spinedet.report.phantom_exhibits import phantom_exhibits, real_exhibits
from spinedet.report.realism_page import write_realism
from spinedet.simulation.centers import CENTERS
from spinedet.simulation.cohort import draw_cohort, holds_cohort
from spinedet.simulation.gradings import Marginal, compare_gradings, draw_gradings, read_gradings
from spinedet.simulation.prevalence import fitted
from spinedet.simulation.settings import CohortConfig, GroupConfig
from spinedet.simulation.shipped_cohorts import SHIPPED


@dataclass
class PhantomConfig(CommonConfig):
    """A cohort of one centre, or one that ships with the package.

    Attributes:
        region: lumbar or cervical.
        center: whose studies; the region's first when null.
        split: the part that the manifest gives the studies.
        style: what a box covers, `disc` or `focal`.
        classes: `one` category, or the `types` of degeneration apart.
        coarseness: multiplies the stored in-plane pixels.
        cohort: the name of a shipped cohort, which is then drawn instead.
        report: draw no cohort, but a page that shows phantoms of all centres beside the real scans at hand.
    """

    region: str = "lumbar"
    center: str | None = None
    studies: int = 20
    split: str = "test"
    style: str = "disc"
    classes: str = "one"
    coarseness: float = 1.0
    cohort: str | None = None
    report: bool = False

    def __post_init__(self) -> None:
        if self.region not in {region.value for region in Region}:
            raise InputError(f"region={self.region}: use lumbar or cervical")
        if self.center not in (None, *CENTERS):
            raise InputError(f"center={self.center}: the phantom centres are {sorted(CENTERS)}")
        if self.studies < 1:
            raise InputError(f"studies={self.studies}: draw at least one")
        if self.split not in {split.value for split in Split}:
            raise InputError(f"split={self.split}: use train, tune or test")
        if self.cohort not in (None, *SHIPPED):
            raise InputError(f"cohort={self.cohort}: the shipped cohorts are {sorted(SHIPPED)}")

    @property
    def centers(self) -> list[str]:
        """Names of the region's centres."""
        return [name for name, center in CENTERS.items() if center.region is Region(self.region)]


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
    )


def _folder(config: PhantomConfig, cohort: CohortConfig) -> Path:
    """The output folder; one that holds the same cohort is gone on with."""
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


def main() -> None:
    """Entry point."""
    register(PhantomConfig, "phantom")
    run_command("phantom", phantom)


if __name__ == "__main__":
    main()
