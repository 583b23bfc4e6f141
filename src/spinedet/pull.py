"""`python -m spinedet.pull study=URL`: a study from a PACS over DICOMweb, stripped of the patient, with its series."""

from __future__ import annotations

from dataclasses import dataclass, field

from omegaconf import MISSING

from spinedet.cli.app import register, run_as_script, run_command
from spinedet.cli.settings import CommonConfig
from spinedet.imaging.settings import SelectionRules


@dataclass
class PullConfig(CommonConfig):
    """A study to pull.

    Attributes:
        study: http(s)://HOST/dicom-web/studies/STUDY_UID.
        auth: name of the environment variable that holds the value of the Authorization header, if one is needed.
        dicom: how series will be chosen, for the table; `dicom.salt` keeps pseudonyms stable between pulls.
    """

    study: str = MISSING
    auth: str = "SPINEDET_DICOMWEB_AUTH"
    dicom: SelectionRules = field(default_factory=SelectionRules)


def main() -> None:
    """Entry point."""
    register(PullConfig, "pull")
    run_command("pull", "spinedet.commands.pull:pull")


if __name__ == "__main__":
    run_as_script("pull")
