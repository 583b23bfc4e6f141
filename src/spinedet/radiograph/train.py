"""`python -m spinedet.radiograph.train +experiment=implants`: train, freeze the operating point, test, report."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from omegaconf import MISSING

from spinedet.cli.app import register, run_as_script, run_command
from spinedet.cli.settings import CommonConfig
from spinedet.core.errors import InputError
from spinedet.radiograph.phantom_weights import names_file
from spinedet.radiograph.settings import (
    NETWORKS,
    InputConfig,
    LearningConfig,
    RejectionConfig,
    SearchConfig,
    VariationConfig,
)
from spinedet.scoring import BootstrapSettings
from spinedet.scoring.classification.thresholds import LabelRule
from spinedet.training.settings import TRAINERS


@dataclass
class ClassificationData:
    """Radiographs to train, tune and test on.

    Attributes:
        manifests: files of the format spinedet-radiographs, taken together. phantoms: the task of the shipped cohort
            `demo` that is drawn into the run's folder where there are no manifests.
        tune, test: shares of the patients, where the manifests give no study a split.
    """

    manifests: list[str] = field(default_factory=list)
    phantoms: str | None = None
    tune: float = 0.15
    test: float = 0.15

    def __post_init__(self) -> None:
        if min(self.tune, 1 - self.tune - self.test) <= 0 or self.test < 0:
            raise InputError(f"data.tune={self.tune}, data.test={self.test}: use shares such as 0.15 that leave a rest")


@dataclass
class ClassificationTest:
    """How a test is scored and shown.

    Attributes:
        bootstrap: intervals. pictures: images on the page with their heat maps; 0 for none.
    """

    bootstrap: BootstrapSettings = field(default_factory=BootstrapSettings)
    pictures: int = 6


@dataclass
class RadiographTrainConfig(CommonConfig):
    """Everything a training of a classification can be told.

    Attributes:
        name: of the model, as reports print it. data: the radiographs.
        network: efficientnet, efficientnet_b6, mobilenet, mnasnet, lite0, frozen or linear.
        input: what of an image a network is given. augment: how training images are varied. learning: how it learns.
        trainer: where and how long. search: for a recipe, within the trainer's budget of steps.
        per_view: a network for each view, else one for all.
        rule: how the threshold of a finding is chosen on the tuning split. rejection: when no label is given.
        init: a finished run of radiograph.train that the networks begin with, instead of weights that ship; labels and
            views may be others.
        test: how the test is scored. resume: go on with the unfinished run in `out`.
    """

    name: str = "classifier"
    data: ClassificationData = field(default_factory=ClassificationData)
    network: Any = MISSING
    input: InputConfig = field(default_factory=InputConfig)
    augment: VariationConfig = field(default_factory=VariationConfig)
    learning: LearningConfig = field(default_factory=LearningConfig)
    trainer: Any = MISSING
    search: SearchConfig = field(default_factory=SearchConfig)
    per_view: bool = True
    rule: str = "plateau_youden"
    rejection: RejectionConfig = field(default_factory=RejectionConfig)
    test: ClassificationTest = field(default_factory=ClassificationTest)
    init: str | None = None
    resume: bool = False

    def __post_init__(self) -> None:
        LabelRule.parse(self.rule)
        weights = getattr(self.network, "weights", None)
        if self.init is not None and names_file(weights):
            raise InputError("init= and network.weights= both name weights to begin with; keep one")
        if names_file(weights) and not Path(weights).is_file():
            raise InputError(f"network.weights={weights} does not exist; check the path")
        if not self.data.manifests and self.data.phantoms is None:
            raise InputError("data.manifests=[radiographs.json] is needed, or +experiment= with phantoms of its own")


def main() -> None:
    """Entry point."""
    register(RadiographTrainConfig, "radiograph.train", {"network": NETWORKS, "trainer": TRAINERS})
    run_command("radiograph.train", "spinedet.radiograph.commands.train:train")


if __name__ == "__main__":
    run_as_script("radiograph.train")
