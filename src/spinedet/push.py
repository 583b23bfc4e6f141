"""`python -m spinedet.push out=FOLDER url=URL`: DICOM documents to a PACS over DICOMweb (STOW-RS)."""

from __future__ import annotations

from dataclasses import dataclass

from omegaconf import MISSING

from spinedet.cli.app import register, run_as_script, run_command
from spinedet.cli.settings import CommonConfig


@dataclass
class PushConfig(CommonConfig):
    """Documents to send.

    Attributes:
        out: the folder that `predict` or `deliver` filled; what lies in its `dicom/` is sent.
        url: http(s)://HOST/dicom-web; nothing is sent to any other address.
        dry_run: list what would be sent, and send nothing.
        auth: name of the environment variable that holds the value of the Authorization header, if one is needed.
    """

    out: str = MISSING
    url: str = MISSING
    dry_run: bool = True
    auth: str = "SPINEDET_DICOMWEB_AUTH"


def main() -> None:
    """Entry point."""
    register(PushConfig, "push")
    run_command("push", "spinedet.commands.push:push")


if __name__ == "__main__":
    run_as_script("push")
