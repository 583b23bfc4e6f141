"""The steps of the seed study, from its size."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from spinedet.experiments.transfer.sizes import SizeConfig
from spinedet.runs.steps import Step

SOURCE, SCRATCH, ZERO_SHOT, FULL = "lumbar", "scratch", "zero-shot", "full"


@dataclass(frozen=True)
class Sources:
    """The folder of the steps' results, and both cohorts' manifests."""

    steps: Path
    lumbar: Path
    cervical: Path


@dataclass(frozen=True, order=True)
class Training:
    """A training on the neck: its recipe, its number of target patients and its optimisation steps."""

    recipe: str
    patients: int
    steps: int


@dataclass(frozen=True)
class Plan:
    """The steps of a study by what they are for.

    Attributes:
        seeds: of the trainings. The names below are those of the first one; `of_seed` gives the others'.
        compared: number of target patients at which all recipes are compared.
        equal_steps: of all trainings but those that differ in their steps.
        trainings: all of them by name. kept: name of the lumbar test by name of the run that is tested for forgetting.
    """

    steps: tuple[Step, ...]
    seeds: tuple[int, ...]
    compared: int
    equal_steps: int
    trainings: dict[str, Training]
    kept: dict[str, str]

    def name_of(self, recipe: str, patients: int, steps: int | None = None) -> str:
        """The name of a training; with the equal steps where none are named."""
        wanted = Training(recipe, patients, steps or self.equal_steps)
        return next(name for name, training in self.trainings.items() if training == wanted)

    def longest_control(self, patients: int) -> str:
        """The name of the training from scratch on so many patients that takes the most steps."""
        controls = [one for one in self.trainings.values() if (one.recipe, one.patients) == (SCRATCH, patients)]
        return self.name_of(SCRATCH, patients, max(one.steps for one in controls))

    def of_seed(self, name: str, seed: int) -> str:
        """The same step of another seed."""
        return name if seed == self.seeds[0] else _seeded(name, seed)

    def patients_of(self, recipe: str) -> list[int]:
        """The numbers of target patients that a recipe was trained on with equal steps."""
        rows = self.trainings.values()
        return sorted({one.patients for one in rows if one.recipe == recipe and one.steps == self.equal_steps})


def plan_study(size: SizeConfig, sources: Sources, common: tuple[str, ...], seeds: Sequence[int]) -> Plan:
    """Every step in the order in which they are taken: what is compared, seed by seed, then other numbers of patients.

    Args:
        size: of the study. sources: where its cohorts and results lie. common: words for every step but the seed.
        seeds: each repeats every training, with target patients of its own.
    """
    trainings = {_name(one, size): one for one in _trainings(size)}
    kept = {
        name: f"lumbar-by-{name}"
        for name, one in trainings.items()
        if one.steps == size.equal_steps and one.patients == size.compared and one.recipe in (FULL, "mixed")
    }
    compared: list[Step] = []
    more: list[Step] = []
    for seed in seeds:
        named = partial(_seeded, seed=seed) if seed != seeds[0] else str
        words = (f"seed={seed}", *common)
        lumbar, neck = (f"data.manifests=[{manifest}]" for manifest in (sources.lumbar, sources.cervical))
        source = Step(named(SOURCE), "train", (f"name={named(SOURCE)}", lumbar, *size.source, *words))
        # Zero-shot shows what a threshold is worth that follows from the scores alone, beside the frozen one.
        zero_shot = _test(named(ZERO_SHOT), source.name, sources, (neck, "test.adapt=true", *size.testing, *words))
        compared += [source, zero_shot]
        for name, one in trainings.items():
            group = compared if one.patients == size.compared else more
            group.append(_train(named(name), one, source.name, sources, (*size.target, *words)))
        compared += [
            _test(named(test), named(run), sources, (lumbar, *size.testing, *words)) for run, test in kept.items()
        ]
    return Plan(
        steps=(*compared, *more),
        seeds=tuple(seeds),
        compared=size.compared,
        equal_steps=size.equal_steps,
        trainings=trainings,
        kept=kept,
    )


def _trainings(size: SizeConfig) -> Iterable[Training]:
    """Those of one seed: over steps, by recipe, over patients; without repeats."""
    found = [Training(recipe, size.compared, steps) for steps in size.steps for recipe in (SCRATCH, FULL)]
    found += [Training(SCRATCH, size.compared, steps) for steps in size.control_steps]
    found += [Training(recipe, size.compared, size.equal_steps) for recipe in size.recipes]
    found += [Training(recipe, n, size.equal_steps) for n in size.patients for recipe in (SCRATCH, FULL)]
    return dict.fromkeys(found)


def _name(training: Training, size: SizeConfig) -> str:
    name = f"{training.recipe}-{training.patients}"
    return name if training.steps == size.equal_steps else f"{name}-{training.steps}steps"


def _seeded(name: str, seed: int) -> str:
    return f"{name}-seed{seed}"


def _train(name: str, training: Training, source: str, sources: Sources, words: tuple[str, ...]) -> Step:
    data = (f"data.manifests=[{sources.cervical}]", f"data.train_patients={training.patients}")
    words = (f"name={name}", *data, f"trainer.max_steps={training.steps}", *words)
    if training.recipe == SCRATCH:
        return Step(name, "train", words)
    # A way of transfer holds what differs, so it stands last.
    words = (*words, f"+transfer={training.recipe}", f"init={sources.steps / source}")
    return Step(name, "train", (*words, *_more(training, sources)), (source,))


def _more(training: Training, sources: Sources) -> tuple[str, ...]:
    """What a way of transfer needs besides its config."""
    match training.recipe:
        case "mixed":
            return f"data.mix=[{sources.lumbar}]", f"data.mix_patients={training.patients}"
        case "threshold":
            return ("trainer.max_epochs=0",)
        case _:
            return ()


def _test(name: str, run: str, sources: Sources, words: tuple[str, ...]) -> Step:
    return Step(name, "evaluate", (f"run={sources.steps / run}", "split=test", *words), (run,))
