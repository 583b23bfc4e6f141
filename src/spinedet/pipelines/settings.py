"""Settings of data and tests, importable without torch."""

from __future__ import annotations

from dataclasses import dataclass, field

from spinedet.scoring import BootstrapSettings
from spinedet.simulation.settings import CohortConfig
from spinedet.simulation.shipped_cohorts import SHIPPED


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
class DevelopmentConfig(DataConfig):
    """Which studies a detector is developed on.

    Attributes:
        train_patients: use only so many of the patients to train on, the tuning split that is carved out of them
            included; a smaller number gives a part of a larger one's. All when null.
        hold_out: a centre that is tested on and never learned from; all others' studies train.
        mix: manifests, of any region, whose training studies are learned from as well, never tuned or tested on.
        mix_patients: use only so many of their patients; all when null.
    """

    train_patients: int | None = None
    hold_out: str | None = None
    mix: list[str] = field(default_factory=list)
    mix_patients: int | None = None


# The choices of `data=`.
COHORTS = {name: DataConfig(cohort=cohort) for name, cohort in SHIPPED.items()}


DEVELOPMENT_COHORTS = {name: DevelopmentConfig(cohort=cohort) for name, cohort in SHIPPED.items()}


@dataclass
class TestConfig:
    """How a model is tested.

    Attributes:
        min_score: findings below it are not written. cases: studies shown with pictures in the report.
    """

    min_score: float = 0.01
    bootstrap: BootstrapSettings = field(default_factory=BootstrapSettings)
    cases: int = 6
