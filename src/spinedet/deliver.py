"""`python -m spinedet.deliver findings=F input=DICOM`: outputs of earlier findings, also as a reader corrected them."""

from __future__ import annotations

from dataclasses import dataclass, field

from omegaconf import MISSING

from spinedet.cli.app import register, run_as_script, run_command
from spinedet.cli.settings import CommonConfig
from spinedet.core.anatomy import Region
from spinedet.core.errors import InputError
from spinedet.imaging.settings import SelectionRules
from spinedet.pipelines.outputs import check_outputs
from spinedet.pipelines.outputs.settings import FhirSettings, ReportSettings


@dataclass
class DeliverConfig(CommonConfig):
    """Outputs of findings that were made earlier.

    Attributes:
        findings: the findings.json of `predict`. input: the images that it read: a folder, a file or a manifest.
        outputs: what to write: sr, page, csv, slicer, fhir.
        reading: exports of the reading page; the DICOM report is a new version with the reader's decisions.
        previous: `out=` of the `predict` or `deliver` that wrote the version before; where `findings` lies when null.
        region: of the spine, for findings that do not name it: lumbar or cervical.
        pictures: draw one for each series on the page. sr: what goes into a DICOM report.
        fhir: what goes into FHIR resources.
        dicom: how series are chosen from DICOM studies, as in `predict`.
    """

    findings: str = MISSING
    input: str = MISSING
    outputs: list[str] = field(default_factory=lambda: ["sr"])
    reading: list[str] = field(default_factory=list)
    previous: str | None = None
    region: str | None = None
    pictures: bool = True
    sr: ReportSettings = field(default_factory=ReportSettings)
    fhir: FhirSettings = field(default_factory=FhirSettings)
    dicom: SelectionRules = field(default_factory=SelectionRules)

    def __post_init__(self) -> None:
        if self.region not in (None, *(choice.value for choice in Region)):
            raise InputError(f"region={self.region}: use {' or '.join(choice.value for choice in Region)}")
        if self.reading and self.outputs != ["sr"]:
            raise InputError("reading= changes the DICOM report alone; use outputs=[sr]")
        check_outputs(self.outputs)


def main() -> None:
    """Entry point."""
    register(DeliverConfig, "deliver")
    run_command("deliver", "spinedet.commands.deliver:deliver")


if __name__ == "__main__":
    run_as_script("deliver")
