"""The steps of the seed study, from its size."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from spinedet.experiments.steps import Step
from spinedet.experiments.transfer.sizes import SizeConfig

SOURCE, SCRATCH, ZERO_SHOT = "lumbar", "scratch", "zero-shot"


@dataclass(frozen=True)
class Sources:
    """The folder of the steps' results, and both cohorts' manifests."""

    steps: Path
    lumbar: Path
    cervical: Path


@dataclass(frozen=True)
class Plan:
    """The steps of a study by what they are for.

    Attributes:
        compared: number of target patients at which all ways are compared.
        scratch, full: names of the trainings on the neck by number of patients. recipes: name by recipe, at the
            number that is compared. kept: name of the lumbar test by name of the run that is tested for forgetting.
    """

    steps: tuple[Step, ...]
    compared: int
    scratch: dict[int, str]
    full: dict[int, str]
    recipes: dict[str, str]
    kept: dict[str, str]


def plan_study(size: SizeConfig, sources: Sources, common: tuple[str, ...]) -> Plan:
    """Every step in the order in which they are taken: the headline first, the curve's other points last.

    Args:
        size: of the study. sources: where its cohorts and results lie. common: words for every step.
    """
    most, at = max(size.patients), size.compared
    lumbar, neck = (f"data.manifests=[{manifest}]" for manifest in (sources.lumbar, sources.cervical))

    def learned(recipe: str, patients: int) -> Step:
        name = f"{recipe}-{patients}"
        words = (f"name={name}", neck, f"data.train_patients={patients}", *size.target, *common)
        if recipe == SCRATCH:
            return Step(name, "train", words)
        # A way of transfer says what differs, so it stands last.
        words = (*words, f"+transfer={recipe}", f"init={sources.steps / SOURCE}")
        return Step(name, "train", (*words, *_more(recipe, patients, sources)), (SOURCE,))

    def tested(name: str, run: str, data: str) -> Step:
        return Step(
            name, "evaluate", (f"run={sources.steps / run}", data, "split=test", *size.testing, *common), (run,)
        )

    scratch = {n: learned(SCRATCH, n) for n in size.patients}
    full = {n: learned("full", n) for n in size.patients}
    others = {recipe: learned(recipe, at) for recipe in size.recipes}
    source = Step(SOURCE, "train", (f"name={SOURCE}", lumbar, *size.source, *common))
    zero = tested(ZERO_SHOT, SOURCE, neck)
    transferred = dict.fromkeys([full[at].name, *(step.name for step in others.values()), full[most].name])
    kept = {name: tested(f"lumbar-by-{name}", name, lumbar) for name in transferred}
    first = [source, zero, scratch[at], full[at], full[most], *others.values()]
    steps = [*first, *kept.values(), *scratch.values(), *full.values()]
    return Plan(
        steps=tuple({step.name: step for step in steps}.values()),
        compared=at,
        scratch={n: step.name for n, step in scratch.items()},
        full={n: step.name for n, step in full.items()},
        recipes={"full": full[at].name, **{recipe: step.name for recipe, step in others.items()}},
        kept={name: step.name for name, step in kept.items()},
    )


def _more(recipe: str, patients: int, sources: Sources) -> tuple[str, ...]:
    """What a way of transfer needs besides its config."""
    match recipe:
        case "mixed":
            return f"data.mix=[{sources.lumbar}]", f"data.mix_patients={patients}"
        case "threshold":
            return ("trainer.max_epochs=0",)
        case _:
            return ()
