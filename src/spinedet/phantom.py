"""`python -m spinedet.phantom`: draw a phantom cohort, images and manifest."""

from __future__ import annotations

from dataclasses import dataclass

from spinedet import tracking
from spinedet.command import CommonConfig, Status, claim_output, console, register, run_command
from spinedet.core.anatomy import Region
from spinedet.core.errors import InputError
from spinedet.core.types import Split
from spinedet.progress import progress_bar
from spinedet.simulation import CENTERS, CohortConfig, GroupConfig, draw_cohort


@dataclass
class PhantomConfig(CommonConfig):
    """A cohort of one centre.

    Attributes:
        split: the part that the manifest gives the studies.
        style: what a box covers, `disc` or `focal`. coarseness: multiplies the stored in-plane pixels.
    """

    region: str = "lumbar"
    center: str = "A"
    studies: int = 20
    split: str = "test"
    style: str = "disc"
    coarseness: float = 1.0

    def __post_init__(self) -> None:
        if self.region not in {region.value for region in Region}:
            raise InputError(f"region={self.region}: use lumbar or cervical")
        if self.center not in CENTERS:
            raise InputError(f"center={self.center}: the phantom centres are {sorted(CENTERS)}")
        if self.studies < 1:
            raise InputError(f"studies={self.studies}: draw at least one")
        if self.split not in {split.value for split in Split}:
            raise InputError(f"split={self.split}: use train, tune or test")


def phantom(config: PhantomConfig) -> Status:
    """Draw the cohort."""
    folder = claim_output(config, "phantom")
    cohort = CohortConfig(
        name=f"phantom-{config.region}-{config.center}",
        region=Region(config.region),
        groups=[GroupConfig(config.center, config.split, config.studies)],
        seed=config.seed,
        style=config.style,
        coarseness=config.coarseness,
    )
    with progress_bar("drawing phantoms") as progress:
        manifest = draw_cohort(cohort, folder, config.processes, progress)
    tracking.log_metrics(config.logger, folder, {"studies": config.studies})
    console.print(f"{config.studies} studies of centre {config.center}; no patients, nothing clinical\n{manifest}")
    return Status.DONE


def main() -> None:
    """Entry point."""
    register(PhantomConfig, "phantom")
    run_command("phantom", phantom)


if __name__ == "__main__":
    main()
