"""The steps of the study of radiographs, from its size."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from spinedet.radiograph.experiment.sizes import AlgorithmConfig, TaskSize
from spinedet.runs.steps import Step


@dataclass(frozen=True)
class StudyInput:
    """What all steps have in common.

    Attributes:
        manifests: of the cohorts, by task. weights: that pretrained algorithms begin with, or None.
        common: overrides of every step but the seed.
    """

    manifests: Mapping[str, Path]
    weights: str | None
    common: tuple[str, ...]


def step_name(task: TaskSize, algorithm: AlgorithmConfig, seed: int) -> str:
    """Of the folder of one training."""
    return f"{task.cohort.task}-{algorithm.name}-seed{seed}"


def plan_steps(tasks: Sequence[TaskSize], given: StudyInput, seeds: Sequence[int]) -> list[Step]:
    """Seed by seed, the long trainings first, so that the cores are busy to the end."""
    return [step for seed in seeds for step in _of_seed(tasks, given, seed)]


def _of_seed(tasks: Sequence[TaskSize], given: StudyInput, seed: int) -> Iterator[Step]:
    for task in tasks:
        for algorithm in task.algorithms:
            yield _train(task, algorithm, given, seed)
    for task in tasks:
        for baseline in task.baselines:
            yield _train(task, baseline, given, seed)


def _train(task: TaskSize, algorithm: AlgorithmConfig, given: StudyInput, seed: int) -> Step:
    weights = (f"network.weights={given.weights}",) if algorithm.pretrained and given.weights else ()
    words = (
        *task.words,
        f"name={algorithm.name}",
        f"data.manifests=[{given.manifests[task.cohort.task]}]",
        *algorithm.words,
        *weights,
        f"seed={seed}",
        *given.common,
    )
    return Step(step_name(task, algorithm, seed), "radiograph.train", words)
