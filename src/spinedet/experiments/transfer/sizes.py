"""How large the seed study is: its cohorts, its trainings, its numbers of target patients."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from spinedet.core.anatomy import Region
from spinedet.simulation.settings import CohortConfig, GroupConfig
from spinedet.simulation.shipped_cohorts import SHIPPED, SMOKE

RECIPES = ("head", "layerwise", "mixed", "threshold")


@dataclass
class SizeConfig:
    """One size of the study.

    Attributes:
        lumbar, cervical: cohorts. The first centre of `lumbar` is internal, the others are external.
        source, target: overrides of the training on the lumbar spine, and of every one on the neck.
        testing: overrides of every test of a finished run.
        patients: numbers of target patients, the tuning split that is carved out of them included.
        compared: the number at which all recipes are compared.
        steps: optimisation steps of trainings on the neck, each budget a training of its own with a whole schedule;
            the training from scratch and full fine-tuning take each of them on `compared` patients.
        control_steps: longer budgets that the training from scratch takes alone, to see whether it has converged.
        equal_steps: the one of `steps` that every other training takes.
        recipes: besides full fine-tuning.
    """

    name: str = "demo"
    lumbar: CohortConfig = field(default_factory=CohortConfig)
    cervical: CohortConfig = field(default_factory=CohortConfig)
    source: list[str] = field(default_factory=list)
    target: list[str] = field(default_factory=list)
    testing: list[str] = field(default_factory=list)
    patients: list[int] = field(default_factory=list)
    compared: int = 20
    steps: list[int] = field(default_factory=list)
    control_steps: list[int] = field(default_factory=list)
    equal_steps: int = 280
    recipes: list[str] = field(default_factory=lambda: [*RECIPES])


# The same numbers for a seed whatever else runs. Scores on the tuning split while training would cost time alone.
_REPEATABLE = ["trainer.accelerator=cpu", "trainer.deterministic=true"]
_UNWATCHED = "trainer.validate_every=1000000"

# Plain centres and short trainings, for 45 minutes on two quiet cores.
DEMO = SizeConfig(
    name="demo",
    lumbar=replace(
        SHIPPED["demo"],
        name="phantom-study-lumbar",
        groups=[
            GroupConfig("A", "train", 52),
            GroupConfig("A", "tune", 16),
            GroupConfig("A", "test", 24),
            GroupConfig("B", "test", 20),
            GroupConfig("C", "test", 20),
        ],
    ),
    cervical=replace(
        SHIPPED["demo"],
        name="phantom-study-cervical",
        region=Region.CERVICAL,
        seed=1,
        groups=[GroupConfig("D", "train", 40), GroupConfig("D", "test", 48)],
    ),
    source=["+experiment=lumbar", *_REPEATABLE, _UNWATCHED],
    # Of few patients a threshold needs about as many as the weights do: four leave it to chance.
    target=["data.tune_fraction=0.4", "trainer.max_time=00:01:00:00", *_REPEATABLE, _UNWATCHED],
    patients=[5, 10, 20, 40],
    steps=[70, 280],
    control_steps=[560, 1120],
    equal_steps=280,
    recipes=["threshold"],
)

YI2023 = SizeConfig(
    name="yi2023",
    lumbar=SHIPPED["yi2023"],
    cervical=SHIPPED["yi2023_cervical"],
    source=["trainer.max_epochs=100"],
    target=[_UNWATCHED],
    patients=[5, 10, 20, 40, 80, 120],
    steps=[600, 1200, 2400, 4800],
    control_steps=[9600],
    equal_steps=2400,
)

_TINY = [
    "model.width=8",
    "model.channels=48",
    "model.decoder_layers=1",
    "model.queries=8",
    "trainer.max_epochs=1",
    *_REPEATABLE,
]
_QUICK = ["test.bootstrap.samples=50", "test.cases=1"]

# Every step on a handful of tiny phantoms; its numbers mean nothing.
TINY = SizeConfig(
    name="smoke",
    lumbar=replace(
        SMOKE,
        name="phantom-smoke-lumbar",
        groups=[
            GroupConfig("A", "train", 3),
            GroupConfig("A", "tune", 1),
            GroupConfig("A", "test", 2),
            GroupConfig("B", "test", 2),
            GroupConfig("C", "test", 2),
        ],
    ),
    cervical=replace(
        SMOKE,
        name="phantom-smoke-cervical",
        region=Region.CERVICAL,
        groups=[GroupConfig("D", "train", 4), GroupConfig("D", "test", 3)],
    ),
    source=[*_TINY, *_QUICK],
    target=[*_TINY, *_QUICK],
    testing=_QUICK,
    patients=[3, 4],
    compared=3,
    steps=[1, 2],
    control_steps=[3],
    equal_steps=2,
    recipes=["mixed"],
)

# The choices of `size=`.
SIZES: dict[str, SizeConfig] = {"demo": DEMO, "yi2023": YI2023, "smoke": TINY}
