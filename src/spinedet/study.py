"""`python -m spinedet.study`: the seed study, lumbar and its external tests, transfer to the neck, on one page."""

from __future__ import annotations

from dataclasses import dataclass

from omegaconf import MISSING

from spinedet.cli.app import register, run_as_script, run_command
from spinedet.cli.settings import CommonConfig
from spinedet.core.errors import InputError
from spinedet.experiments.transfer.sizes import SIZES, SizeConfig


@dataclass
class StudyConfig(CommonConfig):
    """The study.

    Attributes:
        size: how many phantoms, how long trainings; `demo` or `yi2023`.
    """

    size: SizeConfig = MISSING

    def __post_init__(self) -> None:
        if self.size.compared not in self.size.patients:
            raise InputError(f"size.compared={self.size.compared} must be one of size.patients={self.size.patients}")


def main() -> None:
    """Entry point."""
    register(StudyConfig, "study", {"size": SIZES})
    run_command("study", "spinedet.commands.study:study")


if __name__ == "__main__":
    run_as_script("study")
