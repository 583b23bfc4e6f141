"""What transfer is and is not worth, in sentences that follow from the numbers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from spinedet.report.number_format import listed, plain, signed
from spinedet.scoring import Estimate
from spinedet.scoring.records import AdaptedThreshold

SCRATCH, FULL = "scratch", "full"
# A training has converged when twice the steps raise the average precision on its tuning split by no more than this.
CONVERGED = 0.005
# So many points on the tuning split are needed to say so.
_RUNGS = 2


@dataclass(frozen=True)
class Pooled:
    """One training on the neck in one plane, over all its seeds.

    Attributes:
        budget: optimisation steps planned. steps: taken by each seed. tuning_ap: mean on the tuning splits.
        f1_change, ap_change: minus the training from scratch of the same patients and steps, paired; None for that.
        ap_over_longest: the same against the training from scratch of as many patients that takes the most steps,
            which is `control_budget`.
        seeds: how many came to their end.
    """

    plane: str
    recipe: str
    patients: int
    budget: int
    steps: tuple[int, ...]
    stopped_by_time: bool
    seeds: int
    tuning_ap: float | None
    recall: Estimate
    f1: Estimate
    ap: Estimate
    f1_change: Estimate | None
    ap_change: Estimate | None
    ap_over_longest: Estimate | None
    control_budget: int


@dataclass(frozen=True)
class Trainings:
    """All pooled trainings of one plane.

    Attributes:
        compared: number of patients at which steps and recipes are compared. equal_steps: of all other trainings.
    """

    plane: str
    rows: tuple[Pooled, ...]
    compared: int
    equal_steps: int

    def over_steps(self, recipe: str) -> list[Pooled]:
        """On the compared number of patients, by budget."""
        found = [one for one in self.rows if one.recipe == recipe and one.patients == self.compared]
        return sorted(found, key=lambda one: one.budget)

    def over_patients(self, recipe: str) -> list[Pooled]:
        """With the equal steps, by number of patients."""
        found = [one for one in self.rows if one.recipe == recipe and one.budget == self.equal_steps]
        return sorted(found, key=lambda one: one.patients)


def summary(trainings: Trainings, adapted: Sequence[AdaptedThreshold]) -> Iterator[str]:
    """One plane's conclusions: in short, convergence, more or sooner, fewer patients, the threshold without labels."""
    yield from _in_short(trainings)
    yield from _convergence(trainings)
    yield from _more(trainings)
    yield from _sooner(trainings)
    yield from _fewer_patients(trainings)
    for one in adapted:
        if one.plane == trainings.plane:
            yield _threshold(one)


def _in_short(trainings: Trainings) -> Iterator[str]:
    tuned = [row for row in trainings.over_steps(FULL) if row.ap_change is not None]
    if not tuned:
        return
    last = tuned[-1]
    parts = [f"{_verdict(row.ap_change)} with {row.budget} steps each" for row in tuned if row.ap_change is not None]
    if last.ap_over_longest is not None and last.control_budget > last.budget:
        verdict = _verdict(last.ap_over_longest)
        parts.append(f"with {last.budget} steps {verdict} against one from scratch of {last.control_budget}")
    yield (
        f"{trainings.plane.capitalize()} in short: in average precision, fine-tuning on {last.patients} patients "
        f"{listed(parts)}."
    )


def _convergence(trainings: Trainings) -> Iterator[str]:
    plane, patients = trainings.plane.capitalize(), trainings.compared
    for recipe, name in ((SCRATCH, "the training from scratch"), (FULL, "full fine-tuning")):
        known = [(row.budget, row.tuning_ap) for row in trainings.over_steps(recipe) if row.tuning_ap is not None]
        if len(known) < _RUNGS:
            continue
        (before, low), (last, high) = known[-2:]
        if 2 * before < last:
            yield (
                f"{plane}: whether {name} on {patients} patients has converged after {last} steps is not known: no "
                "training of half as many steps is there to compare it with."
            )
            continue
        if not high:
            verdict = "has learned nothing yet"
        elif high - low <= CONVERGED:
            verdict = "has converged"
        else:
            verdict = "has NOT converged, so a longer one may reach more"
        yield (
            f"{plane}: {name} on {patients} patients {verdict}: from {before} to {last} steps its average precision on "
            f"the tuning split goes from {plain(low)} to {plain(high)} (criterion: a rise of at most {CONVERGED:g})."
        )


def _more(trainings: Trainings) -> Iterator[str]:
    """At the longest budget, where lack of steps hurts the control least."""
    longest = [one for one in trainings.over_steps(FULL) if one.ap_change is not None][-1:]
    for row in longest:
        for name, change in (("average precision", row.ap_change), ("F1", row.f1_change)):
            if change is not None and change.value is not None:
                yield (
                    f"{trainings.plane.capitalize()}, does transfer reach more? With {row.budget} steps each on "
                    f"{row.patients} patients, fine-tuning {_verdict(change)} in {name}: {_shown(change)}, fine-tuned "
                    "minus from scratch."
                )
        if row.ap_over_longest is not None and row.control_budget > row.budget:
            yield (
                f"{trainings.plane.capitalize()}, against a training from scratch of {row.control_budget} steps, "
                f"fine-tuning with {row.budget} {_verdict(row.ap_over_longest)} in average precision: "
                f"{_shown(row.ap_over_longest)}."
            )


def _sooner(trainings: Trainings) -> Iterator[str]:
    control, tuned = trainings.over_steps(SCRATCH), trainings.over_steps(FULL)
    if not control or not tuned or not control[-1].ap.value:
        return
    goal = control[-1]
    enough = next((row for row in tuned if (row.ap.value or 0.0) >= (goal.ap.value or 0.0)), None)
    reached = (
        f"fine-tuning has it after {enough.budget} (AP {plain(enough.ap.value or 0.0)})"
        if enough
        else f"fine-tuning does not have it after {tuned[-1].budget} (AP {plain(tuned[-1].ap.value or 0.0)})"
    )
    yield (
        f"{trainings.plane.capitalize()}, does transfer save time? The training from scratch reaches AP "
        f"{plain(goal.ap.value or 0.0)} after {goal.budget} steps; {reached}."
    )
    shortest = tuned[0]
    if shortest.ap_change is not None:
        yield (
            f"{trainings.plane.capitalize()}, with only {shortest.budget} steps each fine-tuning "
            f"{_verdict(shortest.ap_change)} in average precision: {_shown(shortest.ap_change)}."
        )


def _fewer_patients(trainings: Trainings) -> Iterator[str]:
    """Fine-tuning against a training from scratch with as few patients: AP need not rise with their number."""
    control, tuned = trainings.over_patients(SCRATCH), trainings.over_patients(FULL)
    if len(control) < _RUNGS or not tuned or not control[-1].ap.value:
        return
    most = control[-1]
    goal = most.ap.value or 0.0
    needed, enough = _fewest(control, goal), _fewest(tuned, goal)
    reached = f"with {enough}" if enough else f"with none of up to {tuned[-1].patients}"
    verdict = (
        "fewer after transfer, by point estimates" if enough and needed and enough < needed else "transfer saves none"
    )
    yield (
        f"{trainings.plane.capitalize()}, does transfer save patients? With {trainings.equal_steps} steps each, the "
        f"AP of {most.patients} patients from scratch ({plain(goal)}) is reached by fine-tuning {reached} and from "
        f"scratch with {needed}: {verdict}."
    )


def _fewest(rows: Sequence[Pooled], goal: float) -> int | None:
    """The smallest number of patients whose AP is at least this."""
    return next((row.patients for row in rows if (row.ap.value or 0.0) >= goal), None)


def _threshold(one: AdaptedThreshold) -> str:
    return (
        f"{one.plane.capitalize()}, zero-shot: at the threshold frozen on the lumbar spine recall is "
        f"{plain(one.frozen.recall.value or 0.0)} and F1 {plain(one.frozen.f1.value or 0.0)}; at one adapted to the "
        f"neck's scores without labels recall is {plain(one.adapted.recall.value or 0.0)} and F1 "
        f"{plain(one.adapted.f1.value or 0.0)} ({_shown(one.change)} in F1). The frozen one is the result of the test."
    )


def _verdict(change: Estimate) -> str:
    if change.low is None or change.high is None:
        return "differs by an unknown margin"
    if change.low > 0:
        return "is ahead"
    return "is behind" if change.high < 0 else "is not shown to differ"


def _shown(change: Estimate) -> str:
    cell = signed(change)
    return f"{cell.value} ({cell.interval})" if cell.interval else cell.value
