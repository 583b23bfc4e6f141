"""How large the study of radiographs is: cohorts, algorithms, baselines; importable without torch."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from spinedet.simulation.radiograph.settings import RadiographCohort, RadiographGroup
from spinedet.simulation.radiograph.shipped import SHIPPED, confounded_of, control_of


@dataclass
class AlgorithmConfig:
    """One training of a task.

    Attributes:
        name: as pages print it. words: overrides of radiograph.train besides those of its task.
        pretrained: whether it takes the weights that the study is given.
    """

    name: str = "network"
    words: list[str] = field(default_factory=list)
    pretrained: bool = False


@dataclass
class SimulatedReaderConfig:
    """A reader that is drawn by chance: it shows what the comparison does, and is no surgeon.

    Attributes:
        name: as pages print it, `simulated` included. sensitivity, specificity: chance of a right answer to images
            with and without the finding.
    """

    name: str = "simulated-reader"
    sensitivity: float = 0.8
    specificity: float = 0.8


@dataclass
class TaskSize:
    """One task of a study.

    Attributes:
        cohort: its patients; those of the split `train` and `tune` come from the internal centre.
        words: overrides of all its trainings.
        algorithms: that are compared; the first stands for the task.
        baselines: that must be at chance, besides the one that is given the metadata alone.
        readers: simulated ones, for a task with a finding.
        control: patients on which algorithms stand beside readers; none of the cohort's.
        confounded: patients whose label a lead letter tells, for the baselines: the test patients are the cohort's.
        leaks: whether the labels can be told from age, size or coarse grey values by nature, so that baselines are
            above chance.
    """

    cohort: RadiographCohort = field(default_factory=RadiographCohort)
    words: list[str] = field(default_factory=list)
    algorithms: list[AlgorithmConfig] = field(default_factory=list)
    baselines: list[AlgorithmConfig] = field(default_factory=list)
    readers: list[SimulatedReaderConfig] = field(default_factory=list)
    control: RadiographCohort | None = None
    confounded: RadiographCohort | None = None
    leaks: bool = False


@dataclass
class RadiographStudySize:
    """One size of the study.

    Attributes:
        tasks: in the order of the index page.
    """

    name: str = "demo"
    tasks: list[TaskSize] = field(default_factory=list)


def _algorithm(name: str, *words: str, pretrained: bool = False) -> AlgorithmConfig:
    return AlgorithmConfig(name, list(words), pretrained)


def _baselines(*words: str) -> list[AlgorithmConfig]:
    """The whole image at 32 x 32 pixels, and the rim alone; neither asks for metal."""
    few = ("network=linear", "input.mm=null", "input.metal=null", "test.pictures=0", *words)
    return [
        _algorithm("32x32-pixels", *few, "input.focus=image"),
        _algorithm("rim-alone", *few, "input.focus=rim"),
    ]


_READERS = [
    SimulatedReaderConfig("simulated-senior", 0.80, 0.80),
    SimulatedReaderConfig("simulated-junior", 0.66, 0.72),
]
# The same numbers for a seed whatever else runs; every training takes one thread.
_REPEATABLE = ["trainer.accelerator=cpu", "trainer.deterministic=true"]
_DEMO_COHORTS = {cohort.task: cohort for cohort in SHIPPED["demo"]}

# For 30 minutes on two quiet cores; the calculation is in docs/radiographs.md.
DEMO = RadiographStudySize(
    name="demo",
    tasks=[
        TaskSize(
            cohort=_DEMO_COHORTS["implants"],
            words=["+experiment=implants", *_REPEATABLE],
            algorithms=[
                _algorithm("fine-tuned", "network=lite0", "trainer.max_steps=120", pretrained=True),
                # The same steps as the fine-tuned network, trials included.
                _algorithm("search", "network=lite0", "trainer.max_steps=120", "search.trials=6", pretrained=True),
                _algorithm("frozen-features", "network=frozen", pretrained=True),
            ],
            baselines=_baselines(),
        ),
        TaskSize(
            cohort=_DEMO_COHORTS["scoliosis"],
            words=["+experiment=scoliosis", *_REPEATABLE],
            algorithms=[
                _algorithm("fine-tuned", "network=lite0", "trainer.max_steps=100", pretrained=True),
                _algorithm("frozen-features", "network=frozen", pretrained=True),
            ],
            baselines=_baselines(),
            leaks=True,
        ),
        TaskSize(
            cohort=_DEMO_COHORTS["fractures"],
            words=["+experiment=fractures", *_REPEATABLE],
            algorithms=[
                # About the same time for each; all begin with weights that ship, or the first with those of the study.
                _algorithm("efficientnet-lite0", "network=lite0", "trainer.max_steps=400", pretrained=True),
                _algorithm("mobilenet", "network=mobilenet", "trainer.max_steps=600"),
                _algorithm("mnasnet", "network=mnasnet", "trainer.max_steps=500"),
            ],
            baselines=_baselines(),
            readers=_READERS,
            control=control_of(_DEMO_COHORTS["fractures"], 155),
            confounded=confounded_of(_DEMO_COHORTS["fractures"], 120, 30),
        ),
    ],
)


# 60 epochs of 1,013 training patients.
_LONG = "trainer.max_steps=3800"


def _papers() -> list[TaskSize]:
    """The published numbers of images, and the published network where it is told; for a GPU."""
    implants, scoliosis, fractures = (SHIPPED[name][0] for name in ("yang2021", "mulford2024", "li2024"))
    return [
        TaskSize(
            cohort=implants,
            words=["+experiment=implants", "input.pixels=256"],
            algorithms=[
                _algorithm("fine-tuned", "network=lite0", _LONG, pretrained=True),
                _algorithm("search", "network=lite0", _LONG, "search.trials=12", pretrained=True),
                _algorithm("frozen-features", "network=frozen", pretrained=True),
            ],
            baselines=_baselines(),
        ),
        TaskSize(
            cohort=scoliosis,
            words=["+experiment=scoliosis", "trainer.max_epochs=20"],
            algorithms=[
                _algorithm("efficientnet-b6", "network=efficientnet_b6", "input.pixels=528"),
                _algorithm("fine-tuned", "network=lite0", pretrained=True),
                _algorithm("frozen-features", "network=frozen", pretrained=True),
            ],
            baselines=_baselines(),
            leaks=True,
        ),
        TaskSize(
            cohort=fractures,
            words=["+experiment=fractures", "trainer.max_epochs=20"],
            algorithms=[
                _algorithm("efficientnet-lite0", "network=lite0", pretrained=True),
                _algorithm("mobilenet", "network=mobilenet"),
                _algorithm("mnasnet", "network=mnasnet"),
            ],
            baselines=_baselines(),
            readers=_READERS,
            control=control_of(fractures, 115),
            confounded=confounded_of(fractures, 400, 100),
        ),
    ]


PAPERS = RadiographStudySize(name="papers", tasks=_papers())

_QUICK = ["test.bootstrap.samples=50", "test.pictures=0", "input.pixels=64", "trainer.max_steps=1", *_REPEATABLE]


def _smoke(task: str, *words: str, pixels: int = 128) -> TaskSize:
    """A handful of tiny images; the numbers mean nothing."""
    counts = (("A", "train", 20), ("A", "tune", 10), ("A", "test", 10), ("B", "test", 5), ("C", "test", 5))
    cohort = replace(
        _DEMO_COHORTS[task],
        name=f"phantom-smoke-{task}",
        groups=[RadiographGroup(*count) for count in counts],
        pixels=pixels,
    )
    size = TaskSize(
        cohort=cohort,
        words=[f"+experiment={task}", *_QUICK, *words],
        algorithms=[
            _algorithm("fine-tuned", "network=lite0", pretrained=True),
            _algorithm("frozen-features", "network=frozen", pretrained=True),
        ],
        baselines=_baselines(),
    )
    if task != "fractures":
        return size
    return replace(size, readers=_READERS, control=control_of(cohort, 10), confounded=confounded_of(cohort, 20, 5))


SMOKE = RadiographStudySize(
    name="smoke",
    tasks=[
        _smoke("implants", "input.focus=image", "input.mm=null", "input.metal=null"),
        # Whole spines are narrow: at fewer pixels they are rejected as too small.
        _smoke("scoliosis", pixels=192),
        _smoke("fractures"),
    ],
)

# The choices of `size=`.
SIZES: dict[str, RadiographStudySize] = {"demo": DEMO, "papers": PAPERS, "smoke": SMOKE}
