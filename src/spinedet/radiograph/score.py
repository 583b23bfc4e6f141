"""`python -m spinedet.radiograph.score reference=MANIFEST readings=READINGS`: score labels of networks and readers."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from omegaconf import MISSING

from spinedet.cli.app import register, run_as_script, run_command
from spinedet.cli.settings import CommonConfig
from spinedet.core.errors import InputError
from spinedet.core.types import Split
from spinedet.scoring import BootstrapSettings


@dataclass
class RadiographScoreConfig(CommonConfig):
    """What is scored, and how.

    Attributes:
        reference: one manifest of radiographs, or several in brackets. readings: of the network that the page is about.
        compare: readings of further networks. readers: readings of humans.
        split: train, tune or test; all studies when null. internal: the centre that the others are compared with.
        bootstrap: intervals. pages: scores.html and registry.csv as well.
    """

    reference: Any = MISSING
    readings: str = MISSING
    compare: list[str] = field(default_factory=list)
    readers: list[str] = field(default_factory=list)
    split: str | None = None
    internal: str | None = None
    bootstrap: BootstrapSettings = field(default_factory=BootstrapSettings)
    pages: bool = True

    def __post_init__(self) -> None:
        if self.split not in (None, *(split.value for split in Split)):
            raise InputError(f"split={self.split}: use train, tune or test, or leave it out for all studies")


def main() -> None:
    """Entry point."""
    register(RadiographScoreConfig, "radiograph.score")
    run_command("radiograph.score", "spinedet.radiograph.commands.score:score")


if __name__ == "__main__":
    run_as_script("radiograph.score")
