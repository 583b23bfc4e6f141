"""Settings of data, trainings and tests, importable without torch."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

from omegaconf import MISSING

from spinedet.cli.settings import CommonConfig, check_min_score
from spinedet.core.errors import InputError
from spinedet.core.types import is_number
from spinedet.detection.settings import RecipeConfig
from spinedet.imaging.settings import DEGRADATIONS, AugmentConfig
from spinedet.scoring import BootstrapSettings, Rule
from spinedet.simulation.settings import CohortConfig
from spinedet.simulation.shipped_cohorts import SHIPPED
from spinedet.training.settings import TrainerConfig

# The rule that chooses nothing and keeps the operating point of the run that is started from.
KEEP = "init"


@dataclass
class DataConfig:
    """Which studies.

    Attributes:
        manifests: manifest files; none means the phantom cohort.
        cohort: the phantom cohort to draw when no manifest is given.
        folder: where that cohort lies or will be drawn; `cohort` in the run's own folder when null.
        tune_fraction: share of the training patients that become the tuning split when the manifests name none.
    """

    manifests: list[str] = field(default_factory=list)
    cohort: CohortConfig = field(default_factory=CohortConfig)
    folder: str | None = None
    tune_fraction: float = 0.2


@dataclass
class MixConfig:
    """Which further studies are learned from.

    Attributes:
        mix: manifests, of any region, whose training studies are learned from as well, never tuned or tested on.
        mix_patients: use only so many of their patients; all when null.
        mix_weight: draws of each of their scans in an epoch, on average; 0.25 draws it in one epoch of four.
    """

    mix: list[str] = field(default_factory=list)
    mix_patients: int | None = None
    mix_weight: float = 1.0

    def __post_init__(self) -> None:
        if not 0 < self.mix_weight <= 100:
            raise InputError(f"data.mix_weight={self.mix_weight}: use a number above 0, 100 at most")


@dataclass
class DevelopmentConfig(MixConfig, DataConfig):
    """Which studies a detector is developed on.

    Attributes:
        train_patients: use only so many of the patients to train on, the tuning split that is carved out of them
            included; a smaller number gives a part of a larger one's. All when null.
        hold_out: a centre that is tested on and never learned from; all others' studies train.
    """

    train_patients: int | None = None
    hold_out: str | None = None


# The choices of `data=`.
COHORTS = {name: DataConfig(cohort=cohort) for name, cohort in SHIPPED.items()}


DEVELOPMENT_COHORTS = {name: DevelopmentConfig(cohort=cohort) for name, cohort in SHIPPED.items()}


@dataclass
class TestConfig:
    """How a model is tested.

    Attributes:
        min_score: findings below it are not written. cases: studies shown with pictures in the report.
        adapt: report, beside the frozen thresholds and never in their place, thresholds that are adapted to each centre
            from its scores alone, without its reference standard.
        robustness: test again on degraded copies of the scans: noise, bias_field, blur, spacing, missing_slices,
            motion, contrast. Each predicts the whole cohort at each strength.
        strengths: other strengths than the three of each, such as {noise: [0.4, 0.8]}, in the unit of the degradation.
    """

    min_score: float = 0.01
    bootstrap: BootstrapSettings = field(default_factory=BootstrapSettings)
    cases: int = 6
    adapt: bool = False
    robustness: list[str] = field(default_factory=list)
    strengths: Any = None  # numbers by name; Hydra can replace them as a whole only when the type is not declared

    def __post_init__(self) -> None:
        check_min_score(self.min_score, "test.min_score")
        unknown = [name for name in self.robustness if name not in DEGRADATIONS]
        if unknown:
            raise InputError(f"test.robustness={unknown[0]}: use some of {', '.join(DEGRADATIONS)}")
        self._check_strengths()

    def _check_strengths(self) -> None:
        given = self.strengths or {}
        if not isinstance(given, dict):
            raise InputError(f"test.strengths={given}: write {{noise: [0.4, 0.8]}}")
        for name, strengths in given.items():
            if name not in self.robustness:
                raise InputError(f"test.strengths: {name} is not among test.robustness={self.robustness}; add it there")
            numbers = strengths if isinstance(strengths, list) else []
            if not numbers or not all(is_number(one) and 0 < one < math.inf for one in numbers):
                raise InputError(f"test.strengths: {name} needs numbers above 0, such as {{{name}: [0.5, 1]}}")

    @property
    def degradations(self) -> dict[str, tuple[float, ...]]:
        """The strengths of each degradation that is tested, rising."""
        given = self.strengths or {}
        return {name: tuple(sorted(given.get(name, DEGRADATIONS[name].strengths))) for name in self.robustness}


@dataclass
class TrainingConfig(CommonConfig):
    """How detectors are trained, and how their operating points are chosen.

    Attributes:
        rule: how an operating point is chosen, on studies that no detector was trained on.
        init: a finished run whose weights are the start.
    """

    model: Any = MISSING
    recipe: RecipeConfig = field(default_factory=RecipeConfig)
    augment: AugmentConfig = field(default_factory=AugmentConfig)
    trainer: TrainerConfig = field(default_factory=TrainerConfig)
    criterion: Any = MISSING
    rule: str = "plateau_f1"
    init: str | None = None

    def __post_init__(self) -> None:
        if self.init == "":
            raise InputError("init= is needed; pass it on the command line (see --help)")
        if self.rule != KEEP:
            Rule.parse(self.rule)
