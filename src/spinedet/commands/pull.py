"""`python -m spinedet.pull study=URL`: a study from a PACS over DICOMweb, stripped of the patient, with its series."""

from __future__ import annotations

import os

from spinedet.cli import tracking
from spinedet.cli.console import console
from spinedet.cli.dicom_table import report_choices
from spinedet.cli.exit_status import Status
from spinedet.cli.output_folder import claim_output
from spinedet.cli.progress import progress_bar
from spinedet.imaging.dicom.dicomweb import pull_study
from spinedet.imaging.dicom.records import Pseudonyms
from spinedet.imaging.volume import index_images
from spinedet.pull import PullConfig


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
