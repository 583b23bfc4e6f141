"""`python -m spinedet.pull study=URL`: a study from a PACS over DICOMweb, stripped of the patient, with its series."""

from __future__ import annotations

import os
from dataclasses import dataclass, field

from omegaconf import MISSING

from spinedet.cli import tracking
from spinedet.cli.app import CommonConfig, Status, claim_output, console, register, run_command
from spinedet.cli.dicom_table import report_choices
from spinedet.cli.progress import progress_bar
from spinedet.imaging.dicom.dicomweb import pull_study
from spinedet.imaging.dicom.records import Pseudonyms
from spinedet.imaging.settings import SelectionRules
from spinedet.imaging.volume import index_images


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


def pull(config: PullConfig) -> Status:
    """Write the study's images under `out`/dicom and show which series `predict` would read."""
    folder = claim_output(config, "pull")
    images = folder / "dicom"
    images.mkdir(mode=0o700)
    with progress_bar("pulling images") as progress:
        count = pull_study(
            config.study,
            images,
            Pseudonyms.of_salt(config.dicom.salt),
            os.environ.get(config.auth),
            lambda done: progress(done, done),
        )
    index = index_images(images, config.dicom)
    report_choices(index.choices, folder)
    tracking.log_metrics(config.logger, folder, {"images": count, "series": len(index.images)})
    console.print(f"{count} images; go on with: python -m spinedet.predict run=RUN input={images}")
    return Status.DONE


def main() -> None:
    """Entry point."""
    register(PullConfig, "pull")
    run_command("pull", pull)


if __name__ == "__main__":
    main()
