"""`python -m spinedet.phantom`: draw a phantom cohort, images and manifest, or show how real phantoms look."""

from __future__ import annotations

from dataclasses import dataclass

from spinedet.cli.app import register, run_as_script, run_command
from spinedet.cli.settings import CommonConfig
from spinedet.core.anatomy import Region
from spinedet.core.errors import InputError
from spinedet.core.types import Split
from spinedet.simulation.centers import CENTERS
from spinedet.simulation.shipped_cohorts import SHIPPED


@dataclass
class PhantomConfig(CommonConfig):
    """A cohort of one centre, or one that ships with the package.

    Attributes:
        region: lumbar or cervical.
        center: whose studies; the region's first when null.
        studies: how many are drawn.
        split: the part that the manifest gives the studies.
        style: what a box covers, `disc` or `focal`.
        classes: `one` category, or the `types` of degeneration apart.
        coarseness: multiplies the stored in-plane pixels.
        transitional: share of lumbar patients with a sixth lumbar or a sacralised fifth vertebra, 0 to 1; 12 % when
            null.
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
    transitional: float | None = None
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


def main() -> None:
    """Entry point."""
    register(PhantomConfig, "phantom")
    run_command("phantom", "spinedet.commands.phantom:phantom")


if __name__ == "__main__":
    run_as_script("phantom")
