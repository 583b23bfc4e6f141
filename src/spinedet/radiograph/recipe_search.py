"""A search for the recipe of a training with Optuna, inside the training's own budget of optimisation steps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import nn

from spinedet.core.errors import InputError
from spinedet.core.files import read_json, write_json
from spinedet.radiograph.settings import EfficientNetConfig, InvertedConfig, SearchConfig
from spinedet.radiograph.trainer import PartPlan, Recipe, embed, logits_of, train_part
from spinedet.training.checkpoints import newest_checkpoint

# Random trials before the estimator that proposes the others; Optuna's own number is made for longer searches.
_RANDOM = 3
# In the place of none: the search is over its logarithm.
_LEAST_DECAY = 1e-3
RECORD = "search.json"


@dataclass(frozen=True, slots=True)
class Trial:
    """One recipe that was tried, and its mean log loss on the patients that were held out."""

    values: dict[str, float]
    loss: float


@dataclass(frozen=True, slots=True)
class Found:
    """The best recipe, with the steps that are left for it, and every trial in order.

    Attributes:
        steps: optimisation steps of all trials together. patients: that the trials were compared on.
    """

    recipe: Recipe
    trials: tuple[Trial, ...]
    steps: int
    patients: int

    @property
    def description(self) -> str:
        """In words."""
        best = min(self.trials, key=lambda one: one.loss)
        values = ", ".join(f"{name}={value:.3g}" for name, value in best.values.items())
        losses = [one.loss for one in self.trials]
        return (
            f"{len(losses)} trials of {self.steps // len(losses)} steps with Optuna, compared on {self.patients} "
            f"held-out training patients: log loss {losses[0]:.3f} with the settings as they were, "
            f"{min(losses):.3f} with {values}"
        )


def check_search(search: SearchConfig, recipe: Recipe) -> None:
    """Refuse a search that cannot be, before any work.

    Raises:
        InputError: Optuna is not installed, nothing is trained by steps, or the budget is too small.
    """
    if not search.trials:
        return
    _optuna()
    if not isinstance(recipe.network, InvertedConfig | EfficientNetConfig):
        raise InputError(
            f"search.trials={search.trials}: this network is not trained by steps; choose another, or leave it out"
        )
    total = recipe.trainer.max_steps
    if total is None:
        raise InputError(
            f"search.trials={search.trials} needs trainer.max_steps=, which the trials and the last training share"
        )
    if int(total * search.share) < search.trials:
        raise InputError(
            f"trainer.max_steps={total} leaves less than a step for each of search.trials={search.trials}; "
            "use fewer trials"
        )


def search_recipe(plan: PartPlan, patients: Sequence[str], recipe: Recipe, search: SearchConfig) -> Found:
    """Try recipes on a part of the training patients, or go on where an interrupted search stood.

    Args:
        plan: of the training that the recipe is for. patients: (n,) of its images.

    Raises:
        InputError: see `check_search`, and all that a training refuses.
        Preempted: the process was asked to stop.
    """
    check_search(search, recipe)
    optuna = _optuna()
    total = recipe.trainer.max_steps or 0
    each = int(total * search.share) // search.trials
    held_out = hold_out(patients, plan.reference, search.held_out, plan.seed)
    sampler = optuna.samplers.TPESampler(seed=plan.seed, n_startup_trials=_RANDOM)
    study = optuna.create_study(sampler=sampler)
    study.enqueue_trial(_values(recipe))
    known = _recorded(plan)
    trials: list[Trial] = []
    for number in range(search.trials):
        # A recorded trial is proposed again by the same seed, so that the search goes on as it would have.
        proposed = study.ask()
        tried = _with(recipe, _propose(proposed, recipe), each)
        loss = known[number] if number < len(known) else _loss(plan, tried, held_out, number)
        study.tell(proposed, loss)
        trials.append(Trial(dict(proposed.params), loss))
        write_json(plan.folder / RECORD, [{"values": one.values, "loss": one.loss} for one in trials])
    best = min(trials, key=lambda one: one.loss)
    steps = each * search.trials
    count = len({patients[row] for row in np.flatnonzero(held_out).tolist()})
    return Found(_with(recipe, best.values, total - steps), tuple(trials), steps, count)


def hold_out(patients: Sequence[str], reference: NDArray[np.int64], share: float, seed: int) -> NDArray[np.bool_]:
    """Which images are held out, (n,): a share of the patients of every label, at least one patient stays.

    A patient counts with the label of the first image.
    """
    label = dict(zip(reversed(patients), reversed(reference.tolist()), strict=True))
    rng = np.random.default_rng(np.random.SeedSequence([seed, *b"search"]))
    held: set[str] = set()
    for row in sorted(set(label.values())):
        own = sorted(patient for patient, its in label.items() if its == row)
        held |= {own[i] for i in rng.permutation(len(own))[: min(round(share * len(own)), len(own) - 1)]}
    return np.array([patient in held for patient in patients])


def _loss(plan: PartPlan, recipe: Recipe, held_out: NDArray[np.bool_], number: int) -> float:
    if not held_out.any():
        raise InputError("too few training patients to hold any out for search.trials=; add some, or leave it out")
    folder = plan.folder / f"trial-{number}"
    folder.mkdir(parents=True, exist_ok=True)
    rest = ~held_out
    trained = train_part(
        replace(
            plan,
            pixels=plan.pixels[rest],
            reference=plan.reference[rest],
            names=tuple(name for name, kept in zip(plan.names, rest.tolist(), strict=True) if kept),
            folder=folder,
            start=newest_checkpoint(folder),
            loggers=(),
        ),
        recipe,
    )
    return log_loss(trained.network, plan.pixels[held_out], plan.reference[held_out])


def log_loss(network: nn.Module, pixels: NDArray[np.float16], reference: NDArray[np.int64]) -> float:
    """Mean log loss of images (n, side, side) with rows of labels (n,)."""
    logits = logits_of(network, embed(network, pixels))
    return float(F.cross_entropy(logits, torch.from_numpy(reference)))


def _values(recipe: Recipe) -> dict[str, float]:
    """The recipe as it is, in the terms of the search."""
    network: Any = recipe.network
    learning = recipe.learning
    return {
        "lr": learning.lr,
        "weight_decay": learning.weight_decay or _LEAST_DECAY,
        "smoothing": learning.smoothing,
        "dropout": network.dropout,
        "variation": 1.0,
    }


def _propose(trial: Any, recipe: Recipe) -> dict[str, float]:
    """Around the recipe as it is."""
    lr, decay = recipe.learning.lr, recipe.learning.weight_decay or _LEAST_DECAY
    return {
        "lr": trial.suggest_float("lr", lr / 5, 4 * lr, log=True),
        "weight_decay": trial.suggest_float("weight_decay", decay / 10, 10 * decay, log=True),
        "smoothing": trial.suggest_float("smoothing", 0.0, 0.2),
        "dropout": trial.suggest_float("dropout", 0.0, 0.6),
        "variation": trial.suggest_float("variation", 0.0, 1.5),
    }


def _with(recipe: Recipe, values: dict[str, float], steps: int) -> Recipe:
    """The recipe with proposed values; `variation` multiplies all of the augmentation."""
    network: Any = recipe.network
    strength = values["variation"]
    augment = recipe.augment
    scaled = {name: strength * value for name, value in vars(augment).items() if name != "mirror"}
    learning: dict[str, Any] = {name: values[name] for name in ("lr", "weight_decay", "smoothing")}
    return replace(
        recipe,
        network=replace(network, dropout=values["dropout"]),
        learning=replace(recipe.learning, **learning),
        augment=replace(augment, **scaled),
        trainer=replace(recipe.trainer, max_steps=steps),
    )


def _recorded(plan: PartPlan) -> list[float]:
    path = plan.folder / RECORD
    content: Any = read_json(path) if path.is_file() else []
    return [float(one["loss"]) for one in content]


def _optuna() -> Any:
    try:
        import optuna
    except ImportError:
        raise InputError("search.trials= needs Optuna; install it: pip install 'spinedet[search]'") from None
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    return optuna
