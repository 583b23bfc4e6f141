"""`python -m spinedet.radiograph.evaluate run=RUN data.manifests=[...]`: test a run elsewhere, everything frozen."""

from __future__ import annotations

from dataclasses import dataclass, field

from omegaconf import MISSING

from spinedet.cli.app import register, run_as_script, run_command
from spinedet.cli.settings import CommonConfig, check_device
from spinedet.core.errors import InputError
from spinedet.core.types import Split
from spinedet.radiograph.cohort_settings import RadiographData
from spinedet.radiograph.train import ClassificationTest


@dataclass
class RadiographEvaluateConfig(CommonConfig):
    """An external test.

    Attributes:
        run: a finished run of radiograph.train, or its model folder with the operating point beside it.
        data: the manifests. split: train, tune or test; all studies when null.
        readers: readings of humans on the same images. internal: the centre that the others are compared with.
        test: how the test is scored.
        device: auto, cpu, cuda or cuda:N; auto takes a GPU where there is one, cpu and GPUs differ by rounding.
    """

    run: str = MISSING
    data: RadiographData = field(default_factory=RadiographData)
    split: str | None = None
    readers: list[str] = field(default_factory=list)
    internal: str | None = None
    test: ClassificationTest = field(default_factory=ClassificationTest)
    device: str = "auto"

    def __post_init__(self) -> None:
        check_device(self.device)
        if self.split not in (None, *(split.value for split in Split)):
            raise InputError(f"split={self.split}: use train, tune or test, or leave it out for all studies")


def main() -> None:
    """Entry point."""
    register(RadiographEvaluateConfig, "radiograph.evaluate")
    run_command("radiograph.evaluate", "spinedet.radiograph.commands.evaluate:evaluate")


if __name__ == "__main__":
    run_as_script("radiograph.evaluate")
