"""`python -m spinedet.predict run=RUN input=PATH`: findings and pictures of images that nobody has annotated."""

from __future__ import annotations

from dataclasses import dataclass, field

from omegaconf import MISSING

from spinedet.cli.app import register, run_as_script, run_command
from spinedet.cli.settings import InferenceConfig, check_min_score
from spinedet.core.anatomy import Plane, Region
from spinedet.core.errors import InputError
from spinedet.imaging.settings import EligibilityLimits, SelectionRules
from spinedet.pipelines.outputs import check_outputs
from spinedet.pipelines.outputs.settings import FhirSettings, ReportSettings
from spinedet.pipelines.sample import SAMPLE
from spinedet.runs.sharding import ArchiveConfig


@dataclass
class PredictConfig(ArchiveConfig, InferenceConfig):
    """Prediction for images.

    Attributes:
        run: folder of a finished run, or `shipped`, the weights of the package; these when null and input=sample.
        input: an image file, a DICOM folder, a folder of images, a manifest, or `sample`, a scan in the package.
        plane: of the images; inferred from their geometry when null. region: that of the run when null.
        min_score: findings below it are not written. outputs: beside findings.json: page, csv, slicer, fhir, sr.
        pictures: draw one for each series on the page. sr: what goes into a DICOM report.
        fhir: what goes into FHIR resources.
        dicom: how series are chosen from DICOM studies. eligibility: what is doubtful, and what is refused.
        flip: predict for each volume's mirror image too, and average. ensemble: other runs that predict together with
            `run`; the threshold stays that of `run`, and levels stay unresolved.
        l5: a point in the vertebra L5 as R,A,S in mm, that names all levels. c2: likewise in C2.
    """

    run: str | None = None
    input: str = MISSING
    plane: str | None = None
    region: str | None = None
    min_score: float = 0.01
    outputs: list[str] = field(default_factory=lambda: ["page"])
    pictures: bool = True
    sr: ReportSettings = field(default_factory=ReportSettings)
    fhir: FhirSettings = field(default_factory=FhirSettings)
    dicom: SelectionRules = field(default_factory=SelectionRules)
    eligibility: EligibilityLimits = field(default_factory=EligibilityLimits)
    flip: bool = False
    ensemble: list[str] = field(default_factory=list)
    l5: str | None = None
    c2: str | None = None

    def __post_init__(self) -> None:
        for name, value, choices in (("plane", self.plane, Plane), ("region", self.region, Region)):
            known = [choice.value for choice in choices]
            if value not in (None, *known):
                raise InputError(f"{name}={value}: use one of {known}, or leave it out")
        if self.run is None and self.input != SAMPLE:
            raise InputError("run= is needed; pass it on the command line (see --help), or run=shipped")
        check_min_score(self.min_score, "min_score")
        self.check_inference()
        check_outputs(self.outputs)


def main() -> None:
    """Entry point."""
    register(PredictConfig, "predict")
    run_command("predict", "spinedet.commands.predict:predict")


if __name__ == "__main__":
    run_as_script("predict")
