"""`python -m spinedet.train +experiment=lumbar`: train, fix the operating point, test internally, report."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from spinedet.cli.app import register, run_as_script, run_command
from spinedet.core.anatomy import Plane
from spinedet.core.errors import InputError
from spinedet.detection.settings import MODELS
from spinedet.pipelines.settings import DEVELOPMENT_COHORTS, KEEP, DevelopmentConfig, TestConfig, TrainingConfig
from spinedet.scoring import CRITERIA
from spinedet.training.settings import TRAINERS


@dataclass
class TrainConfig(TrainingConfig):
    """The settings of a training run.

    Attributes:
        name: of the model, as reports and findings print it.
        planes: one detector is trained for each. shared: they learn the same weights, from the scans of all planes.
        rule: how the operating point is chosen on the tuning split. `init` keeps that of the run that is started from.
        resume: go on with the unfinished run in `out`.
    """

    name: str = "spinedet"
    planes: list[str] = field(default_factory=lambda: [plane.value for plane in Plane])
    shared: bool = False
    data: DevelopmentConfig = field(default_factory=DevelopmentConfig)
    test: TestConfig = field(default_factory=TestConfig)
    resume: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        known = [plane.value for plane in Plane]
        if not self.planes or set(self.planes) - set(known) or len(set(self.planes)) < len(self.planes):
            raise InputError(f"planes={self.planes}: name some of {known}, each once")
        if self.shared and len(self.planes) < 2:
            raise InputError(f"shared=true needs several planes, and planes={self.planes}; name more, or leave it out")
        for key, value in {"data.hold_out": self.data.hold_out, "data.mix": self.data.mix}.items():
            if value in ("", [""]):
                raise InputError(f"{key}= is needed; pass it on the command line (see --help)")
        if self.rule == KEEP and not self.init:
            raise InputError(f"rule={KEEP} keeps the operating point of init=RUN, and init= is not given")


def main() -> None:
    """Entry point."""
    groups: dict[str, Mapping[str, Any]] = {
        "model": MODELS,
        "data": DEVELOPMENT_COHORTS,
        "trainer": TRAINERS,
        "criterion": CRITERIA,
    }
    register(TrainConfig, "train", groups)
    run_command("train", "spinedet.commands.train:train")


if __name__ == "__main__":
    run_as_script("train")
