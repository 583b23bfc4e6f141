"""The steps of the study of radiographs, from its size."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from spinedet.core.types import Split
from spinedet.radiograph.experiment.sizes import AlgorithmConfig, TaskSize
from spinedet.runs.steps import Step

# What follows the name of a training in the names of the other steps.
CONTROL, CONFOUNDED, CLEARED = "control", "confounded", "confounder-removed"


@dataclass(frozen=True)
class TaskManifests:
    """Of one task: all patients, and where the size has them the control set and the patients with a confounder."""

    cohort: Path
    control: Path | None = None
    confounded: Path | None = None


@dataclass(frozen=True)
class StudyInput:
    """What all steps have in common.

    Attributes:
        manifests: by task. steps: the folder of all steps.
        weights: that pretrained algorithms begin with, or None.
        common: overrides of every step but the seed.
    """

    manifests: Mapping[str, TaskManifests]
    steps: Path
    weights: str | None
    common: tuple[str, ...]


def step_name(task: TaskSize, algorithm: AlgorithmConfig, seed: int, part: str | None = None) -> str:
    """Of the folder of one training, or of a test of it on another part."""
    name = f"{task.cohort.task}-{algorithm.name}-seed{seed}"
    return name if part is None else f"{name}-{part}"


def plan_steps(tasks: Sequence[TaskSize], given: StudyInput, seeds: Sequence[int]) -> list[Step]:
    """Seed by seed, the long trainings first, so that the cores are busy to the end."""
    return [step for seed in seeds for step in _of_seed(tasks, given, seed, first=seed == seeds[0])]


def _of_seed(tasks: Sequence[TaskSize], given: StudyInput, seed: int, *, first: bool) -> Iterator[Step]:
    for task in tasks:
        for algorithm in task.algorithms:
            yield _train(task, algorithm, given, seed)
    for task in tasks:
        for baseline in task.baselines:
            yield _train(task, baseline, given, seed)
        # Further seeds repeat the tests of the cohort alone.
        if first:
            for baseline in task.baselines:
                yield from _confounder(task, baseline, given, seed)
            for algorithm in task.algorithms:
                yield from _control(task, algorithm, given, seed)


def _train(task: TaskSize, algorithm: AlgorithmConfig, given: StudyInput, seed: int) -> Step:
    weights = (f"network.weights={given.weights}",) if algorithm.pretrained and given.weights else ()
    words = (
        *task.words,
        f"name={algorithm.name}",
        f"data.manifests=[{given.manifests[task.cohort.task].cohort}]",
        *algorithm.words,
        *weights,
        f"seed={seed}",
        *given.common,
    )
    return Step(step_name(task, algorithm, seed), "radiograph.train", words)


def _control(task: TaskSize, algorithm: AlgorithmConfig, given: StudyInput, seed: int) -> Iterator[Step]:
    """The test of a trained network on patients that neither trained, tuned nor tested it."""
    manifest = given.manifests[task.cohort.task].control
    if manifest is not None:
        trained = step_name(task, algorithm, seed)
        yield _test(step_name(task, algorithm, seed, CONTROL), trained, manifest, given, seed)


def _confounder(task: TaskSize, baseline: AlgorithmConfig, given: StudyInput, seed: int) -> Iterator[Step]:
    """A baseline trained and tested with the confounder, and tested on the same patients without it."""
    manifests = given.manifests[task.cohort.task]
    if manifests.confounded is None:
        return
    plain = _train(task, baseline, given, seed)
    own = f"data.manifests=[{manifests.cohort}]"
    words = tuple(f"data.manifests=[{manifests.confounded}]" if word == own else word for word in plain.words)
    trained = step_name(task, baseline, seed, CONFOUNDED)
    yield Step(trained, plain.command, words)
    yield _test(step_name(task, baseline, seed, CLEARED), trained, manifests.cohort, given, seed)


def _test(name: str, trained: str, manifest: Path, given: StudyInput, seed: int) -> Step:
    words = (
        f"run={given.steps / trained}",
        f"data.manifests=[{manifest}]",
        f"split={Split.TEST.value}",
        "test.pictures=0",
        "device=cpu",
        f"seed={seed}",
        *given.common,
    )
    return Step(name, "radiograph.evaluate", words, needs=(trained,))
