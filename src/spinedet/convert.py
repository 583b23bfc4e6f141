"""`python -m spinedet.convert source=spider root=DIR`: a public data set, or annotation files, to a manifest."""

from __future__ import annotations

from dataclasses import dataclass

from spinedet.cli.app import register, run_as_script, run_command
from spinedet.cli.conversion_settings import ConversionConfig
from spinedet.datasets.registry import SOURCES


@dataclass
class ConvertConfig(ConversionConfig):
    """A data set, and how its manifest shall look."""


def main() -> None:
    """Entry point."""
    register(ConvertConfig, "convert", {"source": SOURCES})
    run_command("convert", "spinedet.commands.convert:convert")


if __name__ == "__main__":
    run_as_script("convert")
