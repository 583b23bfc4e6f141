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
    recipes: list[str] = field(default_factory=lambda: [*RECIPES])


# Plain centres and short trainings: 45 minutes on two quiet cores, bounded by `trainer.max_time`.
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
    source=["+experiment=lumbar"],
    # Of few patients a threshold needs about as many as the weights do: four leave it to chance.
    target=[
        "data.tune_fraction=0.4",
        "trainer.max_epochs=400",
        "trainer.max_time=00:00:01:15",
        "trainer.validate_every=100",
    ],
    patients=[5, 20, 40],
)

YI2023 = SizeConfig(
    name="yi2023",
    lumbar=SHIPPED["yi2023"],
    cervical=SHIPPED["yi2023_cervical"],
    source=["trainer.max_epochs=100"],
    target=["trainer.max_epochs=100"],
    patients=[5, 10, 20, 50, 100, 120],
)

_TINY = ["model.width=8", "model.channels=48", "model.decoder_layers=1", "model.queries=8", "trainer.max_epochs=1"]
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
    recipes=["mixed"],
)

# The choices of `size=`.
SIZES: dict[str, SizeConfig] = {"demo": DEMO, "yi2023": YI2023, "smoke": TINY}
