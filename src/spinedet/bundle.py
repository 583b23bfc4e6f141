"""`python -m spinedet.bundle run=RUN to=onnx`: a finished run in the form that another platform takes."""

from __future__ import annotations

from dataclasses import dataclass

from omegaconf import MISSING

from spinedet.cli.app import register, run_as_script, run_command
from spinedet.cli.settings import CommonConfig
from spinedet.core.errors import InputError

TARGETS = ("onnx", "monai")


@dataclass
class BundleConfig(CommonConfig):
    """A run, and for whom.

    Attributes:
        run: folder of a finished run, or `shipped`, the weights of the package. to: onnx or monai.
    """

    run: str = MISSING
    to: str = MISSING

    def __post_init__(self) -> None:
        if self.to not in ("???", *TARGETS):
            raise InputError(f"to={self.to}: use one of {', '.join(TARGETS)}")


def main() -> None:
    """Entry point."""
    register(BundleConfig, "bundle")
    run_command("bundle", "spinedet.commands.bundle:bundle")


if __name__ == "__main__":
    run_as_script("bundle")
