"""`python -m spinedet.radiograph.phantom`: simulate radiographs with implants, scoliosis or fractures."""

from __future__ import annotations

from dataclasses import dataclass, field

from spinedet.cli.app import register, run_as_script, run_command
from spinedet.cli.settings import CommonConfig
from spinedet.core.errors import InputError
from spinedet.core.types import Split


@dataclass
class RadiographPhantomConfig(CommonConfig):
    """A cohort of simulated radiographs.

    Attributes:
        cohort: the task, implants, scoliosis or fractures; or a shipped cohort, demo, yang2021, mulford2024 or li2024.
        center: whose studies, A, B, C or R; shipped cohorts have their own.
        studies: how many are drawn; shipped cohorts have their own number.
        split: the part that the manifest gives the studies, train, tune or test.
        only: the one label that all studies have, also one that is not the task's (implants: X, Y).
        pixels: height of the images; the shipped cohort's own, or 384, when null.
        leak: chance that a lead letter lies where the label says; a confounder, 0 for none.
        categories: of scoliosis that are the labels, out of plain, brace, fusion, growing, tether and hooks; the first
            five when empty.
        file: of the images, png (16 bit) or dicom (DX).
    """

    cohort: str = "implants"
    center: str = "A"
    studies: int = 20
    split: str = "test"
    only: str | None = None
    pixels: int | None = None
    leak: float = 0.0
    categories: list[str] = field(default_factory=list)
    file: str = "png"

    def __post_init__(self) -> None:
        if self.studies < 1:
            raise InputError(f"studies={self.studies}: draw at least one")
        if self.split not in {split.value for split in Split}:
            raise InputError(f"split={self.split}: use train, tune or test")


def main() -> None:
    """Entry point."""
    register(RadiographPhantomConfig, "radiograph.phantom")
    run_command("radiograph.phantom", "spinedet.radiograph.commands.phantom:phantom")


if __name__ == "__main__":
    run_as_script("radiograph.phantom")
