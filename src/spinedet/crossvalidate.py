"""`python -m spinedet.crossvalidate data.manifests=[...]`: every patient tested by detectors that never saw it."""

from __future__ import annotations

from dataclasses import dataclass, field

from spinedet.cli.app import register, run_as_script, run_command
from spinedet.cli.settings import InferenceConfig
from spinedet.core.anatomy import Plane
from spinedet.core.errors import InputError
from spinedet.detection.settings import MODELS
from spinedet.pipelines.settings import KEEP, MixConfig, TrainingConfig
from spinedet.scoring import CRITERIA, BootstrapSettings
from spinedet.training.settings import TRAINERS


@dataclass
class CrossvalidationData(MixConfig):
    """Which studies.

    Attributes:
        manifests: of the patients that are crossed over. A patient in several of them is in one fold.
    """

    manifests: list[str] = field(default_factory=list)


@dataclass
class CrossvalidateConfig(TrainingConfig, InferenceConfig):
    """A cross-validation over patients.

    Attributes:
        plane: whose detector is trained.
        device: on which folds are tested; trainer.accelerator says where they are trained.
        folds: parts that the patients are cut into; with `by`, those that choose thresholds within each training group.
        fold_file: the folds themselves, as data_manifests/spider-folds.json fixes them; `folds` and `seed` do nothing.
        by: a study attribute, such as vendor; each of its values is tested by a detector of the other values.
        seeds: of the trainings; numbers are means over them. seed: of the folds.
        rule: how a fold's threshold is chosen, on findings in other folds.
        beside: folders of other cross-validations of the same patients in the same folds; their results stand beside
            these, with paired differences.
        final: train a detector on all patients too; `out/final` is then a run, its threshold that of the findings of
            all folds of the first seed.
    """

    plane: str = "sagittal"
    folds: int = 5
    fold_file: str | None = None
    by: str | None = None
    seeds: list[int] = field(default_factory=lambda: [0])
    data: CrossvalidationData = field(default_factory=CrossvalidationData)
    bootstrap: BootstrapSettings = field(default_factory=BootstrapSettings)
    beside: list[str] = field(default_factory=list)
    final: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        self.check_inference()
        known = [plane.value for plane in Plane]
        if self.plane not in known:
            raise InputError(f"plane={self.plane}: use one of {known}")
        if self.folds < 2:
            raise InputError(f"folds={self.folds}: use at least 2")
        if self.fold_file and self.by:
            raise InputError("pass fold_file= or by=, not both")
        if not self.seeds:
            raise InputError("seeds=[]: name at least one")
        if self.rule == KEEP:
            raise InputError(f"rule={KEEP} chooses nothing, and folds need thresholds from other patients")


def main() -> None:
    """Entry point."""
    register(CrossvalidateConfig, "crossvalidate", {"model": MODELS, "trainer": TRAINERS, "criterion": CRITERIA})
    run_command("crossvalidate", "spinedet.commands.crossvalidate:crossvalidate")


if __name__ == "__main__":
    run_as_script("crossvalidate")
