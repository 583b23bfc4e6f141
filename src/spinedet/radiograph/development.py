"""Developing a classifier: a network for each view or for all, from prepared images."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from spinedet.cli import tracking
from spinedet.core.errors import InputError
from spinedet.core.radiograph import Task
from spinedet.radiograph.classifier import ImageClassifier, Part, unit_features
from spinedet.radiograph.finished import FinishedClassification
from spinedet.radiograph.images import PreparedImage
from spinedet.radiograph.models.frozen import LogisticHead, fit_logistic
from spinedet.radiograph.models.weights import Start
from spinedet.radiograph.recipe_search import Found, search_recipe
from spinedet.radiograph.settings import InputConfig, SearchConfig
from spinedet.radiograph.single_vertebrae import examples, refuse_without_evidence
from spinedet.radiograph.trainer import InitialWeights, PartPlan, Recipe, TrainedNetwork, train_part
from spinedet.radiograph.view_router import SIDE, ViewRouter
from spinedet.training.callbacks import TrainingProgress
from spinedet.training.checkpoints import newest_checkpoint
from spinedet.training.length import TrainingLength
from spinedet.training.preemption import StopSignal

ALL_VIEWS = "all"
_ROUTER_PENALTY = 0.1


@dataclass(frozen=True)
class Development:
    """What the trainings of a classifier have in common.

    Attributes:
        search: for a recipe, within the budget of each network. initial: the run that the networks begin with.
        per_view: a network for each view, else one for all.
        neighbours: for novelty.
        checkpoints: the folder of all trainings.
    """

    name: str
    task: Task
    input: InputConfig
    recipe: Recipe
    search: SearchConfig
    initial: FinishedClassification | None
    per_view: bool
    neighbours: int
    checkpoints: Path
    run: Path
    logger: tracking.LoggerConfig
    seed: int
    stop: StopSignal
    on_progress: Callable[[str, TrainingProgress], None]

    @property
    def parts(self) -> dict[str, tuple[str, ...]]:
        """The views of each network by its name."""
        views = self.task.views
        return {view: (view,) for view in views} if self.per_view else {ALL_VIEWS: views}


@dataclass(frozen=True)
class Developed:
    """A classifier, how long its trainings were, where their weights began, and what a search for a recipe found."""

    classifier: ImageClassifier
    lengths: dict[str, TrainingLength]
    starts: dict[str, Start | None]
    searches: dict[str, Found]


def develop(job: Development, train: Sequence[PreparedImage]) -> Developed:
    """Train every network of a task.

    Raises:
        InputError: a view or a label has no training image.
        Preempted: the process was asked to stop, and wrote a checkpoint.
    """
    parts, lengths, starts, searches = [], {}, {}, {}
    for name, views in job.parts.items():
        part, trained, found = _develop(job, name, views, train)
        parts.append(part)
        lengths[name], starts[name] = trained.length, trained.start
        if found is not None:
            searches[name] = found
            lengths[f"{name}, search"] = TrainingLength(steps=found.steps, planned=found.steps)
    router = fit_router(job.task.views, train)
    classifier = ImageClassifier(job.name, job.task, job.input, tuple(parts), router, job.neighbours)
    return Developed(classifier, lengths, starts, searches)


def _develop(
    job: Development, name: str, views: tuple[str, ...], train: Sequence[PreparedImage]
) -> tuple[Part, TrainedNetwork, Found | None]:
    own = [one for one in train if one.known and one.view in views and one.rejected is None and one.pixels is not None]
    own = examples(own, job.task)
    if not own:
        raise _nothing(views, train)
    refuse_without_evidence(own, job.task, job.input)
    labels = tuple(dict.fromkeys(label for view in views for label in job.task.labels_of(view)))
    labels = tuple(label for label in job.task.labels if label in labels)
    pixels = np.stack([one.pixels for one in own if one.pixels is not None])
    reference = np.array([labels.index(job.task.labels[one.label or 0]) for one in own])
    drawn = repeated_rows(reference, job.recipe.learning.least_share)
    folder = job.checkpoints / name
    folder.mkdir(parents=True, exist_ok=True)
    with tracking.open_loggers(job.logger, job.run, name) as loggers:
        plan = PartPlan(
            labels=labels,
            pixels=pixels[drawn],
            reference=reference[drawn],
            names=tuple(f"{own[row].study}/{own[row].image}" for row in drawn.tolist()),
            folder=folder,
            seed=job.seed,
            start=newest_checkpoint(folder),
            stop=job.stop,
            loggers=loggers,
            on_progress=lambda progress: job.on_progress(name, progress),
            initial=_initial(job.initial, views, labels) if job.initial else None,
        )
        found, recipe = None, job.recipe
        if job.search.trials:
            found = search_recipe(plan, [own[row].patient for row in drawn.tolist()], recipe, job.search)
            recipe = found.recipe
        trained = train_part(plan, recipe)
    neighbours = unit_features(trained.network, pixels).half().float()
    part = Part(name, labels, views, recipe.network, trained.network, neighbours)
    return part, trained, found


def _nothing(views: tuple[str, ...], train: Sequence[PreparedImage]) -> InputError:
    """The error where no image can be trained on, with the first reason where images were rejected."""
    rejected = [one for one in train if one.known and one.rejected is not None and one.view in (None, *views)]
    first = f"; {len(rejected)} were rejected, the first: {rejected[0].rejected}" if rejected else ""
    return InputError(
        f"no training image with a label can be used for the view {', '.join(views)}; add some, or leave it out{first}"
    )


def repeated_rows(reference: NDArray[np.int64], least: float) -> NDArray[np.intp]:
    """Rows (m,) of images with these labels (n,), those of rare labels as often as it takes for about this share."""
    counts = np.bincount(reference)
    wanted = least * (len(reference) - counts) / (1 - least)
    times = np.maximum(np.round(wanted / np.maximum(counts, 1)), 1).astype(int)
    return np.repeat(np.arange(len(reference)), times[reference])


def _initial(run: FinishedClassification, views: tuple[str, ...], labels: tuple[str, ...]) -> InitialWeights:
    """Of the run's network for these views, or its only one; those of the labels only where these are the same."""
    parts = run.classifier.parts
    part = next((one for one in parts if set(views) <= set(one.views)), parts[0] if len(parts) == 1 else None)
    if part is None:
        raise InputError(f"init={run.classifier.name}: it has no network for the view {', '.join(views)}")
    state = part.network.state_dict()
    kept = {name: one for name, one in state.items() if part.labels == labels or not name.startswith("head.")}
    return InitialWeights(run.classifier.name, str(run.model["weights_sha256"]), kept)


def fit_router(views: Sequence[str], train: Sequence[PreparedImage]) -> ViewRouter | None:
    """A router over the views of a task; None where there is only one."""
    own = [one for one in train if one.view in views and one.overview is not None]
    present = tuple(view for view in views if any(one.view == view for one in own))
    if len(present) < 2:
        return None
    pixels = torch.from_numpy(np.stack([one.overview for one in own if one.overview is not None]).astype(np.float32))
    head = LogisticHead(SIDE * SIDE, len(present))
    rows = torch.tensor([present.index(one.view or "") for one in own])
    fit_logistic(head, pixels.flatten(1), rows, torch.ones(len(present)), _ROUTER_PENALTY)
    arrays: dict[str, Any] = {
        "mean": head.mean,
        "scale": head.scale,
        "weight": head.linear.weight.detach(),
        "bias": head.linear.bias.detach(),
    }
    return ViewRouter(present, **{name: tensor.numpy() for name, tensor in arrays.items()})
