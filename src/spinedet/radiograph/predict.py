"""`python -m spinedet.radiograph.predict run=RUN input=FOLDER`: labels of radiographs, as readings and a registry."""

from __future__ import annotations

from dataclasses import dataclass

from omegaconf import MISSING

from spinedet.cli.app import register, run_as_script, run_command
from spinedet.cli.settings import CommonConfig, check_device


@dataclass
class RadiographPredictConfig(CommonConfig):
    """A run and the radiographs that it reads.

    Attributes:
        run: a finished run of radiograph.train, or its model folder with the operating point beside it.
        input: a radiograph, a folder of them (each subfolder is a study), or a manifest.
        heat_maps: also a PNG of each image with its evidence; pixels outside the crop are not in it.
        device: auto, cpu, cuda or cuda:N; auto takes a GPU where there is one, cpu and GPUs differ by rounding.
    """

    run: str = MISSING
    input: str = MISSING
    heat_maps: bool = False
    device: str = "auto"

    def __post_init__(self) -> None:
        check_device(self.device)


def main() -> None:
    """Entry point."""
    register(RadiographPredictConfig, "radiograph.predict")
    run_command("radiograph.predict", "spinedet.radiograph.commands.predict:predict")


if __name__ == "__main__":
    run_as_script("radiograph.predict")
